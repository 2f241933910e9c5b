#!/usr/bin/perl
# The table of cases behind a real Apache, with each file that is shipped for
# it; without a queue; and with a filter that unpacks bodies.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Compress::Gzip qw(gzip);
use LogStream::Cases;
use LogStream::Server;
use LogStream::Test;
use Test::More;

need($_) for qw(apache2 spawn-fcgi sqlite3);

# Apache replaces its own children gracefully, and the programs' starter not.
beside 'mod_cgid' => sub {
	test_cases('apache-cgi.conf', graceful_fails => 1, ends_alike => 1);
};
beside 'mod_cgi' => sub {
	test_cases('apache-cgi.conf', modules => [ qw(mpm_prefork alias cgi) ], ends_alike => 1);
};
# Here the doors are ended by the server, because nothing happens.
beside 'mod_fcgid' => sub {
	test_cases('apache-fcgid.conf', graceful_fails => 1, kill => sub { },
		conf => "FcgidIdleTimeout 1\nFcgidIdleScanInterval 1\nFcgidMinProcessesPerClass 0\n"
		# Or those that end so often are not replaced for a while.
		. "FcgidSpawnScoreUpLimit 1000\n");
};
beside 'mod_proxy_fcgi' => sub {
	test_cases('apache-proxy-fcgi.conf');
};
for my $snippet (qw(apache-cgi.conf apache-fcgid.conf apache-proxy-fcgi.conf)) {
	beside "$snippet, without a queue" => sub { test_without_queue($snippet) };
}

# mod_cgid hands on the length of what was sent, and so does mod_proxy_fcgi when
# the body comes after the header.
my $packed_length = qr/^400 the body is longer than its Content-Length, \d+; if the web server unpacks requests \(Apache: SetInputFilter DEFLATE\), switch that off\n\z/;
my %unpacked = (
	'apache-cgi.conf' => $packed_length,
	'apache-fcgid.conf' => qr/^200 ok\z/,
	'apache-proxy-fcgi.conf' => qr/^200 ok\z|$packed_length/,
);
for my $snippet (sort keys %unpacked) {
	beside "$snippet with SetInputFilter DEFLATE" => sub {
		my $slack = standin();
		my $queue = queue(slack => $slack, env => { LOG => undef });
		my $server = server($snippet, queue => $queue, modules => [ @{ LogStream::Server::Apache::modules($snippet) }, 'deflate' ],
			edit => sub ($self, $text) { $text =~ s{(?=^</Location>)}{\tSetInputFilter DEFLATE\n}mr });
		my $post = sub ($body, %header) {
			my $answer = http('POST', $server->url, { Authorization => LogStream::Test::Queue::TOKEN, %header }, $body);
			return "$answer->{status} $answer->{body}";
		};
		my @id = map { "unpacked-$_" } 1 .. 20;
		gzip(\logins(@id), \my $packed) or die;
		my $answer = $post->($packed, 'Content-Encoding' => 'gzip');
		like $answer, $unpacked{$snippet}, 'it is taken, or refused and the filter named';
		is $post->(logins('plain')), '200 ok', 'a body that was not compressed is taken';
		my @want = sort map { "event $_ [type: f]" } 'plain', $answer =~ /^200/ ? @id : ();
		is_deeply [ sort $slack->wait_for_titles(scalar @want, 20) ], \@want, 'and what was answered ok arrives';
		$server->stop;
		$queue->end_worker;
	};
}
finish_beside;

done_testing;
