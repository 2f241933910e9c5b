#!/usr/bin/perl
# The queue when a system call is its last, when one fails, and when the disk
# is full: for each call in turn that putting and settling make on the queue's
# files, strace kills the program at it or makes it fail; then the promise is
# checked, and that the programs go on from there.
#
# FAULTS_ALL=1 tries more: a kill at the calls that change nothing on disk too,
# though it leaves what a kill at the next of the others leaves; and both errors
# at every call, not one at each in turn.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

# The disk's own slowness is no part of this.
BEGIN { $ENV{TMPDIR} //= '/dev/shm' if -d '/dev/shm' && -w _ }

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Mounts; # a full disk is mounted where only we see it
use File::Copy qw(copy);
use LogStream::Ledger;
use LogStream::Test qw(beside cgi ctl ctl_path fastcgi finish_beside need process run slurp spew
	standin tempdir wait_until);
use Test::More;
use Time::HiRes qw(sleep);

need('strace');
need('sqlite3');

my $slack = standin();
my $place = tempdir();
my $door = lonely_door($place);
my $old = named_batch('old', 3);
my $new = named_batch('new', 3);
my $serial = 0;

my @writes = qw(openat pwrite64 write fdatasync fsync ftruncate unlink);
my @kills = (@writes, 'sendto', $ENV{FAULTS_ALL} ? qw(pread64 fcntl close) : ());

# How strace makes the call fail that a point is. With this filter it is quick;
# a signal it cannot send then.
my @fast = qw(-f --seccomp-bpf);

# A new directory with a queue like that of a file, or none; and the settings
# for it, Slack being where no other test is.
sub site ($like, $path = undef) {
	my $dir = tempdir();
	copy($like, "$dir/q.db") && chmod 0600, "$dir/q.db" or die "$dir: $!" if $like;
	$path //= '/services/T0/B0/' . $dir =~ s/.*\W//r;
	return { dir => $dir, path => $path, env => { settings($dir, $slack->url($path)) } };
}

sub put ($site, $batch, @strace) {
	return cgi(env => $site->{env}, body => $batch->{body}, timeout => 60,
		cmd => @strace ? [ strace("$site->{dir}/calls", \@strace, $door) ] : [ $door ]);
}

sub settle ($site, @strace) {
	return ctl({ %{ $site->{env} }, timeout => 60 }, 'drain') if !@strace;
	return run(env => $site->{env}, timeout => 60,
		cmd => [ strace("$site->{dir}/calls", \@strace, ctl_path(), 'drain') ]);
}

# What Slack got from a site: for each message the names of its events.
sub sent ($site) {
	return map { join ' ', sort @{ $_->{events} } } grep { $_->{path} eq $site->{path} } messages($slack);
}

# The calls of these names on the queue's files and, of a program that answers
# or posts, the ones that do. Each is [ name, turn, what for ].
sub points ($names, $site, $code) {
	$code->($site, '-y', '-e', 'trace=' . join ',', @$names);
	my $own = qr{\Q$site->{dir}\E(?:/q\.db[-\w]*)?[">]|^1<|<(?:TCP|socket)};
	return map {
		my ($what) = $_->{args} =~ $own ? $& =~ s{.*/|[">]}{}gr : ();
		defined $what ? [ $_->{name}, $_->{turn}, $what ] : ();
	} calls("$site->{dir}/calls");
}

sub title ($point, $doing) { return "$doing at $point->[0] $point->[1] ($point->[2])" }

sub is_injected ($site, $mark) {
	return index(slurp("$site->{dir}/calls"), $mark) >= 0;
}

#
# What is wrong after a put or a settle that was disturbed: nothing, or lines
#

sub faults_of_put ($site, $answer) {
	my @fault;
	my @there = grep { batch_of($_) eq 'new' } listed($site->{env});
	push @fault, "a part of the batch is there: @there" if @there != 0 && @there != 3;
	push @fault, 'answered ok, and nothing is there' if $answer->{status} == 200 && !@there;
	my $again = put($site, $new);
	push @fault, "posted again it is answered $again->{status}: $again->{err}" if $again->{status} != 200;
	return @fault;
}

sub faults_of_settle ($site, $most) {
	my @fault;
	my @left = listed($site->{env});
	my @sent = sent($site);
	push @fault, "these are left: @left" if @left != 0 && @left != 3;
	push @fault, 'events neither wait nor were sent' if !@left && !@sent;
	push @fault, 'sent ' . @sent . ' times' if @sent > $most;

	my $ended = settle($site);
	push @fault, "drain then ends with $ended->{exit}: $ended->{err}" if $ended->{exit};
	@sent = sent($site);
	push @fault, 'sent ' . @sent . ' times in the end' if @sent < 1 || @sent > 2;
	push @fault, 'a message of other events' if grep { $_ ne join ' ', @{ $old->{events} } } @sent;
	return @fault;
}

# Disturbs at each point in turn: $code returns a hash of title, site and
# faults. Afterwards the queues of all are opened, and what is wrong with them
# is added: each has to hold its events once, in this state.
sub disturb ($parts, $points, $state, $code) {
	return in_parts($parts, $points, sub ($part, @mine) {
		my @result = map { $code->(@$_) } @mine;
		my @found = inspect(map { "$_->{site}{dir}/q.db" } @result);
		for my $result (@result) {
			my $found = shift @found;
			my $there = join ' ', map { "$_=$found->{events}{$_}[0]" } sort keys %{ $found->{events} };
			my $want = join ' ', map { "$_=$state" } @{ delete($result->{site})->{events} };
			push @{ $result->{faults} }, "the database: $found->{sound}" if $found->{sound} ne 'ok';
			push @{ $result->{faults} }, "in the end there is $there" if $there ne $want || $found->{doubles};
			$_ = "$result->{title}: $_" for @{ $result->{faults} };
		}
		@result;
	});
}

# Queues to begin with.
my $one = site(undef);
put($one, $old)->{status} == 200 or die 'no queue to begin with';
my $queue = copy("$one->{dir}/q.db", "$place/queue.db") && "$place/queue.db";

# The two puts: the one that makes the queue, and the one into it.
my %put = map {
	my $like = $_;
	($like ? 'into a queue' : 'into a new queue') => sub () {
		my @event = map { @{ $_->{events} } } $new, $like ? $old : ();
		return { %{ site($like) }, events => \@event };
	};
} undef, $queue;

# A queue to be worked off.
sub waiting () { return { %{ site($queue) }, events => $old->{events} } }

#
# A full disk
#

# Mounts a small disk, runs $code with its directory and unmounts it.
sub with_small_disk ($size, $code) {
	my $dir = tempdir();
	system('mount', '-t', 'tmpfs', '-o', "size=$size,mode=0700", 'none', $dir) == 0
		or die "mount: $?";
	my $good = eval { $code->($dir); 1 };
	my $why = $@;
	system('umount', '-l', $dir);
	die $why if !$good;
}

# Takes all the room that is left, to the last byte.
sub fill ($dir) {
	open my $out, '>>:raw', "$dir/filler" or die "$dir/filler: $!";
	for my $size (65536, 4096, 512, 1) {
		1 while (syswrite($out, 'x' x $size) // 0) == $size;
	}
	return "$dir/filler";
}

# How often Slack got each event at this path.
sub times_sent ($path) {
	my %times;
	$times{$_}++ for map { @{ $_->{events} } } grep { $_->{path} eq $path } messages($slack);
	return \%times;
}

sub full_disk_for_the_door ($dir) {
	my $path = '/services/T0/B0/full';
	my $log = tempdir() . '/log';
	my $env = { settings($dir, $slack->url($path), LOG => $log) };
	my $door = fastcgi(env => $env, cmd => [ $door ]);
	my $ballast = spew("$dir/ballast", 'x' x 1_700_000);
	my (@taken, $refused, $answer);
	for (1 .. 200) {
		$refused = named_batch("f$_", 40);
		$answer = $door->request(body => $refused->{body});
		last if $answer->{status} != 200;
		push @taken, @{ $refused->{events} };
	}
	is $answer->{status}, 503, 'a batch is refused';
	like $answer->{body}, qr/^the queue is full: the log of this program says why$/, 'with the reason';
	like slurp($log), qr{\Q$dir\E/q\.db: .*database or disk is full: make room on its disk, or raise QUEUE_MAX},
		'and the log has it';
	is_deeply [ sort(listed($env)) ], [ sort @taken ], 'what was taken is there, nothing else is';

	my $filler = fill($dir);
	my $worker = process(cmd => [ ctl_path(), 'work' ], env => $env);
	sleep 2.2;
	is_deeply times_sent($path), {}, 'with no room at all nothing is sent, for it could not be settled';
	is $door->request(body => $refused->{body})->{status}, 503, 'the batch is still refused';
	my $pid = $worker->pid;
	is scalar(() = slurp($log) =~ /\[$pid\]: error /g), 1, 'the worker says so once';

	unlink $filler, $ballast;
	is $door->request(body => $refused->{body})->{status}, 200, 'with room it is taken';
	push @taken, @{ $refused->{events} };
	wait_until(sub { !listed($env) }, 20, 'the queue to be empty');
	is_deeply times_sent($path), { map { $_ => 1 } @taken }, 'and all are sent once';
	is $worker->alive + $door->alive, 2, 'by the same processes';
	note scalar(@taken), ' events on a full disk';
	$_->stop for $worker, $door;
}

sub full_disk_for_the_worker ($dir) {
	my $path = '/drip/0.3';
	my $env = { settings($dir, $slack->url($path)) };
	my $once = { map { $_ => 1 } @{ $new->{events} } };
	put({ env => $env }, $new)->{status} == 200 or die 'not put';
	my $worker = process(cmd => [ ctl_path(), 'work' ], env => $env);
	wait_until(sub { %{ times_sent($path) } }, 10, 'the message to be sent');
	my $filler = fill($dir);
	sleep 2.2;
	is_deeply times_sent($path), $once, 'it is sent once';
	is scalar(() = $worker->err =~ /disk is full/g), 1, 'cannot be settled, as the log says once';
	is scalar(listed($env)), 3, 'and is listed';
	unlink $filler;
	wait_until(sub { !listed($env) }, 10, 'the queue to be empty');
	is_deeply times_sent($path), $once, 'with room it is settled, and not sent again';
	$worker->stop;
}

my %full = (
	'a full disk refuses batches, keeps those it has, and with room all goes on by itself'
		=> \&full_disk_for_the_door,
	'a message sent when the disk becomes full is settled when there is room'
		=> \&full_disk_for_the_worker,
);
for my $title (sort keys %full) {
	SKIP: {
		skip "mounting is not allowed here: $title", 1 if !LogStream::Mounts::allowed();
		beside $title => sub { with_small_disk('2m', $full{$title}) };
	}
}

#
# The last call
#

for my $title (reverse sort keys %put) {
	subtest "a door killed at any call of a put $title leaves all of the batch or nothing" => sub {
		my @point = points(\@kills, $put{$title}->(), sub ($site, @strace) { put($site, $new, @strace) });
		my @result = disturb(4, \@point, 0, sub (@point) {
			my $site = $put{$title}->();
			my $answer = put($site, $new, '-e', "trace=$point[0]",
				'-e', "inject=$point[0]:signal=KILL:when=$point[1]");
			return { title => title(\@point, 'killed'), site => $site,
				killed => is_injected($site, '+++ killed by SIGKILL'),
				faults => [ faults_of_put($site, $answer) ] };
		});
		is_deeply [ map { @{ $_->{faults} } } @result ], [], 'the promise holds';
		is scalar(grep { $_->{killed} } @result), scalar @point, 'it was killed each time';
		cmp_ok scalar(@point), '>', 20, 'at all of them';
		note scalar(@point), " kills of a put $title";
	};
}

subtest 'a worker killed at any call of a settle loses nothing and repeats one message at most' => sub {
	my @point = points(\@kills, waiting(), \&settle);
	my @result = disturb(8, \@point, 2, sub (@point) {
		my $site = waiting();
		settle($site, '-e', "trace=$point[0]", '-e', "inject=$point[0]:signal=KILL:when=$point[1]");
		return { title => title(\@point, 'killed'), site => $site,
			killed => is_injected($site, '+++ killed by SIGKILL'),
			faults => [ faults_of_settle($site, 1) ], sent => scalar sent($site) };
	});
	is_deeply [ map { @{ $_->{faults} } } @result ], [], 'the promise holds';
	is scalar(grep { $_->{killed} } @result), scalar @point, 'it was killed each time';
	my $twice = grep { $_->{sent} == 2 } @result;
	cmp_ok $twice, '>', 0, 'at some calls the message is sent twice';
	cmp_ok $twice, '<', scalar @point, 'at others it is not';
	note scalar(@point), " kills of a settle, $twice of them with the message sent twice";
};

#
# A call that fails
#

# How the log names the cause. SQLite does not always keep the system's word.
my $unopened = qr/readonly database|unable to open database file/;
my %cause = (
	EIO => qr{Input/output error|disk I/O error|$unopened},
	ENOSPC => qr{No space left on device|disk is full|disk I/O error|$unopened},
);

# The points with an error for each, of those that concern the queue: others
# would fail for every program.
sub failures (@point) {
	my ($turn, @error) = (0, sort keys %cause);
	return map {
		my $point = $_;
		$turn++;
		map { [ @$point, $_ ] } $ENV{FAULTS_ALL} ? @error : $error[$turn % 2];
	} grep { $_->[2] =~ /^q\.db(?!-worker)|^\w{8}$/ } @point;
}

for my $title (reverse sort keys %put) {
	subtest "a put $title of which a call fails is refused and can be repeated" => sub {
		my @point = failures(points(\@writes, $put{$title}->(), sub ($site, @strace) {
			put($site, $new, @strace);
		}));
		my @result = disturb(4, \@point, 0, sub (@point) {
			my ($name, $turn, $what, $error) = @point;
			my $site = $put{$title}->();
			my $answer = put($site, $new, @fast, '-e', "trace=$name",
				'-e', "inject=$name:error=$error:when=$turn");
			my @fault = faults_of_put($site, $answer);
			push @fault, "it is answered $answer->{status}: $answer->{raw}"
				if $answer->{status} != 200 && $answer->{status} != 503;
			push @fault, "the log does not say why: $answer->{err}"
				if $answer->{status} != 200 && $answer->{err} !~ $cause{$error};
			return { title => title(\@point, $error), site => $site, status => $answer->{status},
				injected => is_injected($site, '(INJECTED)'), faults => \@fault };
		});
		is_deeply [ map { @{ $_->{faults} } } @result ], [], 'the promise holds';
		is scalar(grep { $_->{injected} } @result), scalar @point, 'a call failed each time';
		cmp_ok scalar(grep { $_->{status} == 503 } @result), '>', @point / 2, 'mostly it was refused';
		note scalar(@point), " failures of a put $title; it survived ",
			join ', ', map { $_->{status} == 200 ? $_->{title} : () } @result;
	};
}

subtest 'a settle of which a call fails sends the message once' => sub {
	my @point = failures(points(\@writes, waiting(), \&settle));
	my @result = disturb(20, \@point, 2, sub (@point) {
		my ($name, $turn, $what, $error) = @point;
		my $site = waiting();
		my $ended = settle($site, @fast, '-e', "trace=$name", '-e', "inject=$name:error=$error:when=$turn");
		my $sent = sent($site);
		my @fault = faults_of_settle($site, 1);
		push @fault, "the log does not say why: $ended->{err}"
			if $ended->{err} =~ /\berror\b/ && $ended->{err} !~ $cause{$error};
		push @fault, "it ended with $ended->{exit} $ended->{signal}: $ended->{err}"
			if $ended->{signal} || ($ended->{exit} != 0 && $ended->{exit} != 3);
		push @fault, "it was sent $sent times" if $ended->{exit} == 0 && $sent != 1;
		push @fault, 'it was sent again' if sent($site) != 1;
		return { title => title(\@point, $error), site => $site,
			injected => is_injected($site, '(INJECTED)'), faults => \@fault };
	});
	is_deeply [ map { @{ $_->{faults} } } @result ], [], 'the promise holds';
	is scalar(grep { $_->{injected} } @result), scalar @point, 'a call failed each time';
	note scalar(@point), ' failures of a settle';
};

finish_beside();
done_testing;
