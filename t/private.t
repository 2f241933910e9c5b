#!/usr/bin/perl
# What is ours alone: no process leaves its memory behind, and no file is for
# more than the user of the programs. That no secret is written anywhere is
# tested where something is written: cgi.t, ctl.t, post.t, queue.t.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Ledger qw(journal_of);
use LogStream::Test;
use Test::More;

my $slack = standin();

# A program that may leave as much of itself as it likes.
my @unlimited = (need('prlimit'), '--core=unlimited');

pipe my $body, my $sender or die "pipe: $!";

my %program = (
	'a CGI door' => sub ($queue, $cwd) {
		return process(cwd => $cwd, in => $body, cmd => [ @unlimited, door_path() ],
			env => { %{ $queue->env }, REQUEST_METHOD => 'POST', CONTENT_LENGTH => 10 });
	},
	'a FastCGI door' => sub ($queue, $cwd) {
		return $queue->fastcgi(cwd => $cwd, cmd => [ @unlimited, door_path() ]);
	},
	'a worker' => sub ($queue, $cwd) {
		return process(cwd => $cwd, cmd => [ @unlimited, ctl_path(), 'work' ], env => $queue->env);
	},
);

sub core_limits ($process) {
	my ($line) = slurp('/proc/' . $process->pid . '/limits') =~ /^Max core file size\s+(\S+\s+\S+)/m;
	return $line =~ s/\s+/ /r;
}

for my $what (sort keys %program) {
	subtest "$what leaves no core" => sub {
		my $queue = queue(slack => $slack);
		my $cwd = tempdir();
		my $process = $program{$what}->($queue, $cwd);
		wait_until(sub { core_limits($process) eq '1 1' }, 10, 'the limit that means none');
		$process->signal('ABRT');
		is $process->wait_exit, 6, 'it died, and of what it was there is nothing'; # 128 + 6: with a core
		is_deeply [ glob "$cwd/*" ], [], 'nowhere';
	};
}

# By /proc a process belongs to root where only root may look into it.
subtest 'where the limit is none for good, nobody but root looks into a door' => sub {
	my ($dir, $cwd) = (tempdir(), tempdir());
	my @as = $> == 0 ? (need('setpriv'), qw(--reuid 65534 --clear-groups)) : ();
	chmod 0755, $dir;
	chmod 0777, $cwd;
	my $door = spew("$dir/door", slurp(door_path()), 0755);
	my $process = process(cwd => $cwd, in => $body, cmd => [ need('prlimit'), '--core=0:0', @as, $door ],
		env => { REQUEST_METHOD => 'POST', CONTENT_LENGTH => 10 });
	my $place = '/proc/' . $process->pid;
	wait_until(sub { (readlink("$place/exe") // $door) eq $door && slurp("$place/comm") eq "door\n"
		&& (stat "$place/environ")[4] == 0 }, 10, 'it to be closed to others');
	is core_limits($process), '0 0', 'and the limit is what it was';
};

subtest 'what the programs make is for their user alone, whatever the umask' => sub {
	my $before = umask 0;
	my $queue = queue(slack => $slack, path => '/status/503/down');
	$queue->configure;
	is $queue->cgi(body => logins('a'))->{status}, 200, 'a door keeps an event';
	$queue->wait_for_worker;
	$slack->wait_for(1);
	my @file = map { sprintf '%s %04o', s{.*/}{}r, (stat)[2] & 07777 } sort glob $queue->dir . '/*';
	$queue->end_worker;
	umask $before;
	my @beside = journal_of($queue->path) eq 'wal' ? qw(-shm -turn -wal -worker) : qw(-journal -turn -worker);
	is_deeply \@file, [ 'conf 0600', 'log 0640', map { "queue.db$_ 0600" } '', @beside ],
		'the queue, what stands beside it, and the log, which a group may read';
};

subtest 'a file that a stranger has put beside the queue is not touched' => sub {
	for my $ending (qw(-journal -wal -shm -turn -worker)) {
		my $queue = queue(slack => $slack);
		my $place = $queue->path . $ending;
		my $target = spew(tempdir() . '/target', 'kept');
		symlink $target, $place or die "$place: $!";
		my $door = $queue->fastcgi;
		is $queue->ask($door, body => logins('a'))->{status}, 503, "$ending is a link";
		is_deeply [ $queue->log =~ /error error="(.*)"$/mg ],
			[ "$place: is not a regular file but a link: name the file itself" ], 'the log says so';
		is slurp($target), 'kept', 'what it leads to is as it was';
		ok !-e $queue->path, 'and no queue is made';
		unlink $place;
		is $queue->ask($door, body => logins('a'))->{status}, 200, 'without it the same door goes on';
		$queue->end_worker;
	}
};

subtest 'root does not fall into the settings of a stranger' => sub {
	local $ENV{SUDO_UID};
	plan skip_all => 'only root can' if $> != 0;
	my $place = tempdir();
	my $trap = "$place/trap";
	chmod 01777, $place;
	spew("$place/.env", "QUEUE=sqlite:$place/queue.db\nLOG=$trap\nSLACK_WEBHOOK_URL=" . $slack->url('/services/T0/B0/x') . "\n", 0600);
	chown 65534, 65534, "$place/.env";
	my $told = '.env: it belongs to another user: if it is the right one, run this as that user, or name it: '
		. 'LOG_STREAM_CONFIG=.env';
	my %here = (cwd => $place, LOG_STREAM_CONFIG => undef);
	for my $verb (qw(drain status)) {
		my $ended = ctl(\%here, $verb);
		is $ended->{exit}, 1, $verb;
		like $ended->{err}, qr/\Q$told\E/, 'says why';
	}
	my $checked = ctl(\%here, 'check');
	is $checked->{exit}, 1, 'check';
	like $checked->{out}, qr/^error: \Q$told\E$/m, 'says why';
	my $answer = cgi(cwd => $place, env => { LOG_STREAM_CONFIG => undef }, body => logins('a'));
	is $answer->{status}, 503, 'a door';
	like $answer->{err}, qr/\Q$told\E/, 'says why';
	is_deeply [ glob "$place/*" ], [], 'nothing was made';
};

done_testing;
