#!/usr/bin/perl
# The table of cases behind a real Caddy, with the file that is shipped for it;
# and without a queue.
use v5.20;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Cases;
use LogStream::Test;
use Test::More;

need($_) for qw(caddy spawn-fcgi sqlite3);

beside 'FastCGI' => sub { test_cases('caddy.conf') };
beside 'FastCGI, without a queue' => sub { test_without_queue('caddy.conf') };
finish_beside;

done_testing;
