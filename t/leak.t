#!/usr/bin/perl
# Nothing grows: descriptors and memory of a FastCGI process that gets requests
# of all kinds, with and without a queue, and of a worker, while Slack fails in
# every way it can.
#
# LEAK_REQUESTS: how many, for the process with a queue; the others get a tenth
# of it, for each of theirs has a message, and without it fewer.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

# The disk's own slowness is no part of this.
BEGIN { $ENV{TMPDIR} //= '/dev/shm' if -d '/dev/shm' && -w _ }

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use LogStream::Test;
use Test::More;

my $requests = $ENV{LEAK_REQUESTS} // 10_000;
my $messages = $ENV{LEAK_REQUESTS} ? $requests / 10 : 300;
my $token = LogStream::Test::Queue::TOKEN;

# kB that may come and go; a leak of a small text a request is more.
my $slack_kb = 120;

# Its own memory, what it has of files left out; and its descriptors.
sub size_of ($pid) {
	my ($kb) = slurp("/proc/$pid/status") =~ /^RssAnon:\s*(\d+)/m;
	my @fd = glob "/proc/$pid/fd/*";
	return { kb => $kb, fds => scalar @fd };
}

# Runs $step (1 to so many) after a fifth for a start, or half as many where
# they are few; the process is not to grow from then on.
sub does_not_grow ($pid, $count, $what, $step) {
	my $first = int($count / ($count < 1000 ? 2 : 5));
	my $before;
	for my $n (1 .. $first + $count) {
		$step->($n);
		$before = size_of($pid) if $n == $first;
	}
	my $after;
	eval {
		wait_until(sub { ($after = size_of($pid))->{fds} <= $before->{fds} }, 3, 'the last connection to be closed');
	};
	# libcurl keeps some connections to Slack, four at the most.
	cmp_ok $after->{fds}, '<=', $before->{fds} + 4, 'it has as many descriptors as before';
	cmp_ok $after->{kb}, '<=', $before->{kb} + $slack_kb, 'and as much memory';
	note "$count $what: $before->{kb} kB and $before->{fds} descriptors before, ",
		"$after->{kb} kB and $after->{fds} after";
}

#
# Requests
#

# A request whose body is cut as $cut does it.
sub broken ($door, $cut, %params) {
	my $socket = $door->connect;
	$door->begin($socket, token => $token, %params);
	$door->stdin($socket, '[{"log_id":"cut","data":{"type":"f"}}');
	my $answered = $cut->($socket);
	return $answered ? $door->answer($socket)->{status} : 0;
}

# What is asked of a door, and what it answers; 0 where nobody listens.
my @kind = (
	[ 'an event' => 200, sub ($door, $n) { { body => logins("id-$n") } } ],
	[ 'the same again' => 200, sub ($door, $n) { { body => logins('id-' . ($n - 1)) } } ],
	[ 'nothing' => 204, sub ($door, $n) { { body => '[]' } } ],
	[ 'nothing to send' => 204, sub ($door, $n) { { body => '[{"data":{"type":"s"}}]' } } ],
	[ 'lines' => 204, sub ($door, $n) { { body => qq({"data":{"type":"s"}}\n) x 50 } } ],
	[ 'no usable record' => 400, sub ($door, $n) { { body => '[{"log_id":"x"}]' } } ],
	[ 'no JSON' => 400, sub ($door, $n) { { body => '[{"data":{"type":"f","description":"' } } ],
	[ 'no UTF-8' => 400, sub ($door, $n) { { body => qq([{"data":{"type":"\xFF"}}]) } } ],
	[ 'deep JSON' => 400, sub ($door, $n) { { body => '[' x 200 } } ],
	[ 'no body' => 400, sub ($door, $n) { { body => '' } } ],
	[ 'no token' => 401, sub ($door, $n) { { body => '[]', token => undef } } ],
	[ 'a wrong token' => 401, sub ($door, $n) { { body => logins('x'), token => "wrong-$n" } } ],
	[ 'a GET' => 405, sub ($door, $n) { { method => 'GET' } } ],
	[ 'a HEAD' => 405, sub ($door, $n) { { method => 'HEAD' } } ],
	[ 'too long a body' => 413, sub ($door, $n) { { body => '[' . ' ' x 70_000 . ']' } } ],
	[ 'too long by its own word' => 413, sub ($door, $n) { { body => '[]', length => 1 << 40 } } ],
	[ 'a length that is none' => 400, sub ($door, $n) { { body => '[]', length => '2x' } } ],
	[ 'shorter than its length' => 400, sub ($door, $n) { { body => '[]', length => 3 } } ],
	[ 'longer than its length' => 400, sub ($door, $n) { { body => '[] ', length => 2 } } ],
	[ 'an abort' => 400, sub ($door, $n) {
		broken($door, sub ($socket) { $door->abort($socket); 1 });
	} ],
	[ 'a client that goes away' => 0, sub ($door, $n) { broken($door, sub ($socket) { close $socket; 0 }) } ],
	[ 'a client that goes away before its body' => 0, sub ($door, $n) {
		my $socket = $door->connect;
		$door->begin($socket, token => $token);
		0;
	} ],
	[ 'a client that says nothing' => 0, sub ($door, $n) { close $door->connect; 0 } ],
	[ 'half of the parameters' => 0, sub ($door, $n) {
		my $socket = $door->connect;
		LogStream::Test::FastCGI::put($socket, pack 'CCnnCx nCx5 CCnnCx a*', 1, 1, 300, 8, 0, 1, 0,
			1, 4, 300, 100, 0, 'half');
		close $socket;
		0;
	} ],
);

# Asks for the n-th kind, all in turn; dies when it is answered otherwise.
sub ask ($door, $n) {
	my ($what, $status, $code) = @{ $kind[ $n % @kind ] };
	my $like = $code->($door, $n - $n % @kind + 1);
	$like = $door->request(token => $token, %$like)->{status} if ref $like;
	die "$what is answered $like, not $status" if $like != $status;
}

beside 'a FastCGI process that gets requests of all kinds does not grow' => sub {
	my $queue = queue(slack => standin(), env => { MAX_BODY => '64KiB' });
	my $away = $queue->keep_workers_away;
	my $door = $queue->fastcgi;
	# SQLite keeps 2 MB of a file, once there are so many.
	for my $n (1 .. 10) {
		my $batch = '[' . join(',', map { qq({"log_id":"$n-$_","data":{"type":"f"}}) } 1 .. 1500) . ']';
		$queue->ask($door, body => $batch, timeout => 60)->{status} == 200 or die 'not taken';
	}
	does_not_grow($door->pid, $requests, 'requests of ' . @kind . ' kinds', sub ($n) { ask($door, $n) });
};

#
# Slack
#

# How Slack fails, one after the other; and in between it does not.
my @slack = map { ($_, '/services/T/B/x') } qw(/status/500/fatal_error /status/404/no_service /close /close/early
	/status/429/rate_limited?retry_after=0 /status/200/nonsense /status/400/invalid_payload /redirect/9
	/status/500/x?bytes=200000 /stall/body /status/408/);

beside 'a FastCGI process without a queue does not grow with a Slack that fails' => sub {
	my $slack = standin();
	my $door = fastcgi(env => { SLACK_WEBHOOK_URL => $slack->url('/as/main'), SLACK_TIMEOUT => '100ms' });
	my %status;
	does_not_grow($door->pid, $messages, 'posts', sub ($n) {
		$slack->behave(main => $slack[ $n % @slack ]);
		$slack->clear if $n % 100 == 0;
		$status{ $door->request(body => logins("id-$n"))->{status} }++;
	});
	is_deeply [ sort keys %status ], [ 200, 502, 503, 504 ], 'of every kind'
		or diag join ' ', %status;
};

beside 'nor does a worker' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main', env => { SLACK_TIMEOUT => '100ms',
		SLACK_INTERVAL => '1ms', SLACK_RETRY_MAX => '10ms' });
	$slack->behave('main');
	my $worker = $queue->work;
	$queue->wait_for_worker;
	my $door = $queue->fastcgi;
	my $posts = 0;
	does_not_grow($worker->pid, $messages, 'turns', sub ($n) {
		$slack->behave(main => $slack[ $n % @slack ]);
		$queue->ask($door, body => logins("id-$n"))->{status} == 200 or die 'not queued';
		wait_until(sub { $slack->lines }, 10, 'a post');
		$posts += () = $slack->lines;
		$slack->clear;
	});
	note "$posts posts";
	cmp_ok $posts, '>=', $messages, 'that posts';
};

finish_beside();
done_testing;
