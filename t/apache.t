#!/usr/bin/perl
# The table of cases behind a real Apache, with each file that is shipped for
# it.
use v5.20;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Cases;
use LogStream::Test;
use Test::More;

need($_) for qw(apache2 spawn-fcgi);

# Apache replaces its own children gracefully, and the programs' starter not.
beside 'mod_cgid' => sub {
	test_cases('apache-cgi.conf', graceful_fails => 1);
};
beside 'mod_cgi' => sub {
	test_cases('apache-cgi.conf', modules => [ qw(mpm_prefork alias cgi) ]);
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
finish_beside;

done_testing;
