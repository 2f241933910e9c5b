#!/usr/bin/perl
# The table of cases behind a real lighttpd, with each file that is shipped for
# it; and without a queue.
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

need($_) for qw(lighttpd sqlite3);

my @snippets = qw(lighttpd-fastcgi.conf lighttpd-cgi.conf);

for my $snippet (@snippets) {
	beside $snippet => sub { test_cases($snippet) };
}

for my $snippet (@snippets) {
	beside "$snippet, without a queue" => sub { test_without_queue($snippet) };
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
