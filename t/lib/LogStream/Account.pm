# What became of events in t/storm.t: what was answered is held against what the
# database had and what Slack got. It is arithmetic, and does nothing else.
#
# A batch is { events => [names], ok => when the request began that was last
# answered ok, or undef }; a message is { arrived, events }; an act, which may
# have caught a message on its way, is [ time, kind ]; a switch, which put a
# copy in the place of the database, is { time, held => the rows of the copy }.
package LogStream::Account;

use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Exporter qw(import);
use List::Util qw(max);

our @EXPORT = qw(states expected repeated unexplained too_soon);

# "log_id|destination|state" lines, as { "log_id destination" => state }.
sub states ($rows) {
	return { map { my @f = split /\|/; ("$f[0] $f[1]" => $f[2]) } grep { length } split /\n/, $rows // '' };
}

# What was answered ok and should be in the database that is left, { "log_id
# destination" => 1 }, and how much is not, because a copy never had it. A
# request that began before a switch may have been answered by what was there
# before.
sub expected ($batches, $destinations, $switches) {
	my %began = map {
		my $batch = $_;
		map { my $event = $_; map { ("$event $_" => $batch->{ok}) } @$destinations } @{ $batch->{events} };
	} grep { $_->{ok} } @$batches;
	my $accepted = keys %began;
	for my $switch (@$switches) {
		my $held = states($switch->{held});
		delete @began{ grep { $began{$_} < $switch->{time} && !exists $held->{$_} } keys %began };
	}
	return (\%began, $accepted - keys %began);
}

# The messages that a destination took and that hold an event it had taken
# before: [ when that came, when it came again ]. Where a copy of the database
# does not know of the first time, the second is the copy's.
sub repeated ($name, $messages, $switches) {
	my (%last, @pair);
	for my $message (@$messages) {
		push @pair, map { [ "$_ $name", $last{$_}{arrived}, $message ] } grep { $last{$_} } @{ $message->{events} };
		$last{$_} = $message for @{ $message->{events} };
	}
	my $all = @pair;
	for my $switch (@$switches) {
		my $held = states($switch->{held});
		@pair = grep {
			my ($event, $first, $again) = @$_;
			!($first <= $switch->{time} && $switch->{time} <= $again->{arrived} && ($held->{$event} // 0) != 2);
		} @pair;
	}
	my %of;
	for my $pair (@pair) {
		my $own = $of{ $pair->[2] } //= [ $pair->[1], $pair->[2]{arrived}, $pair->[0] ];
		$own->[0] = max($own->[0], $pair->[1]);
	}
	return ([ sort { $a->[1] <=> $b->[1] } values %of ], $all);
}

# Those for which there is no act that caught them on their way; each act is
# good for one.
sub unexplained ($repeated, $acts) {
	my @act = sort { $a <=> $b } map { $_->[0] } @$acts;
	return grep {
		my ($first, $again) = @$_;
		my ($at) = grep { $act[$_] >= $first - 3 && $act[$_] <= $again } 0 .. $#act;
		splice @act, $at, 1 if defined $at;
		!defined $at;
	} @$repeated;
}

# Posts, whatever they were answered, that came so many seconds after the one
# before, or sooner, and how many are no fault: a copy of the database does not
# know of the last one.
sub too_soon ($posts, $least, $switches) {
	my @post = sort { $a->{arrived} <=> $b->{arrived} } @$posts;
	my (@soon, $excused);
	for (1 .. $#post) {
		my ($before, $after) = map { $_->{arrived} } @post[ $_ - 1, $_ ];
		next if $after - $before >= $least;
		if (grep { $_->{time} > $before - 3 && $_->{time} < $after + 1 } @$switches) {
			$excused++;
		} else {
			push @soon, sprintf '%.3f: %.0f ms', $after, 1000 * ($after - $before);
		}
	}
	return (\@soon, $excused // 0);
}

1;
