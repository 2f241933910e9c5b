#!/usr/bin/perl
# The queue after a power cut. strace records what doors and a worker write,
# and when they sync and answer; from that the files are made again as a disk
# may hold them when the power fails at any moment, and opened: what was
# answered ok has to be there, and what was settled has to stay so.
#
# A disk that is true to its word keeps what a file held when it was last
# synced. Of each later write it may hold nothing, the first sectors or all,
# whatever it holds of the others; a later truncation may be undone. That a
# file was created is kept once it, or its directory, is synced; a deletion
# once the directory is. So does ext4, by and large; this one is worse.
#
# POWER_STATES: how many to try at a moment; POWER_SEED: the one a failure
# printed.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

# The disk's own slowness is no part of this.
BEGIN { $ENV{TMPDIR} //= '/dev/shm' if -d '/dev/shm' && -w _ }

use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::MD5 qw(md5);
use LogStream::Ledger;
use LogStream::Test qw(cgi ctl_path need run slurp spew standin tempdir);
use List::Util qw(max);
use Test::More;

need('strace');
need('sqlite3');

use constant SECTOR => 512;

my $per_moment = $ENV{POWER_STATES} // 6;
my $seed = $ENV{POWER_SEED} // int rand 1_000_000_000;
note "POWER_SEED=$seed";

my $slack = standin();
my $place = tempdir();
my $door = lonely_door($place);

#
# Recording: a list of steps, each [ what, file, ... ]
#

my @calls = qw(openat pwrite64 write ftruncate ?ftruncate64 fdatasync fsync unlink rename sendto ?send);

# Bytes that strace -xx printed.
sub plain ($text) { return $text =~ s/\\x(..)/chr hex $1/ger }

# The descriptor's path, and the strings and numbers after it.
sub arguments ($args) {
	my ($path) = $args =~ /^(?:\w+<([^>]*)>)?/;
	my @string = map { plain($_) } $args =~ /"([^"]*)"/g;
	my @number = $args =~ /(?<=, )(\d+)(?=,|\z)/g;
	return (plain($path // ''), \@string, \@number);
}

# The steps of one call. Calls that strace kept from happening (INJECTED), and
# those that failed, changed nothing. $marks gives what is said by a write to
# somebody else.
sub steps ($dir, $call, $marks) {
	my ($path, $string, $number) = arguments($call->{args});
	my $done = $call->{result} >= 0 && $call->{note} !~ /INJECTED/;
	my $file = sub ($of) { $of =~ m{^\Q$dir\E/(q\.db(?:-journal|-wal)?)\z} ? $1 : undef };
	my $own = $file->($path);
	my $name = $call->{name};

	return () if !$done;
	if ($name eq 'openat') {
		my $opened = $file->($string->[0] =~ m{^/} ? $string->[0] : "$path/$string->[0]");
		return $opened && $call->{args} =~ /O_CREAT/ ? [ create => $opened ] : ();
	}
	return $file->($string->[0]) ? [ unlink => $file->($string->[0]) ] : () if $name eq 'unlink';
	die "a rename: $call->{args}" if $name eq 'rename' && grep { $file->($_) } @$string;
	return $marks->($string->[0]) if !$own && $name =~ /^(?:write|send(?:to)?)$/;
	return [ 'sync_directory' ] if $path eq $dir && $name =~ /sync$/;
	return () if !$own;
	return [ sync => $own ] if $name =~ /sync$/;
	return [ truncate => $own, $number->[-1] ] if $name =~ /^ftruncate/;
	return [ write => $own, $number->[-1], substr $string->[0], 0, $call->{result} ]
		if $name eq 'pwrite64';
	die "not understood: $name($call->{args}";
}

# Runs a program under strace, and returns what it did in $dir.
sub record ($dir, $marks, $options, $code) {
	my $report = "$dir/calls";
	$code->(strace($report, [ '-y', '-xx', '-s', 10_000_000, @$options,
		'-e', 'trace=' . join ',', @calls ]));
	return map { steps($dir, $_, $marks) } calls($report);
}

# Puts batches by doors, and settles them by a worker; returns the steps and
# the batches. A batch is answered where [ answered => name ] stands; all that
# was in messages before [ settled => [events] ] must not be sent again.
sub history ($dir, $batches, $more, @options) {
	my %env = (settings($dir, $slack->url('/services/T0/B0/' . $dir =~ s/.*\W//r)), %$more);
	my (@step, @sent);
	for my $batch (@$batches) {
		my $answer;
		push @step, record($dir, sub ($said) {
			$said =~ /^Status: 200 / ? [ answered => $batch->{name} ] : ();
		}, \@options, sub (@strace) {
			$answer = cgi(env => \%env, body => $batch->{body}, cmd => [ @strace, $door ]);
		});
		$answer->{status} == 200 or die "$answer->{status} $answer->{body} $answer->{err}";
	}
	my $ended;
	push @step, record($dir, sub ($said) {
		return () if $said !~ /"attachments":/;
		my @before = @sent;
		push @sent, $said =~ /"title":"([\w.]+) \[type: f\]"/g;
		return [ settled => \@before ];
	}, \@options, sub (@strace) {
		$ended = run(env => \%env, cmd => [ @strace, ctl_path(), 'drain' ], timeout => 60);
	});
	die "drain: $ended->{exit} $ended->{err}" if $ended->{exit};
	return (@step, [ settled => \@sent ]);
}

#
# The disk
#
# { name => { kept => how many of its versions are history, now => the bytes
# of each: undef: no such file } }; a version is { synced, later => [steps] }.
#

sub take_step ($disk, $what, $name = undef, @rest) {
	if ($what eq 'sync_directory') {
		$_->{kept} = $#{ $_->{versions} } for values %$disk;
		return;
	}
	my $file = $disk->{$name} //= { kept => 0, versions => [ undef ] };
	my $now = $file->{versions}[-1];
	if ($what eq 'create') {
		push @{ $file->{versions} }, { synced => '', later => [] } if !$now;
	} elsif ($what eq 'unlink') {
		push @{ $file->{versions} }, undef;
	} elsif ($what eq 'sync') {
		$now->{synced} = content($now, sub { 1 });
		$now->{later} = [];
		$file->{kept} = $#{ $file->{versions} };
	} else {
		push @{ $now->{later} }, [ $what, @rest ];
	}
}

# What a version holds when of the later steps those remain that $luck grants:
# 1 all of it, 0 nothing, in between a part.
sub content ($version, $luck) {
	my $bytes = $version->{synced};
	for (@{ $version->{later} }) {
		my ($what, $at, $data) = @$_;
		my $share = $luck->();
		if ($what eq 'truncate') {
			next if $share < 1;
			substr($bytes, $at) = '' if $at < length $bytes;
			next;
		}
		my $length = length $data;
		$length = max(0, SECTOR * int(($at + $length * $share) / SECTOR) - $at) if $share < 1;
		next if !$length;
		$bytes .= "\0" x ($at - length $bytes) if length $bytes < $at;
		substr($bytes, $at, $length) = substr $data, 0, $length;
	}
	return $bytes;
}

# The files as they may be after a cut now: name => bytes.
sub after_cut ($disk, $luck) {
	my %found;
	for my $name (sort keys %$disk) {
		my ($kept, $versions) = @{ $disk->{$name} }{qw(kept versions)};
		my $version = $versions->[ $kept + int rand(@$versions - $kept) ];
		$found{$name} = content($version, $luck) if $version;
	}
	return \%found;
}

# Sorts of luck: all that was not synced is lost; or each with some chance.
sub lucks () {
	my $chance = (0.1, 0.5, 0.9)[rand 3];
	return (sub { 0 }, map {
		sub { my $r = rand; return $r < $chance ? 1 : $r < $chance + 0.1 ? rand : 0 }
	} 2 .. $per_moment);
}

#
# Trying states
#

# Every state that a cut may leave, once: { files, answered => { batch => 1 },
# settled => { event => 1 }, moment }; and what all is without a cut.
sub states (@step) {
	srand $seed;
	my (%disk, %answered, %settled, %seen, @state);
	my $moment = 0;
	for (@step) {
		my ($what, @rest) = @$_;
		$moment++;
		if ($what eq 'answered') {
			$answered{ $rest[0] } = 1;
		} elsif ($what eq 'settled') {
			@settled{ @{ $rest[0] } } = (1) x @{ $rest[0] };
		} else {
			take_step(\%disk, @$_);
		}
		my $promised = keys(%answered) . ' ' . keys %settled;
		for my $luck (lucks()) {
			my $files = after_cut(\%disk, $luck);
			next if $seen{ md5 join "\0", $promised, map { $_, $files->{$_} } sort keys %$files }++;
			push @state, { files => $files, answered => { %answered }, settled => { %settled },
				moment => "step $moment ($what " . ($rest[0] // '') . ')' };
		}
	}
	srand;
	return \@state, after_all(\%disk);
}

sub after_all ($disk) {
	return { map {
		my $now = $disk->{$_}{versions}[-1];
		$now ? ($_ => content($now, sub { 1 })) : ();
	} keys %$disk };
}

# What is wrong with each: { unsound, lost, partial, unsettled }, and where.
sub judge ($states, $batches) {
	return in_parts(2, $states, sub ($part, @mine) {
		my @wrong;
		while (my @some = splice @mine, 0, 60) {
			my @db = map {
				my $dir = tempdir();
				my $files = $_->{files};
				spew("$dir/$_", $files->{$_}, 0600) for keys %$files;
				"$dir/q.db";
			} @some;
			my @found = inspect(@db);
			push @wrong, map { wrong_with($some[$_], $found[$_], $batches) } 0 .. $#some;
			unlink map { ($_, "$_-journal", "$_-wal", "$_-shm") } @db;
		}
		return @wrong;
	});
}

sub wrong_with ($state, $found, $batches) {
	my $there = $found->{events};
	my @lost = grep { !$there->{$_} } map { @{ $_->{events} } }
		grep { $state->{answered}{ $_->{name} } } @$batches;
	my @unsettled = grep { $there->{$_} && $there->{$_}[0] != 2 } sort keys %{ $state->{settled} };
	my @partial = partial($batches, [ keys %$there ]);
	my @wrong = (
		$found->{sound} ne 'ok' ? "unsound: $found->{sound}" : (),
		@lost ? "lost: @lost" : (),
		@partial ? "in part: @partial" : (),
		@unsettled ? "not settled: @unsettled" : (),
	);
	return map { "$state->{moment}: $_" } @wrong;
}

# A sample is opened by our program, which has to find what SQLite's shell does.
sub differences ($states, $batches, $more) {
	my @sample = grep { $_->{answered}{ $batches->[0]{name} } } @$states[ map { $_ * 12 } 0 .. $#$states / 12 ];
	return in_parts(2, \@sample, sub ($part, @mine) { map {
		my $files = $_->{files};
		my ($ours, $theirs) = map { my $dir = tempdir(); spew("$dir/$_", $files->{$_}, 0600)
			for keys %$files; $dir } 1, 2;
		my $listed = eval {
			join ' ', sort(listed({ settings($ours, 'http://127.0.0.1:9/'), %$more }));
		} // $@;
		my ($found) = inspect("$theirs/q.db");
		my $waiting = join ' ', sort grep { $found->{events}{$_}[0] == 0 } keys %{ $found->{events} };
		$listed eq $waiting ? () : "$_->{moment}: listed: $listed; there: $waiting";
	} @mine });
}

sub batches () { return [ map { named_batch("b$_", 1 + $_ * 2) } 1 .. 5 ] }

sub run_true ($more, $journal) {
	my $dir = tempdir();
	my $batches = batches();
	my @step = history($dir, $batches, $more);
	ok scalar(grep { $_->[0] eq 'write' && $_->[1] =~ $journal } @step), 'it keeps a journal';
	my ($states, $last) = states(@step);
	is_deeply [ sort keys %$last ], [ sort map { -e "$dir/$_" ? $_ : () } qw(q.db q.db-journal q.db-wal) ],
		'the model has the files that there are';
	ok !(grep { $last->{$_} ne slurp("$dir/$_") } keys %$last), 'and their bytes';
	my @wrong = judge($states, $batches);
	is_deeply [ splice @wrong, 0, 5 ], [], 'every state is sound and holds what was promised';
	is_deeply [ differences($states, $batches, $more) ], [], 'our program finds what SQLite finds';
	cmp_ok scalar(@$states), '>', 200, 'there were states enough';
	note scalar(@step), ' steps, ', scalar(@$states), ' states';
}

subtest 'a power cut at any moment loses nothing that was answered ok' => sub {
	run_true({}, qr/^q\.db-(?:journal|wal)$/);
};

subtest 'nor does it with a write-ahead log' => sub {
	my %shim = wal_shim();
	plan skip_all => 'there is no way to pretend to a newer SQLite' if !%shim;
	run_true(\%shim, qr/^q\.db-wal$/);
};

subtest 'a disk that is told of no sync is found out' => sub {
	my @kind = ('lost', 'in part', 'not settled', 'unsound');
	my @wrong;
	# Which states there are is not the same each time.
	for (1 .. 4) {
		my $batches = batches();
		my ($states) = states(history(tempdir(), $batches, {}, '-e', 'inject=fdatasync,fsync:retval=0'));
		push @wrong, judge($states, $batches);
		note scalar(@wrong), ' complaints of ', scalar(@$states), ' states';
		last if !grep { my $kind = $_; !grep { /: $kind: / } @wrong } @kind;
	}
	for my $kind (@kind) {
		cmp_ok scalar(grep { /: $kind: / } @wrong), '>', 0, $kind;
	}
};

# A journal that is deleted may be there again, and undo what it is the journal
# of. Our program keeps none of that sort, so SQLite's shell has to.
subtest 'a journal that is deleted and not truncated is found out' => sub {
	my $dir = tempdir();
	my $batches = batches();
	my @step;
	for my $batch (@$batches) {
		my $values = join ', ', map { "('$_', 0, 0)" } @{ $batch->{events} };
		push @step, record($dir, sub { () }, [], sub (@strace) {
			my $ended = run(cmd => [ @strace, need('sqlite3'), '-init', '/dev/null', "$dir/q.db", <<"END" ]);
PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS event (log_id, state, tries); INSERT INTO event VALUES $values;
END
			die $ended->{err} if $ended->{exit};
		}), [ answered => $batch->{name} ];
	}
	my ($states) = states(@step);
	my @wrong = judge($states, $batches);
	cmp_ok scalar(grep { /: lost: / } @wrong), '>', 0, 'lost';
	is scalar(grep { /: unsound: / } @wrong), 0, 'though it stays sound';
	note scalar(@wrong), ' complaints of ', scalar(@$states), ' states';
};

done_testing;
