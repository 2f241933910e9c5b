#!/usr/bin/perl
# The table of cases behind a real nginx, with each file that is shipped for
# it; and without a queue.
use v5.20;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Cases;
use LogStream::Test;
use Test::More;

need($_) for qw(nginx spawn-fcgi fcgiwrap sqlite3);

beside 'FastCGI' => sub {
	test_cases('nginx-fastcgi.conf');
};
beside 'CGI by fcgiwrap' => sub {
	test_cases('nginx-fcgiwrap.conf');
};
beside 'FastCGI, without a queue' => sub { test_without_queue('nginx-fastcgi.conf') };
beside 'fcgiwrap, without a queue' => sub { test_without_queue('nginx-fcgiwrap.conf') };
finish_beside;

done_testing;
