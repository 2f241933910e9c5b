#!/usr/bin/perl
# Nothing is lost when doors and workers are killed at any moment: several of
# each are, with kill -9, while batches come in and messages go out; then what
# was answered is held against what Slack got.
#
# CRASH_SECONDS: how long; CRASH_SEED: the one that a failure printed, for the
# same batches and victims (though never the same moments).
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Ledger;
use LogStream::Test qw(ctl ctl_path door_path fastcgi kill later need process slurp spew standin
	tempdir);
use Test::More;
use Time::HiRes qw(sleep time);

need('sqlite3');

use constant { DOORS => 3, WORKERS => 2, POSTERS => 3 };

my $seed = $ENV{CRASH_SEED} // int rand 1_000_000_000;
my $seconds = $ENV{CRASH_SECONDS} // 9;
note "CRASH_SEED=$seed CRASH_SECONDS=$seconds";
srand $seed;

my $dir = tempdir();
my $slack = standin();
# The second destination fails a few times first.
my @path = ('/services/T0/B0/one', '/status/500/oops');
my %env = settings($dir, $slack->url($path[0]), FILTER => '*', LOG => "$dir/log",
	SLACK_WEBHOOK_URL_ops => $slack->url("$path[1]?times=3"), FILTER_ops => '*');
my %path_of = (default => $path[0], ops => $path[1]);
spew("$dir/log", '', 0600);
open my $stderr, '>>', "$dir/stderr" or die;

#
# Doors and workers, and their end
#

sub new_door ($door) {
	$door->launch(1, in => $door->{listener}, err => $stderr, env => \%env, cwd => $dir,
		cmd => [ door_path() ]);
}

my @verbs = ([ 'work' ], [ 'work', '--until-idle' ], [ 'drain' ]);

sub new_worker () {
	return process(cmd => [ ctl_path(), @{ $verbs[rand @verbs] } ], env => \%env, cwd => $dir);
}

sub workers () { return programs_in($dir, 'log-stream-ctl') }

# Sees to it that all run, then kills one, time and again.
sub rage ($doors, $end) {
	my %killed = (door => 0, worker => 0);
	my @own;
	while (time < $end) {
		$_->alive or new_door($_) for @$doors;
		@own = grep { $_->alive } @own;
		push @own, new_worker() while @own < WORKERS;
		sleep rand 0.05;
		if (rand > 0.6) {
			$killed{door} += $doors->[rand @$doors]->signal('KILL');
		} else {
			my @pid = workers() or next;
			$killed{worker} += kill KILL => $pid[rand @pid];
		}
	}
	while (my @pid = workers()) {
		$killed{worker} += kill KILL => @pid;
		$_->alive for @own;
		sleep 0.05;
	}
	return %killed;
}

my @doors = map { fastcgi(env => \%env, cwd => $dir) } 1 .. DOORS;
my $end = time + $seconds;
my @posters = map {
	my $number = $_;
	later(sub { poster(name => "p$number", seed => $seed + $number, doors => \@doors, end => $end,
		rest => 0.06, patience => 0.02) });
} 1 .. POSTERS;
my %killed = rage(\@doors, $end);
# A poster may still be waiting for a door that is no more.
my @done = map {
	my $poster = $_;
	$_->alive or new_door($_) for @doors;
	$poster->();
} @posters;
$_->stop for @doors;
# Nor may a worker that a door has just started be in the way.
while (my @pid = workers()) {
	$killed{worker} += kill KILL => @pid;
	sleep 0.05;
}

my ($batch, $tally) = posted(@done);

#
# The account
#

subtest 'after the storm drain delivers what is left' => sub {
	my $ended;
	for (1 .. 20) {
		$ended = ctl({ %env, timeout => 60 }, 'drain');
		last if $ended->{exit} != 3;
		sleep 0.2;
	}
	is $ended->{exit}, 0, 'nothing remains' or diag $ended->{err};
	is_deeply [ listed(\%env) ], [], 'nothing is listed';
	my ($state) = inspect("$dir/q.db");
	is $state->{sound}, 'ok', 'the database is sound';
};

my @ok = map { @{ $_->{events} } } grep { $_->{ok} } @$batch;
my @listed = listed(\%env, 1);

for my $name (sort keys %path_of) {
	my @message = grep { $_->{path} eq $path_of{$name} && $_->{status} == 200 } messages($slack);
	my $account = account($batch, \@message, [ map { /^(\S+) \Q$name\E$/ } @listed ]);
	my $warned = () = slurp("$dir/log") =~ /destination \Q$name\E: a message was on its way/g;

	subtest "destination $name: no event is lost, and none doubled without a kill" => sub {
		is_deeply $account->{lost}, [], 'what was answered ok was delivered or is listed';
		is_deeply $account->{strange}, [], 'nothing else was';
		is_deeply $account->{partial}, [], 'no batch in part';
		cmp_ok $account->{repeated}, '<=', $killed{worker}, 'messages sent twice are no more than workers killed';
		cmp_ok $account->{repeated}, '<=', $warned, 'and each time the log warned of it';
	};
	note sprintf 'destination %s: %d messages, %d events came more than once, by %d messages',
		$name, scalar @message, @$account{qw(again repeated)};
}

subtest 'the storm was one' => sub {
	cmp_ok $killed{door} + $killed{worker}, '>=', 2 * $seconds, 'kills';
	cmp_ok @ok, '>=', 4 * $seconds, 'events answered ok';
	cmp_ok scalar(grep { !$_->{ok} } @$batch), '<', @$batch / 3, 'most batches were taken';
	is_deeply [ objections($slack) ], [], 'Slack had nothing to object to';
};

note sprintf '%d doors and %d workers killed; %d batches, %d events answered ok; %s',
	@killed{qw(door worker)}, scalar @$batch, scalar @ok, join ', ', map { "$_: $tally->{$_}" } sort keys %$tally;
if (!Test::More->builder->is_passing) {
	diag "CRASH_SEED=$seed CRASH_SECONDS=$seconds";
	diag slurp("$dir/stderr");
	diag join '', (slurp("$dir/log") =~ /^(.* (?:error|warn) .*\n)/mg);
}

done_testing;
