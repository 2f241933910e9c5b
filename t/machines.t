#!/usr/bin/perl
# Several machines with one queue on PostgreSQL, all of which take events and
# deliver them: each has its own directory, doors, worker and host name. They
# and the database are killed in turn, the database for good in favour of its
# replica too; then what was answered is held against what Slack got, and when.
#
# MACHINES_SECONDS, else CRASH_SECONDS: how long the storm is; CRASH_SEED: the
# one that a failure printed, for the same batches and waits.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use LogStream::Ledger;
use LogStream::PostgreSQL;
use LogStream::Test;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use constant { MACHINES => 3, DOORS => 2, POSTERS => 3, INTERVAL => 0.2 };

# Of the moment a message came at: a tick of the kernel's, at its slowest.
use constant RESOLUTION => 0.01;

my $seed = $ENV{CRASH_SEED} // int rand 1_000_000_000;
my $seconds = $ENV{MACHINES_SECONDS} // $ENV{CRASH_SECONDS} // 10;
note "CRASH_SEED=$seed MACHINES_SECONDS=$seconds";

LogStream::PostgreSQL::prepare();

# A slow Slack, so that there is a message on its way most of the time, and one
# that fails at first.
my %path_of = (default => '/drip/0.07', ops => '/status/500/oops');

#
# Machines
#

# Machines that share the queue at this address, and are off.
sub machines ($slack, $address, $count = MACHINES, %env) {
	return map {
		my $dir = tempdir();
		spew("$dir/log", '', 0600);
		my %all = (settings($dir, $slack->url($path_of{default}), FILTER => '*', LOG => "$dir/log",
			SLACK_INTERVAL => INTERVAL * 1000 . 'ms',
			SLACK_WEBHOOK_URL_ops => $slack->url("$path_of{ops}?times=3"), FILTER_ops => '*',
			QUEUE => $address, %env));
		{ name => "m$_", dir => $dir, env => \%all, doors => [] };
	} 1 .. $count;
}

sub start_door ($machine, $door = undef, $program = door_path()) {
	my %o = (env => $machine->{env}, cwd => $machine->{dir}, cmd => [ named($machine->{name}, $program) ]);
	return fastcgi(%o) if !$door;
	open my $err, '>>', "$machine->{dir}/stderr" or die $!;
	$door->launch(1, %o, in => $door->{listener}, err => $err);
	return $door;
}

sub start_worker ($machine) {
	return process(env => $machine->{env}, cwd => $machine->{dir},
		cmd => [ named($machine->{name}, ctl_path(), 'work') ]);
}

# The sockets of the doors stay, so that whoever posts need not be told.
sub switch_on ($machine) {
	my $doors = $machine->{doors};
	$doors->[$_] = start_door($machine, $doors->[$_]) for 0 .. DOORS - 1;
	$machine->{worker} = start_worker($machine);
}

sub processes ($machine) { return (@{ $machine->{doors} }, $machine->{worker} // ()) }

# All at once, as when the power fails.
sub switch_off ($machine) {
	while (my @pid = programs_in($machine->{dir})) {
		kill KILL => @pid;
		$_->alive for processes($machine);
		sleep 0.005;
	}
	delete $machine->{worker};
}

sub log_of (@machine) { return join '', map { slurp("$_->{dir}/log") } @machine }

sub drain ($machine) {
	my $ended;
	for (1 .. 20) {
		$ended = ctl({ %{ $machine->{env} }, timeout => 120 }, 'drain');
		last if $ended->{exit} != 3;
		sleep 0.2;
	}
	return $ended;
}

#
# Posting, and the account
#

sub post_to ($machines, $end) {
	my @door = map { @{ $_->{doors} } } @$machines;
	my @poster = map {
		my $number = $_;
		later(sub { poster(name => "p$number", seed => $seed + $number, doors => \@door, end => $end,
			rest => 0.8, patience => 0.4) });
	} 1 .. POSTERS;
	return sub { posted(map { $_->() } @poster) };
}

# The pairs of messages, with any answer, that came too soon after each other.
sub too_soon (@message) {
	my @at = sort { $a <=> $b } map { $_->{arrived} } @message;
	return map { sprintf '%.0f ms after the one before', 1000 * ($at[$_] - $at[ $_ - 1 ]) }
		grep { $at[$_] - $at[ $_ - 1 ] < INTERVAL - RESOLUTION } 1 .. $#at;
}

# Holds all against each other once nothing moves any more.
sub audit ($slack, $machines, $batches, $kills) {
	my @listed = listed($machines->[0]{env}, 1);
	my $log = log_of(@$machines);
	for my $name (sort keys %path_of) {
		my @all = grep { $_->{path} eq $path_of{$name} } messages($slack);
		my @message = grep { $_->{status} == 200 } @all;
		my $account = account($batches, \@message, [ map { /^(\S+) \Q$name\E$/ } @listed ]);
		my $warned = () = $log =~ /destination \Q$name\E: a message was on its way/g;
		is_deeply $account->{lost}, [], "$name: what was answered ok was delivered or is listed";
		is_deeply $account->{strange}, [], 'nothing else was';
		is_deeply $account->{partial}, [], 'no batch in part';
		cmp_ok $account->{repeated}, '<=', $kills, 'messages sent twice are no more than kills';
		cmp_ok $account->{repeated}, '<=', $warned, 'and each time the log warned of it';
		is_deeply [ too_soon(@all) ], [], 'no message came before the interval was over';
		note sprintf '%s: %d messages, %d events came more than once, by %d messages; %d warnings',
			$name, scalar @message, @$account{qw(again repeated)}, $warned;
	}
	is_deeply [ objections($slack) ], [], 'Slack had nothing to object to';
}

# What helps whoever has to find out why.
sub show_why (@machine) {
	return if Test::More->builder->is_passing;
	diag "CRASH_SEED=$seed MACHINES_SECONDS=$seconds";
	diag "$_->{name}:\n", log_of($_) =~ /^(.* (?:error|warn) .*\n)/mg for @machine;
}

#
# The storm
#

sub kill_server ($server, $turn) {
	$turn % 2 ? $server->stop('immediate') : $server->kill;
	sleep rand 0.2;
	$server->start;
}

sub kill_machine ($machine) {
	switch_off($machine);
	sleep rand 0.3;
	switch_on($machine);
}

# Kills each in turn; how often which.
sub rage ($machines, $server, $end) {
	my %killed = (machine => 0, database => 0);
	while (time < $end) {
		for (@$machines) {
			sleep rand 0.4;
			kill_machine($_);
			$killed{machine}++;
		}
		sleep rand 0.4;
		kill_server($server, $killed{database}++);
	}
	return %killed;
}

beside 'machines and their database die at any moment, and nothing is lost' => sub {
	srand $seed;
	my $server = postgresql(fsync => 1);
	my $slack = standin();
	my @machine = machines($slack, $server->address('storm'));
	switch_on($_) for @machine;
	my $end = time + $seconds;
	my $posted = post_to(\@machine, $end);
	my %killed = rage(\@machine, $server, $end);
	my ($batches, $tally) = $posted->();
	switch_off($_) for @machine;
	$killed{machine} += @machine;
	my $ended = drain($machine[0]);
	is $ended->{exit}, 0, 'drain delivers what is left' or diag $ended->{err};
	audit($slack, \@machine, $batches, $killed{machine} + $killed{database});

	my @ok = map { @{ $_->{events} } } grep { $_->{ok} } @$batches;
	cmp_ok $killed{machine}, '>=', MACHINES * 2, 'each machine was killed';
	cmp_ok $killed{database}, '>=', 1, 'and the database';
	cmp_ok scalar @ok, '>=', 5 * $seconds, 'events were answered ok';
	cmp_ok scalar(grep { !$_->{ok} } @$batches), '<', @$batches / 2, 'most batches were taken';
	note sprintf '%d machines and %d databases killed; %d batches, %d events answered ok; %s',
		@killed{qw(machine database)}, scalar @$batches, scalar @ok,
		join ', ', map { "$_: $tally->{$_}" } sort keys %$tally;
	show_why(@machine);
};

#
# A replica
#

beside 'machines go on with a replica that is promoted' => sub {
	my ($first, $second) = synchronous_pair();
	my $slack = standin();
	my @machine = machines($slack, $first->address('over', more => '&target_session_attrs=read-write',
		host => join ',', map { '127.0.0.1:' . $_->port } $first, $second));
	switch_on($_) for @machine;
	my $posted = post_to(\@machine, time + 6);
	my $taken = sub { scalar grep { $_->{status} == 200 } messages($slack) };
	wait_until($taken, 20, 'messages');
	$first->kill;
	my $before = $taken->();
	wait_until(sub { log_of(@machine) =~ /status=503/ }, 20, 'doors to answer 503');
	$second->promote;
	my ($batches) = $posted->();
	wait_until(sub { !listed($machine[0]{env}) }, 60, 'the queue to be empty');
	cmp_ok $taken->(), '>', $before, 'messages went on';
	is scalar(grep { !$_->alive } map { processes($_) } @machine), 0, 'none was started again';
	$_->{worker}->stop for @machine;
	audit($slack, \@machine, $batches, 1);
	show_why(@machine);
};

beside 'what the replica does not have yet is not answered ok' => sub {
	my ($first, $second) = synchronous_pair();
	my ($machine) = machines(standin(), $first->address('copied', host => '127.0.0.1'), 1);
	my $door = start_door($machine, undef, lonely_door($machine->{dir}));
	my $ask = sub ($name) { $door->request(body => named_batch($name, 2)->{body}, timeout => 30) };
	my $ask_and_wait = sub ($name) {
		my $answer = later(sub { $ask->($name) });
		wait_until(sub { $first->sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
			. " AND backend_type = 'client backend'") }, 10, 'the door to wait for the replica');
		return $answer;
	};
	is $ask->('a')->{status}, 200, 'with a replica events are taken';
	$second->pause;
	my $answer = $ask_and_wait->('b');
	$first->kill;
	is $answer->()->{status}, 503, 'with one that hangs, and a server that dies, they are not';
	$first->start;
	is $first->sql("SELECT count(DISTINCT log_id) FROM copied.log_stream_event WHERE log_id LIKE 'b.%'"), 2,
		'it has them when it is back, but alone';
	$first->sql("SET synchronous_commit = local; SELECT nextval('copied.log_stream_event_number_seq')");
	$answer = $ask_and_wait->('b');
	$second->continue;
	is $answer->()->{status}, 200, 'once the replica has them too, they are taken';
	is_deeply [ sort(listed($machine->{env}, 1)) ],
		[ map { my $event = $_; map { "$event $_" } sort keys %path_of } qw(a.1 a.2 b.1 b.2) ], 'each once';
};

#
# One that is slow
#

# A port where what tells the time comes later.
sub late_port ($server, $delay) {
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 20) or die $!;
	my $parent = $$;
	my $pid = fork // die $!;
	return ($listener->sockport, sub { kill KILL => $pid; waitpid $pid, 0 }) if $pid;
	my (%other, @later);
	while (getppid == $parent) {
		for my $from (IO::Select->new($listener, map { $_->[0] } values %other)->can_read(0.005)) {
			if ($from == $listener) {
				my $client = $listener->accept;
				my $peer = IO::Socket::UNIX->new(Peer => $server->dir . '/.s.PGSQL.' . $server->port) or next;
				$other{$client} = [ $client, $peer, 0 ];
				$other{$peer} = [ $peer, $client, $delay ];
				next;
			}
			my (undef, $to, $delay) = @{ $other{$from} // next };
			if (sysread $from, my $bytes, 65536) {
				push @later, [ time + ($bytes =~ /\d{13}/ ? $delay : 0), $to, $bytes ];
			} else {
				delete @other{ $from, $to };
				$_->shutdown(2) for $from, $to;
			}
		}
		syswrite $_->[1], $_->[2] for grep { $_->[0] <= time } @later;
		@later = grep { $_->[0] > time } @later;
	}
	POSIX::_exit(0);
}

beside 'a machine that learns late what time it is keeps the interval too' => sub {
	my $server = postgresql();
	my ($port, $close) = late_port($server, 0.4);
	my $slack = standin();
	my %one = (SLACK_WEBHOOK_URL => $slack->url('/services/quick'), SLACK_INTERVAL => '1s',
		SLACK_WEBHOOK_URL_ops => undef, FILTER_ops => undef);
	my ($near) = machines($slack, $server->address('late'), 1, %one);
	my ($late) = machines($slack, $server->address('late', host => "127.0.0.1:$port"), 1, %one);
	$late->{name} = 'late';
	my $door = start_door($near, undef, lonely_door($near->{dir}));
	for my $turn (1, 2) {
		for my $machine ($late, $near) {
			$door->request(body => named_batch("$machine->{name}$turn", 1)->{body});
			my $worker = start_worker($machine);
			wait_until(sub { !listed($near->{env}) }, 20, 'the message');
			$worker->stop;
		}
	}
	my @at = map { $_->{arrived} } messages($slack);
	is scalar @at, 4, 'each sent some';
	cmp_ok $at[$_] - $at[$_ - 1], '>=', 1 - RESOLUTION, 'not before the interval was over' for 1 .. 3;
	$close->();
	show_why($near, $late);
};

#
# One that dies, as the others see it
#

beside 'a machine that dies over a message is followed by another' => sub {
	my $server = postgresql();
	my $slack = standin();
	my ($one, @other) = machines($slack, $server->address('next'), 3, SLACK_WEBHOOK_URL => $slack->url('/as/slow'),
		SLACK_INTERVAL => '1s', SLACK_WEBHOOK_URL_ops => undef, FILTER_ops => undef);
	my $door = start_door($one, undef, lonely_door(tempdir()));
	for my $turn (1, 2) {
		$slack->behave('slow', '/stall');
		is $door->request(body => named_batch("a$turn", 3)->{body})->{status}, 200, 'events';
		$one->{worker} = start_worker($one);
		$slack->wait_for(2 * $turn - 1);
		$_->{worker} = start_worker($_) for @other;
		sleep 1; # its wait is over when it dies
		$slack->behave('slow', undef);
		my $killed = time;
		$one->{worker}->signal('KILL');
		my $took = ($slack->wait_for(2 * $turn))[-1]{arrived} - $killed;
		note sprintf 'the next message came after %.0f ms', 1000 * $took;
		cmp_ok $took, '>=', 1 - RESOLUTION, 'the message may have come when the machine died: an interval later';
		cmp_ok $took, '<', 1 + 4, 'and soon, the next one comes';
		wait_until(sub { !listed($one->{env}) }, 10, 'the queue to be empty');
		$_->{worker}->stop for @other;
	}
	is scalar(() = log_of(@other) =~ /destination default: a message was on its way/g), 2, 'the log says that it may be the same';
	is scalar($slack->titles), 6, 'nothing else came';
};

beside 'a machine that loses its lease before a message leaves that to the next' => sub {
	my $server = postgresql();
	my $slack = standin();
	my ($one, $two) = machines($slack, $server->address('turn'), 2,
		SLACK_WEBHOOK_URL => $slack->url('/drip/0.2'), SLACK_WEBHOOK_URL_ops => undef, FILTER_ops => undef);
	my $door = start_door($one, undef, lonely_door($one->{dir}));
	is $door->request(body => named_batch('a', 3)->{body})->{status}, 200, 'events';
	$server->while_locked('turn.log_stream_event', sub {
		$one->{worker} = start_worker($one);
		$server->wait_for_waiting(1);
		$one->{worker}->signal('STOP'); # or it would be the first to be back
		is $server->cut("wait_event_type = 'Lock'"), 1, 'the session that has the lease is cut over the claim';
		$two->{worker} = start_worker($two);
		$server->wait_for_waiting(1);
		$one->{worker}->signal('CONT');
	});
	wait_until(sub { !listed($two->{env}) }, 10, 'the queue to be empty');
	is scalar($slack->requests), 1, 'one message was sent';
	like log_of($two), qr/outcome=sent/, 'by the one that has the lease now';
};

beside 'status on any machine shows all, and for how long they are silent' => sub {
	plan skip_all => 'only root may give machines names of their own' if !may_name();
	my $server = postgresql();
	my @machine = machines(standin(), $server->address('names'), 2);
	my $status = sub ($machine, @how) {
		my $ended = ctl($machine->{env}, 'status', @how);
		is $ended->{exit}, 0, "status on $machine->{name}" if !@how;
		return @how ? JSON::PP->new->decode($ended->{out}) : $ended->{out};
	};
	my $seen = sub { return { map { $_->{name} => $_ } @{ $status->($machine[1], '--json')->{machines} } } };
	my $is_shown = sub ($machine) { ($seen->()->{ $machine->{name} }{worker_pid} // 0) == $machine->{worker}->pid };
	$_->{worker} = start_worker($_) for @machine;
	wait_until(sub { $is_shown->($machine[0]) && $is_shown->($machine[1]) }, 10, 'both to be shown');
	my $line = sub ($machine, $ago) {
		my $pid = $machine->{worker}->pid;
		return qr/^machine $machine->{name}: process $pid, since [\d-]+ [\d:]+ UTC, seen $ago ago$/m;
	};
	for my $here (@machine) {
		my $said = $status->($here);
		like $said, $line->($_, qr/\ds/), "has $_->{name}" for @machine;
	}
	my $died = $line->($machine[0], qr/(?:[7-9]|\d\d)s/);
	switch_off($machine[0]);
	wait_until(sub { $seen->()->{m1}{silent_ms} > 7000 }, 30, 'the one that died to be silent for longer');
	my $now = $seen->();
	cmp_ok $now->{m2}{silent_ms}, '<', $now->{m1}{silent_ms}, 'the other one is not';
	like $status->($machine[1]), $died, 'of the silent one it says when it was seen';
	$machine[0]{worker} = start_worker($machine[0]);
	wait_until(sub { $is_shown->($machine[0]) }, 10, 'it to be back');
	cmp_ok $seen->()->{m1}{silent_ms}, '<', 7000, 'it is not silent any more';
	$machine[0]{worker}->stop;
	is_deeply [ sort keys %{ $seen->() } ], [ 'm2' ], 'one that is told to stop is no longer shown';
};

finish_beside;
done_testing;
