#!/usr/bin/perl
# A storm, and the account of it afterwards. Batches are posted as Auth0 posts
# them, to receivers on machines that share a queue; meanwhile receivers and
# workers are killed and stopped, machines lose their power, Slack is slow or
# away, and the database is killed, replaced by a standby that lags, or set
# back to a backup. Then things calm down: the receivers run on and get
# nothing more to keep. In the end what was answered ok, and what the database
# that survived was known to hold, is held against what Slack got.
#
# It is not part of make check: make check-storm runs it.
#
# STORM_SECONDS: how long, for each engine; STORM_ENGINES: "sqlite postgresql";
# STORM_SEED: the one that was printed, for the same batches and acts (though
# never the same moments).
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use IO::Handle;
use IO::Socket::INET;
use List::Util qw(max sum0);
use LogStream::Account;
use LogStream::Database;
use LogStream::Ledger;
use LogStream::Machine;
use LogStream::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $seed = $ENV{STORM_SEED} // int rand 1_000_000_000;
my $seconds = $ENV{STORM_SECONDS} // 20;
my @engines = split ' ', $ENV{STORM_ENGINES} // 'sqlite postgresql';

need($_) for qw(hostname sqlite3 unshare);
plan skip_all => 'only root, where it may make namespaces, can make machines'
	if run(cmd => [ need('unshare'), qw(--pid --uts --mount-proc --fork true) ])->{exit};
note "STORM_SEED=$seed STORM_SECONDS=$seconds";

use constant {
	POSTERS => 3,
	INTERVAL => 0.1,	# SLACK_INTERVAL
	RESOLUTION => 0.01,	# of the moment a message came at: a tick
	ANSWER => 30,		# seconds that a request may take
	CALM => 75,		# seconds in which nothing more is delivered
	LULL => 15,		# seconds from one lull to the next, and as many more
};

# What a destination is called at Slack's stand-in.
my %path_of = (default => '/as/one', ops => '/as/two');

#
# Posting
#

# A record that no filter keeps.
my $nothing = '[{"log_id":"nothing","data":{"type":"s","log_id":"nothing"}}]';

# Where a request can go: [ machine, the number of it, socket ].
sub targets ($machines) {
	return map {
		my $number = $_;
		map { [ $machines->[$number], $number, $_ ] } $machines->[$number]->sockets;
	} 0 .. $#$machines;
}

# Posts a batch to any of them, and notes when the request began that was last
# answered ok. Whoever waits for an ok is told by a byte, the machine's number;
# whoever has the lock of the lull alone keeps all from posting.
sub try ($batch, $o, $tally) {
	my ($machine, $number, $socket) = @{ $o->{targets}[rand @{ $o->{targets} }] };
	flock $o->{lull}, LOCK_SH;
	my $began = time;
	my $status = $machine->post($socket, $batch->{body}, ANSWER);
	flock $o->{lull}, LOCK_UN;
	$tally->{"$status"}++;
	return 0 if $status != 200;
	syswrite $o->{tell}, chr $number;
	$batch->{ok} = $began;
	return 1;
}

# Posts until it is answered ok; now and then it gives up, and now and then it
# posts again what was answered so, at once or a while ago.
sub post_on (%o) {
	my (@batch, %tally);
	my $again = sub ($batch) { $tally{again}++; try($batch, \%o, \%tally) };
	open my $lull, '<', $o{lock} or die $!;
	$o{lull} = $lull;
	while (time < $o{end}) {
		my $batch = named_batch("$o{name}b" . @batch, 1 + int rand 4);
		push @batch, $batch;
		while (!try($batch, \%o, \%tally)) {
			last if time > $o{end} || rand > 0.95;
			sleep rand 0.1;
		}
		$again->($batch) if $batch->{ok} && rand > 0.95;
		$again->($batch[rand @batch]) if rand > 0.95;
		sleep rand 0.2;
	}
	return { batches => [ map { { events => $_->{events}, ok => $_->{ok} } } @batch ], tally => \%tally };
}

#
# Slack
#

# A stand-in that can be away: its port stays ours.
sub slack () {
	my $port = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp', ReuseAddr => 1) or die $@;
	my $slack = standin(port => $port->sockport);
	$slack->{kept_port} = $port;
	return $slack;
}

sub leave ($slack) {
	$slack->signal('KILL');
	wait_until(sub { !$slack->alive }, 10, 'Slack to be away');
}

sub come_back ($slack) {
	open my $shown, '>>', "$slack->{dir}/shown" or die $!;
	$slack->launch(1, out => $shown, cmd => [ $^X, srcdir() . '/t/slack-standin', '--port', $slack->port,
		'--record', "$slack->{dir}/record", '--as', "$slack->{dir}/as" ]);
}

my @moods = (
	[ 60, '/drip/0.005' ], [ 10, '/drip/0.03' ], [ 10, '/drip/0.3' ], [ 6, '/status/500/oops' ],
	[ 4, '/status/429/rate_limited?retry_after=1' ], [ 3, '/close' ],
);

sub chosen (@weighted) {
	my $at = rand sum0(map { $_->[0] } @weighted);
	for (@weighted) {
		return $_->[1] if ($at -= $_->[0]) < 0;
	}
}

sub moods ($slack, $mood = undef) {
	$slack->behave($_ =~ s{.*/}{}r, $mood // chosen(@moods)) for values %path_of;
}

#
# The storm: { machines, targets, slack, database, end, told and tell => a pipe,
# lull => a lock, due => [[time, code]], acts => [[time, kind]], switches =>
# [{ time, kind, held }], count => { kind => number } }
#
# An act may have caught a message on its way. A switch put a copy of the
# database in the place of what was there: held is what the copy had.
#

sub later_on ($storm, $delay, $code) {
	push @{ $storm->{due} }, [ time + $delay, $code ];
}

sub run_due ($storm, $all = 0) {
	my $now = time;
	my @due = sort { $a->[0] <=> $b->[0] } grep { $all || $_->[0] <= $now } @{ $storm->{due} };
	$storm->{due} = [ grep { my $d = $_; !grep { $_ == $d } @due } @{ $storm->{due} } ];
	$_->[1]->() for @due;
	return scalar @due;
}

sub act ($storm, $kind) { push @{ $storm->{acts} }, [ time, $kind ] }

# The number of the machine that is the next to answer ok, if one does.
sub next_ok ($storm) {
	my $in = $storm->{told};
	1 while sysread $in, my $old, 65536;
	my $end = time + 2;
	while (time < $end) {
		my $got = sysread $in, my $byte, 1;
		return ord $byte if $got;
		sleep 0.001;
	}
	return int rand @{ $storm->{machines} };
}

sub cut_power ($storm, $machine) {
	return if !$machine->alive;
	act($storm, 'power cut');
	$machine->cut;
	later_on($storm, rand 0.3, sub { $machine->switch_on if !$machine->alive });
}

sub any ($storm, $which) { return map { $_->$which } @{ $storm->{machines} } }

# One process of a kind.
sub victim ($storm, $which) {
	my @pid = any($storm, $which);
	return @pid ? $pid[rand @pid] : ();
}

my %acts = (
	'receiver killed' => [ 25, sub ($storm) {
		my $pid = victim($storm, 'receivers') or return;
		$storm->{count}{'receiver killed'}++ if kill KILL => $pid;
	} ],
	'worker killed' => [ 25, sub ($storm) {
		my $pid = victim($storm, 'workers') or return;
		act($storm, 'worker killed');
		kill KILL => $pid;
	} ],
	'worker stopped' => [ 15, sub ($storm) {
		my $pid = victim($storm, 'workers') or return;
		$storm->{count}{'worker stopped'}++ if kill STOP => $pid;
		later_on($storm, rand() ** 3 * 4, sub { kill CONT => $pid });
	} ],
	'power cut' => [ 20, sub ($storm) {
		my $number = rand > 0.5 ? next_ok($storm) : int rand @{ $storm->{machines} };
		sleep rand 0.02;
		cut_power($storm, $storm->{machines}[$number]);
	} ],
	'Slack away' => [ 3, sub ($storm) {
		my $slack = $storm->{slack};
		return if !$slack->alive;
		$storm->{count}{'Slack away'}++;
		leave($slack);
		later_on($storm, 1, sub { come_back($slack) });
	} ],
);

# A message is on its way, or a second has passed.
sub wait_for_posting ($storm) {
	moods($storm->{slack}, '/drip/0.3');
	eval { wait_until(sub { $storm->{database}->posting }, 1, '') };
}

# Puts a copy in the place of the database.
sub replace ($storm, $copy) {
	cut_power($storm, $_) for $copy->{off} ? @{ $storm->{machines} } : ();
	my ($time, $held) = $copy->{put}->() or return;
	act($storm, $copy->{kind});
	push @{ $storm->{switches} }, { time => $time, held => $held };
}

# That happens some time after the copy was made, while a message is on its way.
my $replace = [ 3, sub ($storm) {
	return if $storm->{replacing};
	my $copy = $storm->{database}->copy or return;
	$storm->{replacing} = 1;
	later_on($storm, rand 3, sub {
		wait_for_posting($storm);
		replace($storm, $copy);
		$storm->{replacing} = 0;
	});
} ];

# What happens to a database by itself.
sub acts_of ($database) {
	return map {
		my ($weight, $kind, $code) = @$_;
		[ $weight, sub ($storm) { act($storm, $kind); $code->() } ];
	} $database->acts;
}

sub rage ($storm) {
	my @choice = (values %acts, $replace, acts_of($storm->{database}));
	my $next = time + rand LULL;
	while (time < $storm->{end}) {
		run_due($storm);
		moods($storm->{slack}) if rand > 0.5;
		chosen(@choice)->($storm);
		sleep rand 0.4;
		next if time < $next;
		lull($storm);
		$next = time + LULL + rand LULL;
	}
	1 while run_due($storm, 1);
}

#
# The calm
#

# Requests that hold nothing to keep, to machines that are on, until nothing
# waits, or nothing has changed for long. Returns what waits then.
sub calm_down ($storm) {
	my $database = $storm->{database};
	my ($waiting, $changed) = (-1, time);
	my $began = $changed;
	moods($storm->{slack}, '/drip/0.005');
	while ($waiting != 0 && time < $changed + CALM) {
		my @target = grep { $_->[0]->alive } @{ $storm->{targets} };
		my ($machine, undef, $socket) = @{ $target[rand @target] };
		my $status = $machine->post($socket, $nothing, ANSWER);
		$storm->{answers}{$status}++;
		my $now = $database->waiting;
		$changed = time if $now != $waiting;
		$waiting = $now;
		sleep 0.5 if $waiting;
	}
	$storm->{longest} = max($storm->{longest} // 0, time - $began);
	return $waiting;
}

sub hold_posters ($storm) {
	until (flock $storm->{lull}, LOCK_EX | LOCK_NB) {
		$_->alive or $_->refuse for @{ $storm->{machines} };
		sleep 0.01;
	}
}

sub release_posters ($storm) { flock $storm->{lull}, LOCK_UN }

# Nothing is posted, nothing waits, and no worker is left.
sub become_idle ($storm) {
	hold_posters($storm);
	calm_down($storm);
	eval { wait_until(sub { !any($storm, 'workers') }, 15, '') };
}

# No poster posts for a while: what the last act left behind has to be sent
# without anything new. That act is that all machines lose their power, right
# after an ok or when they were idle, or that the database is replaced by a
# copy in which events wait, or both. Some machines do not come back before all
# is sent.
sub lull ($storm) {
	my @machine = @{ $storm->{machines} };
	1 while run_due($storm, 1);
	$storm->{count}{lull}++;
	moods($storm->{slack}, '/drip/0.3');
	next_ok($storm);
	my $copy = rand > 0.5 ? $storm->{database}->copy : undef;
	become_idle($storm) if rand > 0.5;
	cut_power($storm, $_) for @machine;
	hold_posters($storm);
	replace($storm, $copy) if $copy;
	$storm->{due} = [];
	my @on = sort { $a->name cmp $b->name } grep { rand > 0.5 } @machine;
	@on = $machine[rand @machine] if !@on;
	$_->alive || $_->switch_on for @on;
	$storm->{standing} += calm_down($storm);
	release_posters($storm);
	$_->alive || $_->switch_on for @machine;
}

#
# The account
#

# The first few of a list, for a person.
sub few (@all) { return join ', ', splice @all, 0, 8 }

sub audit ($storm, $batches) {
	my ($switches, $acts) = @$storm{qw(switches acts)};
	my ($expected, $never) = expected($batches, [ keys %path_of ], $switches);
	my $left = states($storm->{database}->rows);
	my @all = messages($storm->{slack});
	my %figure = (never => $never, accepted => sum0(map { scalar @{ $_->{events} } } grep { $_->{ok} } @$batches));
	my (%sent, @lost, @unsent, @strange, @again, @soon);
	my %posted = map { $_ => 1 } map { @{ $_->{events} } } @$batches;
	for my $name (sort keys %path_of) {
		my @post = grep { $_->{path} eq $path_of{$name} } @all;
		my @message = sort { $a->{arrived} <=> $b->{arrived} } grep { $_->{status} == 200 } @post;
		$sent{"$_ $name"} = 1 for map { @{ $_->{events} } } @message;
		my ($repeated, $times) = repeated($name, \@message, $switches);
		push @again, map { "$_->[2] at " . sprintf '%.3f', $_->[1] } unexplained($repeated, $acts);
		my ($soon, $excused) = too_soon(\@post, INTERVAL - RESOLUTION, $switches);
		push @soon, @$soon;
		$figure{messages} += @message;
		$figure{repeated} += @$repeated;
		$figure{repeats} += $times;
		$figure{soon_excused} += $excused;
	}
	for (sort keys %$expected) {
		next if $sent{$_} || ($left->{$_} // 2) < 2;
		push @{ exists $left->{$_} ? \@unsent : \@lost }, $_;
	}
	@unsent = (@unsent, grep { $left->{$_} == 2 && !$sent{$_} && !$expected->{$_} } sort keys %$left);
	@strange = grep { !$posted{ s/ .*//r } } sort keys %sent, keys %$left;
	$figure{aside} = grep { $_ == 1 } values %$left;
	$figure{warned} = sum0(map { scalar(() = $_->log =~ /a message was on its way/g) } @{ $storm->{machines} });
	$figure{left_alone} = sum0(map { scalar(() = $_->log =~ /left-alone/g) } @{ $storm->{machines} });

	is $storm->{standing}, 0, 'nothing stands still: what waits is sent without anything new';
	is scalar @lost, 0, 'nothing is lost of what the surviving database held' or diag few(@lost);
	is scalar @unsent, 0, 'nothing is marked delivered that Slack never got' or diag few(@unsent);
	is scalar @strange, 0, 'nothing was sent that nobody posted' or diag few(@strange);
	is scalar @again, 0, 'what came twice was on its way at a kill, a message for each' or diag few(@again);
	is scalar @soon, 0, 'no message came before the interval was over' or diag few(@soon);
	is $figure{aside}, 0, 'nothing was set aside';
	ok $storm->{database}->is_sound, 'the database is sound';
	is_deeply [ objections($storm->{slack}) ], [], 'Slack had nothing to object to';
	$figure{lost} = @lost;
	$figure{unsent} = @unsent;
	$figure{unexplained} = @again;
	$figure{soon} = @soon;
	return \%figure;
}

sub counted (@kinds) {
	my %count;
	$count{$_}++ for @kinds;
	return map { "$_: $count{$_}" } sort keys %count;
}

sub show ($storm, $engine, $figure, $tally) {
	my $count = $storm->{count};
	note join "\n", "the storm on $engine: $seconds s",
		'acts: ' . join(', ', counted(map { $_->[1] } @{ $storm->{acts} }), map { "$_: $count->{$_}" } sort keys %$count),
		'answers: ' . join(', ', map { "$_: $tally->{$_}" } sort keys %$tally),
		sprintf('accepted: %d events; %d messages', @$figure{qw(accepted messages)}),
		sprintf('standing still: %d (of all calms the longest took %.0f s)', @$storm{qw(standing longest)}),
		sprintf('lost of what the surviving copy held: %d (never had, for one destination each: %d)', @$figure{qw(lost never)}),
		sprintf('marked delivered unsent: %d', $figure->{unsent}),
		sprintf('repeated: %d messages for %d kills, cuts and switches, %d of them unexplained; warned of: %d; %d events with those that a copy did not know',
			$figure->{repeated}, scalar @{ $storm->{acts} }, @$figure{qw(unexplained warned repeats)}),
		sprintf('too soon: %d (and %d after a switch)', @$figure{qw(soon soon_excused)}),
		sprintf('set aside: %d; rows left alone: %d', @$figure{qw(aside left_alone)});
}

sub settings_of ($database, $slack) {
	return sub ($dir) {
		return { settings($dir, $slack->url($path_of{default}), QUEUE => $database->address, LOG => "$dir/log",
			FILTER => 'failure', SLACK_WEBHOOK_URL_ops => $slack->url($path_of{ops}), FILTER_ops => 'failure',
			SLACK_INTERVAL => INTERVAL * 1000 . 'ms', STATE_DIRECTORY => $dir) };
	};
}

sub begin ($database) {
	my $slack = slack();
	my ($count, $doors) = $database->machines;
	my @machine = map { machine(name => "m$_", doors => $doors, env => settings_of($database, $slack)) } 1 .. $count;
	my $lock = spew(tempdir() . '/lull', '');
	open my $lull, '<', $lock or die $!;
	pipe my $told, my $tell or die $!;
	$_->blocking(0) for $told, $tell;
	moods($slack);
	$_->switch_on for @machine;
	return { machines => \@machine, targets => [ targets(\@machine) ], slack => $slack, database => $database,
		end => time + $seconds, told => $told, tell => $tell, lock => $lock, lull => $lull, due => [], acts => [],
		switches => [], count => {}, standing => 0 };
}

sub begin_posters ($storm) {
	return map {
		my $number = $_;
		later(sub {
			srand $seed + $number;
			post_on(name => "p$number", end => $storm->{end} + 1,
				map { $_ => $storm->{$_} } qw(lock targets tell));
		});
	} 1 .. POSTERS;
}

# The last moment: all is cut right after an ok, and whatever takes the place
# of the workers is killed once nothing is posted any more.
sub finish ($storm, @poster) {
	next_ok($storm);
	sleep rand 0.02;
	cut_power($storm, $_) for @{ $storm->{machines} };
	1 while run_due($storm, 1);
	my @done = posted(map { $_->() } @poster);
	for (any($storm, 'workers')) {
		act($storm, 'worker killed');
		kill KILL => $_;
	}
	$storm->{standing} += calm_down($storm);
	return @done;
}

sub storm ($engine) {
	srand $seed;
	my $database = database($engine);
	my $storm = begin($database);
	my @poster = begin_posters($storm);
	rage($storm);
	my ($batches, $tally) = finish($storm, @poster);
	is scalar(grep { $_->alive } @{ $storm->{machines} }), @{ $storm->{machines} }, 'the machines are on';
	is_deeply [ keys %{ $storm->{answers} } ], [ 204 ], 'receivers answer in the calm' or diag explain $storm->{answers};
	my $figure = audit($storm, $batches);
	cmp_ok $figure->{accepted}, '>=', 2 * $seconds, 'events were accepted';
	cmp_ok scalar @{ $storm->{acts} }, '>=', $seconds / 3, 'it was a storm';
	show($storm, $engine, $figure, $tally);
	show_why($storm) if !Test::More->builder->is_passing;
	$_->stop for @{ $storm->{machines} };
	$database->stop;
}

# What helps whoever has to find out why.
sub show_why ($storm) {
	diag "STORM_SEED=$seed STORM_SECONDS=$seconds";
	my $kept = $ENV{STORM_KEEP} or return;
	for (@{ $storm->{machines} }) {
		spew("$kept/" . $_->name . '.log', $_->log);
		spew("$kept/" . $_->name . '.stderr', slurp($_->dir . '/stderr'));
	}
	spew("$kept/slack", slurp("$storm->{slack}{dir}/record"));
	spew("$kept/acts", join '', map { sprintf "%.3f %s\n", @$_ } sort { $a->[0] <=> $b->[0] } @{ $storm->{acts} });
	spew("$kept/switches", join '', map { sprintf "%.3f\n%s", @$_{qw(time held)} } @{ $storm->{switches} });
	spew("$kept/rows", $storm->{database}->rows);
}

subtest 'the account tells what is wrong' => sub {
	my @batch = ({ events => [ 'a.1', 'a.2' ], ok => 10 }, { events => [ 'b.1' ], ok => 20 }, { events => [ 'c.1' ] });
	my ($knows, $waits) = map { { time => 15, held => "a.1|default|$_\n" } } 2, 0;
	my ($expected, $never) = expected(\@batch, [ 'default' ], [ $knows ]);
	is_deeply [ sort keys %$expected ], [ 'a.1 default', 'b.1 default' ], 'what a copy had is expected, and what came later';
	is $never, 1, 'what it never had is not';

	my @message = map { { arrived => $_, events => [ 'a.1' ] } } 11, 12, 16;
	my ($repeated) = repeated('default', \@message, [ $knows ]);
	is scalar @$repeated, 2, 'a message that came again is found';
	is scalar(unexplained($repeated, [ [ 11.5, 'worker killed' ] ])), 1, 'a kill explains one';
	is scalar(unexplained($repeated, [ [ 17, 'worker killed' ] ])), 2, 'a later one none';
	($repeated) = repeated('default', \@message, [ $waits ]);
	is scalar @$repeated, 1, 'where the copy did not know of the first, the second is its own';

	my @post = map { { arrived => $_ } } 11, 11.05, 12;
	is_deeply [ too_soon(\@post, 0.1, []) ], [ [ '11.050: 50 ms' ], 0 ], 'a post that came too soon is found';
	is_deeply [ too_soon(\@post, 0.1, [ { time => 11.02 } ]) ], [ [], 1 ], 'but for one after a switch';
};

my %engine = (sqlite => 'SQLite', postgresql => 'PostgreSQL');

for my $name (@engines) {
	my $title = $engine{$name} // BAIL_OUT("STORM_ENGINES: \"$name\" is none of: @{[ sort keys %engine ]}");
	subtest "a storm on $title" => sub {
		plan skip_all => 'the programs were built without PostgreSQL'
			if $name eq 'postgresql' && ($ENV{CI} // '') ne 'true' && ctl({}, 'schema')->{exit};
		storm($name);
	};
}

done_testing;
