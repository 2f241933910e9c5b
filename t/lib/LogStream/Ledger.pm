# What the tests of the queue's promises share: batches whose events are known
# by name, who posts them and where each ended, and the system calls of our
# programs. It knows the queue's files and tables, and nothing of how they are
# written.
#
# An event's name is its log_id and its description, so that a message tells
# by its titles which events it holds. Events of a batch are numbered from 1:
# "a.1" to "a.3" is batch "a".
package LogStream::Ledger;

use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Carp qw(croak);
use Exporter qw(import);
use JSON::PP ();
use LogStream::Test qw(ctl door_path later need run slurp spew tempdir);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(named_batch batch_of poster posted partial messages objections account listed inspect
	copied_door lonely_door programs_in settings strace calls journal_of wal_shim in_parts);

# A complaint names the line of the test script.
$Carp::Internal{+__PACKAGE__}++;

#
# Events
#

# { name, events => [names], body => what Auth0 posts }
sub named_batch ($name, $count) {
	my @event = map { "$name.$_" } 1 .. $count;
	my @record = map { { log_id => $_, data => { type => 'f', log_id => $_, description => $_ } } } @event;
	return { name => $name, events => \@event, body => JSON::PP->new->encode(\@record) };
}

sub batch_of ($event) { return $event =~ s/\.\d+\z//r }

# The batches of which some events are among those named and some are not.
sub partial ($batches, $present) {
	my %present = map { $_ => 1 } @$present;
	return map { $_->{name} } grep {
		my $count = grep { $present{$_} } @{ $_->{events} };
		$count != 0 && $count != @{ $_->{events} };
	} @$batches;
}

# Posts a batch as Auth0 does, until it is taken; now and then it gives up, or
# posts again what was taken. $batch->{ok}: it was answered so, once at least.
sub post ($batch, $tally, %o) {
	my $doors = $o{doors};
	for (1 .. 200) {
		return if time > $o{end} + 15;
		my $answer = eval {
			$doors->[rand @$doors]->request(body => $batch->{body}, timeout => 10);
		} // { status => 0 };
		$tally->{"status $answer->{status}"}++;
		if ($answer->{status} == 200) {
			$batch->{ok} = 1;
			return if rand > 0.1;
			$tally->{again}++;
		} elsif (!$batch->{ok}) {
			return if rand > 0.9;
			sleep rand $o{patience};
		} else {
			return;
		}
	}
}

# One of several that post at the same time, to any of these doors: poster(
# name => 'p1', seed => a number, doors => [], end => time, rest => most seconds
# between two batches, patience => between two tries of one): { batches, tally }.
sub poster (%o) {
	my (@batch, %tally);
	srand $o{seed};
	while (time < $o{end}) {
		push @batch, named_batch("$o{name}b" . @batch, 1 + int rand 12);
		post($batch[-1], \%tally, %o);
		sleep rand $o{rest};
	}
	delete $_->{body} for @batch;
	return { batches => \@batch, tally => \%tally };
}

# What all posters did: their batches, and their tallies in one.
sub posted (@done) {
	my %tally;
	for my $done (@done) {
		$tally{$_} += $done->{tally}{$_} for keys %{ $done->{tally} };
	}
	return ([ map { @{ $_->{batches} } } @done ], \%tally);
}

# Holds the batches against the messages that a destination took and the events
# that are listed for it: { lost, strange, partial => names of what was answered
# ok and is nowhere, of what nobody posted, of batches in part; again => events
# that came more than once; repeated => how many messages were sent twice }.
sub account ($batches, $messages, $listed) {
	my %posted = map { $_ => 1 } map { @{ $_->{events} } } @$batches;
	my %times;
	$times{$_}++ for map { @{ $_->{events} } } @$messages;
	my %there = map { $_ => 1 } keys %times, @$listed;

	# A message that was on its way at a kill is one whose events came again.
	my %left = %times;
	my $repeated = 0;
	for my $message (@$messages) {
		$left{$_}-- for @{ $message->{events} };
		$repeated++ if grep { $left{$_} } @{ $message->{events} };
	}
	return {
		lost => [ grep { !$there{$_} } map { @{ $_->{events} } } grep { $_->{ok} } @$batches ],
		strange => [ grep { !$posted{$_} } sort keys %there ],
		partial => [ partial($batches, [ keys %there ]) ],
		again => scalar(grep { $_ > 1 } values %times),
		repeated => $repeated,
	};
}

# The environment of a program with a queue in $dir and Slack at $url.
sub settings ($dir, $url, %more) {
	return (QUEUE => "sqlite:$dir/q.db", SLACK_WEBHOOK_URL => $url, DIGEST_AFTER => '0',
		SLACK_INTERVAL => '5ms', SLACK_RETRY_MAX => '1s', SLACK_TIMEOUT => '5s', %more);
}

# What Slack was sent: a hash for each message, of path, status, events and
# when it arrived. One that was cut Slack cannot have taken; it is left out.
# The record is searched and not parsed, because JSON::PP is slow.
sub messages ($slack) {
	return map {
		my ($path) = /"path":"([^"]*)"/;
		my ($status) = /"status":(\d+)/;
		my ($arrived) = /"arrived":"?([\d.]+)/;
		{ path => $path, status => $status // 0, arrived => $arrived, events => [ /"title":"([\w.]+) \[type: f\]"/g ] };
	} grep { !/"the body is cut, or has no Content-Length"/ } $slack->lines;
}

# What Slack had to object to in what was sent it whole: a worker that is
# killed may cut a message.
sub objections ($slack) {
	return grep { !/"problems":\[\]/ && !/"the body is cut, or has no Content-Length"/ } $slack->lines;
}

# The events that log-stream-ctl lists, each as often as it stands there:
# "name" or, with several destinations, "name destination".
sub listed ($env, $with_destination = 0) {
	my $ended = ctl({ timeout => 60, %$env }, 'list', '--json');
	croak "list ended with $ended->{exit}: $ended->{err}" if $ended->{exit} || $ended->{signal};
	return map {
		my $row = JSON::PP::decode_json($_);
		$with_destination ? "$row->{id} $row->{destination}" : $row->{id};
	} split /\n/, $ended->{out};
}

# Opens databases with SQLite's own shell: for each { sound => what
# quick_check says, events => { name => [ state, tries ] }, doubles }. One that
# has no tables yet holds no events. A journal left there is played back.
sub inspect (@db) {
	my $script = join '', map { <<"END" } 0 .. $#db;
.open "$db[$_]"
.print #$_
PRAGMA quick_check(1);
CREATE TABLE IF NOT EXISTS event (log_id, state, tries);
SELECT 'event', log_id, state, tries FROM event;
END
	my $ended = run(cmd => [ need('sqlite3'), '-batch', '-list', '-init', '/dev/null', ':memory:' ],
		stdin => $script, timeout => 60);
	my (undef, %part) = split /^#(\d+)\n/m, $ended->{out}, -1;
	return map {
		my ($sound, @row) = split /\n/, $part{$_} // '';
		my %state = (sound => $sound // 'unreadable', events => {}, doubles => 0);
		for (@row) {
			my ($kind, $name, @value) = split /\|/;
			next if $kind ne 'event' || !@value;
			$state{doubles}++ if $state{events}{$name};
			$state{events}{$name} = \@value;
		}
		\%state;
	} 0 .. $#db;
}

#
# Programs
#

# A copy of the door that looks for a worker beside it, and nowhere else: one
# may be installed where the door was built to look for it.
sub copied_door ($file) {
	my $door = slurp(door_path());
	$door =~ s{(/[^\0]*)(?=/log-stream-ctl\0)}{$1 =~ tr/A-Za-z/_/r}e or croak 'no $bindir in the door';
	return spew($file, $door, 0755);
}

# One in $dir that believes that it starts workers, and starts none: what it
# queues stays there.
sub lonely_door ($dir) {
	spew("$dir/log-stream-ctl", "#!/bin/sh\nexit 0\n", 0755);
	return copied_door("$dir/log-stream-to-slack");
}

# The processes that work in this directory, whoever started them: a worker
# keeps the directory of its door. $name: those of a program of ours alone.
sub programs_in ($dir, $name = undef) {
	return grep {
		(readlink "/proc/$_/cwd" // '') eq $dir
			&& (!$name || (eval { slurp("/proc/$_/cmdline") } // '') =~ m{\Q$name\E\0})
	} map { m{(\d+)\z} } glob '/proc/[1-9]*';
}

# "wal" or "journal": what SQLite has beside this file, by its header (SQLite,
# "Database File Format", 1.3).
sub journal_of ($db) { return ord(substr slurp($db), 18, 1) == 2 ? 'wal' : 'journal' }

# What makes a program believe that SQLite is new enough for a write-ahead log:
# an addition to its environment, or nothing where it cannot be had. SQLite has
# that log at every version; the loss that keeps us from it takes two writers
# at the same moment.
sub wal_shim () {
	my $dir = tempdir();
	spew("$dir/shim.c", "int sqlite3_libversion_number(void) { return 3999000; }\n");
	my ($cc) = grep { -x } map { my $path = $_; map { "$path/$_" } qw(cc gcc clang) }
		split /:/, $ENV{PATH};
	return () if !$cc || $ENV{LD_PRELOAD};
	my $made = run(cmd => [ $cc, '-shared', '-fPIC', '-o', "$dir/shim.so", "$dir/shim.c" ]);
	chmod 0755, $dir; # another user may run it
	return $made->{exit} ? () : (LD_PRELOAD => "$dir/shim.so");
}

# The command line of strace for a program, its report going to a file. A
# leak check does not work under it.
sub strace ($report, $options, @cmd) {
	return (need('strace'), '-o', $report, @$options, '-E',
		'ASAN_OPTIONS=' . join(':', $ENV{ASAN_OPTIONS} // (), 'detect_leaks=0'), @cmd);
}

# What strace (-y) reported: for each call { name, turn => the how manieth of
# this name, args => text as printed, result, note => what follows it }.
sub calls ($report) {
	my (%turn, @call);
	open my $in, '<:raw', $report or croak "$report: $!";
	while (<$in>) {
		my ($name, $args, $result, $note) = /^(\w+)\((.*)\)\s+= (-?\d+|\?)(.*)$/ or next;
		push @call, { name => $name, turn => ++$turn{$name}, args => $args,
			result => $result, note => $note };
	}
	return @call;
}

# Splits a list over processes and returns their results, references, as one
# list. Each gets its part and its number, and chance of its own: with that of
# another it would find the names of its directories taken.
sub in_parts ($parts, $items, $code) {
	my @waiting = map {
		my $part = $_;
		my @item = @$items[ grep { $_ % $parts == $part } 0 .. $#$items ];
		later(sub { srand; [ $code->($part, @item) ] });
	} 0 .. $parts - 1;
	return map { @{ $_->() } } @waiting;
}

1;
