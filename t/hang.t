#!/usr/bin/perl
# What waits for something outside of it and hangs: a name server that does not
# answer, and libcurl where its start does not come to its end. Neither holds up
# anything else. What is preloaded into the programs makes it so.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(max);
use LogStream::Test;
use Test::More;
use Time::HiRes qw(time);

my $library = builddir() . '/t/preload/hang.so';
plan skip_all => 'it is not built: make check does' if !-e $library;
plan skip_all => 'sanitizers have names of their own for what is preloaded' if watched();
need('IO::Socket::SSL');

my $slack = standin();
my $host = 'hang.example';
my $away = standin(tls => 1, names => "DNS:$host");
my $elsewhere = "https://$host:" . $away->port . '/services/SECRET';

# The environment in which that name server does not answer for as long as the
# file is there.
sub hanging ($file, %more) {
	return (LD_PRELOAD => $library, HANG_HOST => $host, HANG_WHILE => $file, SSL_CERT_FILE => $away->cert,
		%more);
}

sub number_of_threads ($pid) { return scalar(() = glob "/proc/$pid/task/*") }

# What the log has of messages to a destination that were not answered.
sub said_of ($name, $log) { return $log =~ /: \w+ destination=$name events=\d+ slack_status=0 slack="(.*?)" ms=/g }

#
# A name server
#

my $never = spew(tempdir() . '/never', '');

# Each of six destinations would take its five seconds.
my $six = later(sub {
	my $start = time;
	my $answer = cgi(body => logins('a'), timeout => 60, env => { hanging($never), SLACK_TIMEOUT => '20s',
		map { ("SLACK_WEBHOOK_URL_$_" => "https://$host/SECRET$_") } 'a' .. 'f' });
	return { %$answer, took => time - $start };
});

subtest 'a request without a queue is answered in time' => sub {
	my $start = time;
	my $answer = cgi(body => logins('a'), env => { hanging($never), SLACK_TIMEOUT => '500ms',
		SLACK_WEBHOOK_URL => "https://$host/SECRET" });
	is $answer->{status}, 504, 'with 504';
	is_deeply [ said_of('default', $answer->{err}) ],
		[ 'timed out: no answer from a name server within 500 ms' ], 'the log says why';
	cmp_ok time - $start, '<', 5, 'and the program ends at once';
};

subtest 'a FastCGI door goes on with other requests, and ends when it is told to' => sub {
	my $file = spew(tempdir() . '/while', '');
	my $conf = tempdir() . '/conf';
	my $wait = sub ($timeout) {
		spew($conf, "SLACK_TIMEOUT=$timeout\n", 0600);
		utime 1, 1, $conf; # a young one without a token may be half written
	};
	$wait->('500ms');
	my $door = fastcgi(env => { hanging($file), LOG_STREAM_CONFIG => $conf, SLACK_TIMEOUT => undef, SLACK_WEBHOOK_URL => $elsewhere });
	is $door->request(body => logins($_))->{status}, 504, "request $_" for 1 .. 8;
	cmp_ok number_of_threads($door->pid), '>', 1, 'names are still looked up';
	my $start = time;
	my $answer = $door->request(body => logins('more'));
	is $answer->{status}, 502, 'another';
	cmp_ok time - $start, '<', 0.4, 'is not tried, because so many hang';
	is_deeply [ said_of('default', $answer->{err}) ],
		[ 'the name server has not answered for so long that it is not asked again' ], 'which the log says';
	unlink $file;
	$wait->('20s'); # a busy machine may need more than 500 ms
	wait_until(sub { number_of_threads($door->pid) == 1 }, 5, 'the look-ups to end');
	is $door->request(body => logins('good'))->{status}, 200, 'once it answers all is well';
	is scalar($away->requests), 1, 'nothing that was given up is posted after all';

	spew($file, '');
	$door = fastcgi(env => { hanging($file), SLACK_TIMEOUT => '500ms', SLACK_WEBHOOK_URL => $elsewhere });
	is $door->request(body => logins('z'))->{status}, 504, 'a name is looked up';
	$start = time;
	$door->signal('TERM');
	is $door->wait_exit, 0, 'the door ends well';
	cmp_ok time - $start, '<', 3, 'and at once';
	$away->forget;
};

subtest 'a worker keeps the interval of the other destinations' => sub {
	my $file = spew(tempdir() . '/while', '');
	my $queue = queue(env => { hanging($file), SLACK_TIMEOUT => '1s', SLACK_INTERVAL => '50ms', FILTER => 'f*',
		SLACK_WEBHOOK_URL_good => $slack->url('/services/x'), SLACK_WEBHOOK_URL_hang => $elsewhere });
	is $queue->cgi(body => logins(1 .. 1200))->{status}, 200, 'events for both';
	my @request = $slack->wait_for(60, 40);
	my @at = map { $_->{arrived} } @request;
	cmp_ok max(map { $at[$_] - $at[$_ - 1] } 1 .. $#at), '<', 0.7, 'no message waits for a name';
	wait_until(sub { 3 <= (() = said_of('hang', $queue->log)) }, 10, 'three tries of the other');
	is_deeply [ (said_of('hang', $queue->log))[0 .. 2] ],
		[ map { "timed out: no answer from a name server within $_ ms" } 1000, 2000, 4000 ],
		'of which the log says why';
	is scalar($away->requests), 0, 'none of which came to Slack';

	unlink $file;
	$away->wait_for(60, 30);
	$queue->wait_until_empty(20);
	my %times;
	$times{$_}++ for $away->titles;
	is_deeply [ grep { $times{$_} > 1 } keys %times ], [], 'once it answers each event arrives once';
	is scalar(keys %times), 1200, 'all of them';
	my $start = time;
	$queue->end_worker;
	cmp_ok time - $start, '<', 5, 'the worker ends';
};

subtest 'a worker that is told to stop does not wait for a name' => sub {
	my $queue = queue(env => { hanging($never), SLACK_TIMEOUT => '1s', SLACK_WEBHOOK_URL => $elsewhere });
	my $worker = $queue->work;
	$queue->wait_for_worker;
	is $queue->cgi(body => logins('a'))->{status}, 200, 'an event';
	wait_until(sub { said_of('default', $queue->log) }, 10, 'a try');
	my $start = time;
	$worker->signal('TERM');
	is $worker->wait_exit, 0, 'it ends well';
	cmp_ok time - $start, '<', 5, 'and soon';
};

#
# Loading libcurl
#

my $long = 'loading libcurl and its libraries takes too long, so this process ends: '
	. 'see whether memory is short, and update libcurl and OpenSSL';

# Alarms come twenty times as soon.
my %load = (LD_PRELOAD => $library, HANG_LOAD => 'libcurl', SLACK_WEBHOOK_URL => $slack->url('/services/x'));
my %quick = (%load, HANG_HURRY => 20);

subtest 'a worker whose libcurl hangs ends, and says why' => sub {
	my $queue = queue(env => \%quick);
	my $worker = $queue->work;
	$queue->wait_for_worker;
	is $queue->cgi(body => logins('a'))->{status}, 200, 'an event';
	is $worker->wait_exit >> 8, 71, 'its exit status is EX_OSERR';
	like $queue->log, qr/^\S+Z log-stream-to-slack\[@{[$worker->pid]}\]: error error="\Q$long\E"$/m, 'the log says why';
	is scalar(grep { $_->{state} eq 'waiting' } $queue->rows), 1, 'the event waits for another';
};

subtest 'a door without a queue ends so as well' => sub {
	my $answer = cgi(body => logins('a'), env => \%quick);
	is "$answer->{exit} $answer->{raw}", '71 ', 'without an answer';
	like $answer->{err}, qr/: error error="\Q$long\E"$/m, 'and says why';
};

subtest 'so does check' => sub {
	is ctl(\%quick, 'check')->{exit}, 71, 'its exit status';
};

subtest 'told to stop, it has little time to do so' => sub {
	for my $signal (qw(TERM INT)) {
		my $mark = tempdir() . '/mark';
		my $queue = queue(env => { %load, HANG_REPORT => $mark });
		my $worker = $queue->work;
		$queue->wait_for_worker;
		is $queue->cgi(body => logins('a'))->{status}, 200, 'an event';
		wait_until(sub { -e $mark }, 10, 'libcurl to hang');
		$worker->signal($signal);
		is $worker->wait_exit(6) >> 8, 71, "a worker ends after SIG$signal";
	}
	my $mark = tempdir() . '/mark';
	my $door = fastcgi(env => { %load, HANG_REPORT => $mark });
	my $socket = $door->connect;
	$door->begin($socket, length => length logins('a'));
	$door->stdin($socket, logins('a'));
	$door->stdin($socket, '');
	wait_until(sub { -e $mark }, 10, 'libcurl to hang');
	$door->signal('TERM');
	is $door->wait_exit(6) >> 8, 71, 'and so does a door, which lets signals in only when it waits';
};

subtest 'one that is told to stop while it loads libcurl in good time finishes its message' => sub {
	my $queue = queue(slack => $slack);
	for my $id (1 .. 5) {
		$slack->forget;
		my $worker = $queue->work;
		$queue->wait_for_worker;
		is $queue->cgi(body => logins("s$id"))->{status}, 200, 'an event';
		wait_until(sub { slurp('/proc/' . $worker->pid . '/maps') =~ /libcurl/ || $slack->requests }, 10, 'libcurl');
		$worker->signal('TERM');
		is $worker->wait_exit, 0, 'the worker ends well';
		is scalar($slack->requests), 1, 'its message was posted';
	}
	is_deeply [ $queue->rows ], [], 'and written down';
};

subtest 'all destinations of a request have 25 seconds together' => sub {
	my $answer = $six->();
	is $answer->{status}, 504, 'though each may take five to find a name';
	cmp_ok $answer->{took}, '<', 25, 'it is answered in time';
	cmp_ok $answer->{took}, '>', 20, 'but not before';
	unlike $answer->{err} . $answer->{raw}, qr/SECRET/, 'without a secret';
};

done_testing;
