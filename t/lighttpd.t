#!/usr/bin/perl
# The table of cases behind a real lighttpd, with each file that is shipped for
# it; and the door as it is without a queue, where Slack is part of the answer.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Cases;
use LogStream::Server;
use LogStream::Test;
use Test::More;

need('lighttpd');

my @snippets = qw(lighttpd-fastcgi.conf lighttpd-cgi.conf);

for my $snippet (@snippets) {
	beside $snippet => sub { test_cases($snippet) };
}

for my $snippet (@snippets) {
	beside "$snippet, without a queue" => sub {
		my $slack = standin();
		my $token = 'token-SECRETtoken-0123456789';
		my $server = server($snippet, env => { AUTH0_LOG_STREAM_TOKEN => $token,
			SLACK_WEBHOOK_URL => $slack->url('/services/T0/B0/SECRETpath') });
		my $answer = http('POST', $server->url('/api/logs'), { Authorization => $token }, logins('a'));
		is "$answer->{status} $answer->{body}", '200 ok', 'the answer';
		my ($request, @more) = $slack->requests;
		is_deeply \@more, [], 'one post, before the answer';
		is $request->{payload}{attachments}[0]{title}, 'event a [type: f]', 'its title';
		is_deeply $request->{problems}, [], 'no problems';
		wait_until(sub { $server->errorlog =~ /log-stream-to-slack\[\d+\]: info log_id=a type=f destination=default outcome=sent/ },
			5, "the line in lighttpd's error log");
		unlike $server->errorlog, qr/SECRET/, 'no secret is in it';
	};
}
finish_beside;

subtest 'as FastCGI four doors serve all' => sub {
	my $server = server('lighttpd-fastcgi.conf', env => {});
	wait_until(sub { $server->doors == 4 }, 5, 'four doors');
	pass 'there are four';
	$server->stop;
	is scalar($server->doors), 0, 'and none after that';
};

done_testing;
