#!/usr/bin/perl
# The table of cases behind a real nginx, with each file that is shipped for
# it.
use v5.20;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Cases;
use LogStream::Test;
use Test::More;

need($_) for qw(nginx spawn-fcgi fcgiwrap);

beside 'FastCGI' => sub {
	test_cases('nginx-fastcgi.conf');
};
beside 'CGI by fcgiwrap' => sub {
	test_cases('nginx-fcgiwrap.conf');
};
finish_beside;

done_testing;
