#!/usr/bin/perl
# From the receiver to the worker: what was answered ok is delivered, whatever
# died between the two, hangs, or was exchanged under them.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use LogStream::Ledger;
use LogStream::Test;
use POSIX ();
use Test::More;

# "503 the queue ..." of an answer whose body is a line.
sub told ($answer) { return "$answer->{status} " . ($answer->{body} // '') =~ s/\n\z//r }

# The log_ids of the events in the messages that Slack took.
sub ids (@title) { return [ map { /^event (\S+) \[type: f\]$/ ? $1 : "? $_" } @title ] }

# Receivers that commit and then start a worker that does nothing: as far as
# the queue is concerned they died after the commit.
my $lonely = lonely_door(tempdir());
sub put_alone ($queue, @id) {
	return told($queue->cgi(cmd => [ $lonely ], body => logins(@id)));
}

# Sets the last sign of life of the worker so many seconds back.
sub silence ($queue, $seconds) {
	my $then = time - $seconds;
	utime $then, $then, $queue->path . '-worker' or die "utime: $!";
}

# The queue of a receiver that had an event delivered, and its worker.
sub queue_with_worker ($slack) {
	my $queue = queue(slack => $slack);
	is told($queue->cgi(body => logins('a'))), '200 ok', 'an event comes';
	$slack->wait_for_titles(1);
	return $queue, $queue->worker || die 'no worker';
}

#
# Nobody started the worker
#

beside 'events that nobody was started for are delivered by a receiver that begins' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	is put_alone($queue, 'a'), '200 ok', 'its process dies behind the commit';
	my $receiver = $queue->fastcgi;
	is_deeply ids($slack->wait_for_titles(1)), [ 'a' ], 'it arrives without a request';
};

my %request = (
	'one that holds nothing to keep' => [ '204 ', body => '[]' ],
	'one with a wrong token' => [ '401 wrong token: the Authorization header is not the one expected',
		body => '[]', token => 'wrong' ],
	'one that is no POST' => [ "405 this address takes Auth0's log stream: POST only", method => 'GET' ],
	'one that is cut' => [ '400 the body ends in the middle of a record', body => '[{"data"' ],
);
for my $what (sort keys %request) {
	beside "by CGI any request delivers what was left: $what" => sub {
		my $slack = standin();
		my $queue = queue(slack => $slack);
		is put_alone($queue, 'a'), '200 ok', 'a process dies behind the commit';
		my ($status, %o) = @{ $request{$what} };
		like told($queue->cgi(%o)), qr/^@{[ substr $status, 0, 3 ]} /, 'a request';
		is_deeply ids($slack->wait_for_titles(1)), [ 'a' ], 'and the event arrives';
	};
}

beside 'a receiver that stays looks between requests too' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $receiver = $queue->fastcgi;
	is told($queue->ask($receiver, body => '[]')), '204 ', 'one that has looked';
	is put_alone($queue, 'a'), '200 ok', 'then another process dies behind its commit';
	is_deeply ids($slack->wait_for_titles(1, 20)), [ 'a' ], 'and no request has to come';
};

beside 'a worker that cannot be started is tried again, and status and check say why' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $dir = tempdir();
	copy(door_path(), "$dir/receiver") or die "copy: $!";
	chmod 0755, "$dir/receiver";
	symlink '/bin/false/log-stream-ctl', "$dir/log-stream-ctl" or die "symlink: $!";
	my $receiver = $queue->fastcgi(cmd => [ "$dir/receiver" ]);
	is told($queue->ask($receiver, body => logins('a'))), '200 ok', 'an event comes';
	my $why = qr/there is no worker to start: put log-stream-ctl beside this program, or at \S+/;
	wait_until(sub { $queue->ctl('status')->{out} =~ /^worker: none\n    could not be started: $why$/m }, 5,
		'status to say why nothing is delivered');
	like $queue->ctl('check')->{out}, qr/^warning: QUEUE: events wait and no worker runs: the next request starts one, or log-stream-ctl drain delivers them; the last one could not be started: $why$/m,
		'so does check';
	unlink "$dir/log-stream-ctl";
	copy(ctl_path(), "$dir/next") && chmod 0755, "$dir/next" or die "copy: $!";
	rename "$dir/next", "$dir/log-stream-ctl" or die "rename: $!";
	is_deeply ids($slack->wait_for_titles(1, 30)), [ 'a' ], 'once it can be started it is, without a request';
	unlike $queue->ctl('status')->{out}, qr/could not be started/, 'and status says so no more';
};

beside 'a worker that ends at once is not started again without end' => sub {
	my $queue = queue(slack => standin());
	my $dir = tempdir();
	copy(door_path(), "$dir/receiver") or die "copy: $!";
	spew("$dir/log-stream-ctl", "#!/bin/sh\necho >>$dir/starts\nexit 1\n");
	chmod 0755, "$dir/receiver", "$dir/log-stream-ctl";
	my $receiver = $queue->fastcgi(cmd => [ "$dir/receiver" ]);
	is told($queue->ask($receiver, body => logins("a$_"))), '200 ok', "event $_" for 1 .. 40;
	wait_until(sub { -e "$dir/starts" && (() = slurp("$dir/starts") =~ /\n/g) >= 2 }, 20, 'it to be tried again');
	cmp_ok scalar(() = slurp("$dir/starts") =~ /\n/g), '<', 5, 'forty events do not start forty';
};

#
# A worker that hangs
#

beside 'a worker that hangs is told of by status, check and drain, which replaces it' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main');
	$slack->behave(main => '/status/503/down');
	is told($queue->cgi(body => logins('a'))), '200 ok', 'an event comes';
	$slack->wait_for(1);
	my $pid = $queue->worker or die 'no worker';
	is $queue->ctl('status')->{exit}, 0, 'a worker that waits for Slack does not hang';
	kill STOP => $pid;
	silence($queue, 200);
	my $said = "the worker, process $pid, has given no sign of life for 3min: it hangs, and the next worker ends it";
	my $status = $queue->ctl('status');
	is $status->{exit}, 4, 'status ends with 4';
	like $status->{out}, qr/^\Q$said\E$/m, 'and says why';
	my $check = $queue->ctl('check');
	is $check->{exit}, 4, 'so does check';
	like $check->{out}, qr/^error: \Q$said\E$/m, 'which says it as well';
	$slack->behave('main');
	my $drain = $queue->ctl('drain');
	is $drain->{exit}, 4, 'and drain';
	is $drain->{err}, "log-stream-ctl: $said\n", 'in these words';
	is_deeply ids($slack->titles), [ 'a' ], 'what waited is delivered';
	ok !runs($pid), 'the one that hung is ended';
	is $queue->ctl('drain')->{exit}, 0, 'then all is well';
};

beside 'a receiver has a worker that hangs replaced' => sub {
	my $slack = standin();
	my ($queue, $pid) = queue_with_worker($slack);
	kill STOP => $pid;
	silence($queue, 100);
	# It may hang in the middle of a transaction: then Auth0 sends again.
	wait_until(sub { $queue->cgi(body => logins('b'))->{status} == 200 }, 60, 'the next to be taken');
	$queue->wait_until_empty(20);
	my %times;
	$times{$_}++ for @{ ids($slack->titles) };
	is_deeply [ sort keys %times ], [ 'a', 'b' ], 'which arrives, when its worker hangs';
	is $times{b}, 1, 'once';
	# It was stopped over the first, before it was settled perhaps.
	cmp_ok $times{a}, '<=', 2, 'and nothing but what was on its way twice';
	ok !runs($pid), 'the one that hung is ended';
	like $queue->log, qr/error="the worker, process $pid, has given no sign of life for \d+ s: it is ended"/,
		'the log says so';
};

beside 'a worker that hangs and is another user\'s is told of, and not replaced' => sub {
	plan skip_all => 'only root can be two users' if $> != 0;
	my $slack = standin();
	my $place = tempdir();
	my $queue = queue(slack => $slack, env => { LOG => undef,
		LOG_STREAM_CONFIG => spew("$place/none.conf", '', 0644) });
	copy(ctl_path(), "$place/log-stream-ctl") && chmod 0755, $place, "$place/log-stream-ctl" or die "copy: $!";
	is put_alone($queue, 'a'), '200 ok', 'an event comes';
	my $away = $queue->keep_workers_away;
	silence($queue, 100);
	chown 65534, 65534, $queue->dir, glob($queue->path . '*') or die "chown: $!";
	my $ended = run(cmd => [ need('setpriv'), qw(--reuid 65534 --regid 65534 --clear-groups),
		"$place/log-stream-ctl", 'drain' ], cwd => '/', env => $queue->env, timeout => 40);
	is $ended->{exit}, 4, 'drain ends with 4';
	like $ended->{err}, qr/error="the worker, process $$, hangs, and nothing is delivered: process $$ is not log-stream-ctl: end it by hand"/,
		'the log says what to do';
	is_deeply ids($slack->titles), [], 'nothing is sent';
};

beside 'a date that is set back or ahead makes nobody think that a worker hangs' => sub {
	my $slack = standin();
	my ($queue, $pid) = queue_with_worker($slack);
	silence($queue, -100_000);
	is told($queue->cgi(body => logins('b'))), '200 ok', 'the next';
	is_deeply ids($slack->wait_for_titles(2)), [ 'a', 'b' ], 'arrives';
	is $queue->worker, $pid, 'by the same worker';
};

beside 'with too few descriptors nothing is sent that cannot be settled, and status says why' => sub {
	my $sent = 0;
	for my $allowed (8 .. 24) {
		my $slack = standin();
		my $queue = queue(slack => $slack);
		is put_alone($queue, 'a'), '200 ok', "$allowed descriptors: an event comes";
		my $worker = process(env => $queue->env, cmd => [ '/bin/sh', '-c', "ulimit -n $allowed && exec \"\$@\"", 'sh',
			ctl_path(), 'work' ]);
		# A log that cannot be opened is standard error.
		my $log = sub { $queue->log . $worker->err };
		wait_until(sub { $slack->titles || $log->() =~ / error / || !$worker->alive }, 20, 'something to happen');
		if ($slack->titles) {
			$queue->wait_until_empty;
			pass "$allowed: it is sent and settled";
			$sent++;
		} else {
			like $log->(), qr/ error .*Too many open files/, "$allowed: the log says why it is not sent";
			wait_until(sub {
				$queue->ctl('status')->{out} =~ /^    cannot deliver: .*Too many open files: $allowed file descriptors are allowed/m
			}, 3, "$allowed: status to say so") if $worker->alive && $log->() =~ /nothing can be sent/;
			is scalar(() = $log->() =~ / error /g), 1, "$allowed: the log says it once";
		}
		$worker->stop;
		is $queue->ctl('drain')->{exit}, 0, "$allowed: with more of them";
		is_deeply ids($slack->titles), [ 'a' ], "$allowed: it is sent once";
	}
	cmp_ok $sent, '>', 0, 'some number is enough';
};

#
# Another file in the place of the queue
#

beside 'a backup that takes the place of the queue over a message loses nothing that it has' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main');
	$slack->behave(main => '/drip/2');
	is $queue->ctl('drain')->{exit}, 0, 'a queue is made';
	my $backup = $queue->path . '-backup';
	copy($queue->path, $backup) or die "copy: $!";
	chmod 0600, $backup;
	is told($queue->cgi(body => logins('lost'))), '200 ok', 'an event comes';
	$slack->wait_for(1);
	rename $backup, $queue->path or die "rename: $!";
	is put_alone($queue, 'kept'), '200 ok', 'and one for the backup, which gives it the same number';
	wait_until(sub { $queue->log =~ /log_id=lost .*outcome=left-alone/ }, 10, 'the worker to settle the first');
	is_deeply ids($slack->wait_for_titles(2, 20)), [ 'lost', 'kept' ], 'both arrive';
	$queue->wait_until_empty;
};

#
# An older queue
#

beside 'a queue of the last version is taken over with what waits in it' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	copy(srcdir() . '/t/data/queue/version-1.db', $queue->path) or die "copy: $!";
	chmod 0600, $queue->path;
	is told($queue->cgi(body => logins('gone-1', 'aside-1', 'new-1'))), '200 ok', 'a receiver puts';
	is scalar(() = $queue->log =~ /outcome=duplicate/g), 2, 'what the queue knows is known';
	is $queue->ctl('retry', 'aside-1')->{exit}, 0, 'what is set aside can be tried again';
	is_deeply [ sort @{ ids($slack->wait_for_titles(5)) } ], [ qw(aside-1 new-1 waits-1 waits-2 waits-3) ],
		'and all that waits arrives';
};

finish_beside();
done_testing();
