#!/usr/bin/perl
# No log stops the work: what becomes of requests, of events and of the log's
# lines where syslog, standard error or the log file takes no more. How a line
# is written is in unit/log.c.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Mounts; # /dev/log is one of our own
use Fcntl qw(F_GETFL F_SETPIPE_SZ O_NONBLOCK O_RDWR O_WRONLY);
use IO::Socket::UNIX;
use LogStream::Test;
use POSIX qw(mkfifo);
use Socket qw(AF_UNIX MSG_DONTWAIT SO_RCVBUF SO_SNDBUF SOL_SOCKET SOCK_DGRAM SOCK_STREAM);
use Test::More;

my $main = $$;
my $dev = tempdir();
my $mounted;

END {
	if ($mounted && $$ == $main) {
		local $?;
		LogStream::Test::end_left_behind();
		system 'umount', '--lazy', '/dev';
		system 'umount', '--lazy', $dev;
	}
}

sub mount (@arguments) {
	system("mount @arguments 2>/dev/null") == 0
		or plan skip_all => "mount @arguments: it may not be done here";
}

# /dev with a place for a socket at /dev/log.
sub build_dev () {
	mount('-t tmpfs -o mode=755 tmpfs', $dev);
	for my $name (grep { -e "/dev/$_" } qw(full null random urandom zero pts shm tty)) {
		-d "/dev/$name" ? mkdir "$dev/$name" : spew("$dev/$name", '');
		mount('--rbind', "/dev/$name", "$dev/$name");
	}
	symlink '/proc/self/fd', "$dev/fd";
	spew("$dev/log", '');
	mount('--rbind', $dev, '/dev');
	$mounted = 1;
}

if (!LogStream::Mounts::allowed()) {
	plan skip_all => 'mounts are not allowed here' if ($ENV{CI} // '') ne 'true';
	fail 'mounts are allowed';
	exit 1;
}
build_dev();

my $line = qr/log-stream-to-slack\[\d+\]: (?:error|warn|info) \S+=.*/;
my $dropped = qr/warn dropped=(\d+) message="log lines were dropped because the log did not accept them"/;

# What the receiver says of event a.
my $queued = qr/\Alog-stream-to-slack\[\d+\]: info log_id=a .*outcome=queued\n$line status=200\n\z/;

sub told ($answer) { return "$answer->{status} " . ($answer->{body} // '') =~ s/\n\z//r }

#
# Logs that nobody reads
#

# What a function adds, until it adds no more.
sub fill ($add) {
	1 while $add->();
}

# A syslog daemon that does not read, and has no room left.
sub full_syslog () {
	my $path = tempdir() . '/log';
	my $daemon = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "$path: $!";
	my $other = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $path) or die "$path: $!";
	fill(sub { $other->send('filled', MSG_DONTWAIT) });
	return { path => $path, socket => $daemon };
}

# What has come to it meanwhile.
sub read_syslog ($log) {
	my @got;
	while (defined $log->{socket}->recv(my $text, 65536, MSG_DONTWAIT)) {
		push @got, $text if $text ne 'filled';
	}
	return @got;
}

# A program, and all that it starts, for which that is /dev/log.
sub logs_to ($log, @cmd) {
	return [ qw(unshare --mount --propagation unchanged sh -c), 'mount --bind "$0" /dev/log && exec "$@"',
		$log->{path}, @cmd ];
}

# Both ends of a pipe that is full. The flags of the end for writing stay: it
# is filled by way of another.
sub full_pipe () {
	pipe my $read, my $write or die "pipe: $!";
	fill_pipe($write);
	return ($read, $write);
}

sub fill_pipe ($write) {
	sysopen my $other, '/proc/self/fd/' . fileno $write, O_WRONLY | O_NONBLOCK or die "a pipe: $!";
	for my $size (4096, 1) {
		fill(sub { syswrite $other, '.' x ($size - 1) . "\n" });
	}
}

sub full_socket () {
	socketpair my $read, my $write, AF_UNIX, SOCK_STREAM, 0 or die "socketpair: $!";
	for my $size (4096, 1) {
		fill(sub { send $write, '.' x ($size - 1) . "\n", MSG_DONTWAIT });
	}
	return ($read, $write);
}

# All that is in a pipe or socket now.
sub drain ($read) {
	my $all = '';
	$read->blocking(0);
	1 while sysread $read, $all, 65536, length $all;
	return $all =~ s/^\.*\n//mgr;
}

# The receiver as a CGI program with that for standard error; its answer.
sub cgi_with_stderr ($queue, $err, $body, @cmd) {
	my $dir = tempdir();
	spew("$dir/in", $body);
	open my $in, '<', "$dir/in" or die "$dir/in: $!";
	open my $out, '>', "$dir/out" or die "$dir/out: $!";
	my $pid = LogStream::Test::start(in => $in, out => $out, err => $err, cwd => $dir,
		cmd => @cmd ? \@cmd : [ door_path() ], env => { %{ $queue->env },
			LogStream::Test::variables(token => LogStream::Test::Queue::TOKEN, body => $body) });
	my $ended = eval { wait_until(sub { waitpid($pid, POSIX::WNOHANG()) == $pid }, 15, 'it to end') };
	my $status = $?;
	kill KILL => $pid if !$ended;
	waitpid $pid, 0 if !$ended;
	return ($ended ? $status : 'it did not end') . ' ' . slurp("$dir/out") =~ s/.*\r\n\r\n//sr;
}

# The worker with that for standard error.
sub work_with_stderr ($queue, $err) {
	my $worker = bless { dir => tempdir() }, 'LogStream::Test::Process';
	$worker->launch(1, env => $queue->env, err => $err, cmd => [ ctl_path(), 'work' ]);
	return $worker;
}

#
# syslog
#

beside 'a worker that the receiver started delivers and ends although nobody reads /dev/log' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, env => { LOG => undef });
	my $log = full_syslog();
	for my $id (qw(a b)) {
		is told($queue->cgi(body => logins($id), cmd => logs_to($log, door_path()))), '200 ok', "event $id";
		is scalar($slack->wait_for_titles($id eq 'a' ? 1 : 2)), $id eq 'a' ? 1 : 2, 'arrives';
	}
	$queue->wait_until_empty;
	my $worker = $queue->worker;
	$queue->end_worker;
	ok $worker && !runs($worker), 'it ends at SIGTERM';
	is scalar(read_syslog($log)), 0, 'syslog had room for nothing';
};

beside 'what syslog had no room for is counted in the next line that it takes' => sub {
	my $queue = queue(env => { LOG => 'syslog', QUEUE => undef, SLACK_WEBHOOK_URL => 'http://127.0.0.1:9/x' });
	my $log = full_syslog();
	my $door = $queue->fastcgi(cmd => logs_to($log, door_path()));
	is told($queue->ask($door, body => '[]')), '204 ', "request $_" for 1, 2;
	is_deeply [ read_syslog($log) ], [], 'nothing was taken of two lines';
	is told($queue->ask($door, body => '[]')), '204 ', 'request 3';
	my $from = qr/\w{3} [ \d]\d \d\d:\d\d:\d\d log-stream-to-slack\[@{[$door->pid]}\]: /;
	my ($first, $second, @more) = read_syslog($log);
	like $first, qr/^<28>$from$dropped\z/, 'then the number of lines that are missing comes first';
	is +($first =~ $dropped)[0], 2, 'which is two';
	like $second, qr/^<30>${from}info request=3 .*status=204\z/, 'the line comes next';
	is_deeply \@more, [], 'and that is all';
	$queue->ask($door, body => '[]');
	is scalar(read_syslog($log)), 1, 'the number is told once';
	$door->stop;
};

for my $name ('CGI', 'FastCGI') {
	beside "a $name receiver that logs to a full syslog answers" => sub {
		my $slack = standin();
		my $queue = queue(slack => $slack, env => { LOG => 'syslog' });
		my $log = full_syslog();
		my $cmd = logs_to($log, door_path());
		my $door = $name eq 'FastCGI' && $queue->fastcgi(cmd => $cmd);
		for my $id (qw(a b)) {
			my $answer = $door ? $queue->ask($door, body => logins($id))
				: $queue->cgi(body => logins($id), cmd => $cmd);
			is told($answer), '200 ok', "event $id";
		}
		is scalar($slack->wait_for_titles(2)), 2, 'they arrive';
		$queue->end_worker;
	};
}

beside 'with LOG=syslog where there is no syslog lines go to standard error' => sub {
	my $answer = queue(env => { LOG => 'syslog', QUEUE => undef, SLACK_WEBHOOK_URL => 'http://127.0.0.1:9/x' })
		->cgi(body => '[]');
	is told($answer), '204 ', 'the answer';
	like $answer->{err}, qr/^$line status=204\n\z/, 'the line';
};

#
# Standard error
#

my %full = ('pipe' => \&full_pipe, 'socket' => \&full_socket);

for my $kind (sort keys %full) {
	beside "a CGI receiver whose standard error is a full $kind answers" => sub {
		my $slack = standin();
		my $queue = queue(slack => $slack, env => { LOG => undef });
		my ($read, $write) = $full{$kind}->();
		my $flags = fcntl $write, F_GETFL, 0;
		is cgi_with_stderr($queue, $write, logins('a')), '0 ok', 'the answer';
		is scalar($slack->wait_for_titles(1)), 1, 'the event arrives';
		is fcntl($write, F_GETFL, 0), $flags, 'the flags of that descriptor are what they were';
		is drain($read), '', 'no piece of a line was written';
		$queue->end_worker;
	};

	beside "a worker whose standard error is a full $kind delivers, ends and says what is missing" => sub {
		my $slack = standin();
		my $queue = queue(slack => $slack, env => { LOG => undef });
		my ($read, $write) = $full{$kind}->();
		my $flags = fcntl $write, F_GETFL, 0;
		my $worker = work_with_stderr($queue, $write);
		$queue->wait_for_worker;
		$queue->cgi(body => logins('a', 'b'));
		is scalar($slack->wait_for_titles(2)), 2, 'two events arrive';
		$queue->wait_until_empty;
		is drain($read), '', 'no piece of a line was written';
		$queue->cgi(body => logins('c'));
		my $text = '';
		wait_until(sub { ($text .= drain($read)) =~ / log_id=c .*\n/ }, 10, 'lines of the next event');
		my ($first, @other) = split /\n/, $text;
		like $first, qr/^log-stream-to-slack\[\d+\]: $dropped\z/, 'before the next line is the number of those missing';
		cmp_ok +($first =~ $dropped)[0] // 0, '>=', 3, 'which is three at least';
		is_deeply [ grep { !/^$line\z/ } @other ], [], 'the others are whole';
		fill_pipe($write) if $kind eq 'pipe';
		$worker->signal('TERM');
		is eval { $worker->wait_exit(10) }, 0, 'it ends at SIGTERM';
		is fcntl($write, F_GETFL, 0), $flags, 'the flags of that descriptor are what they were';
	};
}

# Older kernels do not write to a pipe without waiting, on demand.
for my $old ('', ' of an older kernel') {
	beside "a CGI receiver$old that may not open its full standard error again answers" => sub {
		plan skip_all => 'only root can become another user' if $> != 0;
		plan skip_all => 'strace is in the way of what watches the program' if $old && watched();
		need('setpriv');
		my @other = qw(setpriv --reuid=65534 --clear-groups);
		plan skip_all => 'there is no other user here'
			if run(cmd => [ @other, 'true' ], cwd => '/')->{exit};
		my @old = $old ? (need('strace'), qw(-f -o /dev/null -e trace=pwritev2
			-e inject=pwritev2:error=EOPNOTSUPP)) : ();
		my $dir = tempdir();
		chmod 0711, $dir;
		spew("$dir/door", slurp(door_path()), 0755);
		spew("$dir/conf", '', 0644);
		my $queue = queue(env => { LOG => undef, QUEUE => undef, LOG_STREAM_CONFIG => "$dir/conf",
			SLACK_WEBHOOK_URL => 'http://127.0.0.1:9/x' });
		my ($read, $write) = full_pipe();
		my $flags = fcntl $write, F_GETFL, 0;
		my @cmd = ('sh', '-c', 'cd / && exec "$@"', 'sh', @old, @other, "$dir/door");
		is cgi_with_stderr($queue, $write, '[]', @cmd), '0 ', 'the answer';
		is drain($read), '', 'nothing was written';
		is cgi_with_stderr($queue, $write, '[]', @cmd), '0 ', 'the next answer';
		like drain($read), qr/^$line status=204\n\z/, 'is logged';
		is fcntl($write, F_GETFL, 0), $flags, 'the flags of that descriptor are what they were';
	};
}

# Where another malloc can take the place of the C library's: see memory.t.
beside 'a receiver that is out of memory ends although its log is full' => sub {
	my $dir = tempdir();
	my $queue = queue(env => { QUEUE => undef, SLACK_WEBHOOK_URL => 'http://127.0.0.1:9/x',
		LD_PRELOAD => builddir() . '/t/preload/fail.so', FAIL_PROGRAM => 'log-stream-to-slack',
		FAIL_REPORT => "$dir/report" });
	plan skip_all => 't/preload/fail.so is not built' if !-e $queue->env->{LD_PRELOAD};
	$queue->cgi(body => '[]');
	my ($count) = (eval { slurp("$dir/report") } // '') =~ /^allocations (\d+)$/m
		or plan skip_all => 'no library can take the place of malloc here';
	$queue->env->{FAIL_FOR_GOOD} = 1;
	for my $sink ('syslog', 'stderr') {
		my $log = $sink eq 'syslog' && full_syslog();
		my ($read, $write) = full_pipe();
		$queue->env->{LOG} = $sink;
		# Those at the end are our own, while a request is in hand.
		for my $n (map { $count - $_ } 10, 20) {
			$queue->env->{FAIL_MALLOC} = $n;
			is cgi_with_stderr($queue, $write, '[]', $log ? @{ logs_to($log, door_path()) } : ()),
				(71 << 8) . ' ', "$sink: allocation $n";
		}
	}
};

beside 'a server that is late to read what is logged has all of it' => sub {
	my $queue = queue(env => { LOG => undef });
	my $away = $queue->keep_workers_away;
	$queue->env->{SLACK_WEBHOOK_URL} = 'http://127.0.0.1:9/x';
	pipe my $read, my $write or die "pipe: $!";
	fcntl $write, F_SETPIPE_SZ, 4096 or die "F_SETPIPE_SZ: $!";
	my $reading = later(sub {
		close $write;
		wait_until(sub {
			my $count = pack 'i', 0;
			ioctl $read, 0x541B, $count or die "FIONREAD: $!";
			return unpack('i', $count) > 2048;
		}, 10, 'a part of the log');
		return [ <$read> ];
	});
	is cgi_with_stderr($queue, $write, logins(1 .. 600)), '0 ok', 'the answer';
	close $write;
	my @got = @{ $reading->() };
	is scalar(@got), 601, 'a line for each of 600 events and the request';
	is scalar(grep { !/^$line\n\z/ } @got), 0, 'each is whole';
};

beside 'a FastCGI receiver whose standard error is full ends when its socket is gone' => sub {
	my $fifo = tempdir() . '/fifo';
	mkfifo($fifo, 0600) or die "$fifo: $!";
	sysopen my $both, $fifo, O_RDWR or die "$fifo: $!";
	my $queue = queue(env => { LOG => undef, QUEUE => undef, SLACK_WEBHOOK_URL => 'http://127.0.0.1:9/x' });
	my $door = $queue->fastcgi(cmd => [ 'sh', '-c', 'exec "$@" 2>"$0"', $fifo, door_path() ]);
	is told($queue->ask($door, body => '[]')), '204 ', 'a request';
	fill_pipe($both);
	shutdown $door->{listener}, 2;
	is eval { $door->wait_exit(10) } // $@, 1 << 8, 'it does not wait for a place to complain';
};

#
# A file
#

# A log file that a program may make larger by $room bytes only: the limit is
# 1 MiB, which leaves a queue room.
use constant LIMIT => 1 << 20;
my @limited = ('sh', '-c', 'ulimit -f ' . LIMIT / 512 . ' && exec "$@"', 'sh');

sub almost_full ($queue, $room) {
	my $path = $queue->env->{LOG};
	spew($path, '.' x (LIMIT - $room - 1) . "\n", 0600);
	return $path;
}

sub lines_of ($path) { return grep { !/^\.+$/ } split /\n/, slurp($path) }

for my $room (0, 30) {
	beside "a log file that may grow by $room bytes more stops neither receivers nor the worker" => sub {
		my $slack = standin();
		my $queue = queue(slack => $slack);
		my $path = almost_full($queue, $room);
		my $answer = $queue->cgi(body => logins('a'), cmd => [ @limited, door_path() ]);
		is told($answer) . " $answer->{signal}", '200 ok 0', 'a CGI receiver answers';
		like $answer->{err}, $queued, 'its lines go to standard error';
		is scalar($slack->wait_for_titles(1)), 1, 'the event arrives';
		$queue->wait_until_empty;
		ok runs($queue->worker), 'the worker lives';
		my $door = $queue->fastcgi(cmd => [ @limited, door_path() ]);
		is told($queue->ask($door, body => logins('b'))), '200 ok', 'a FastCGI receiver answers';
		is told($queue->ask($door, body => '[]')), '204 ', 'and lives';
		is scalar($slack->wait_for_titles(2)), 2, 'the event arrives';
		$queue->wait_until_empty;
		$queue->end_worker;
		truncate $path, LIMIT - 2000 if $room == 0;
		$queue->cgi(body => '[]');
		my @last = lines_of($path);
		like $last[-1], qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ $line status=204\z/,
			'where there is room again a line is a line of its own';
	};
}

beside 'a log file on a full disk stops neither receivers nor the worker' => sub {
	my $slack = standin();
	my $disk = tempdir();
	my $queue = queue(slack => $slack, env => { LOG => "$disk/log" });
	system('mount', '-t', 'tmpfs', '-o', 'size=16k,mode=755', 'tmpfs', $disk) == 0 or die "mount: $?";
	my $unmount = bless [ $disk ], 'Unmount';
	spew("$disk/log", '.' x 4060 . "\n", 0600); # a part of a line fits
	open my $rest, '>', "$disk/rest" or die "$disk/rest: $!";
	fill(sub { syswrite $rest, '.' x 4096 });
	close $rest;
	my $answer = $queue->cgi(body => logins('a'));
	is told($answer) . " $answer->{signal}", '200 ok 0', 'a CGI receiver answers';
	like $answer->{err}, $queued, 'its lines go to standard error';
	my $door = $queue->fastcgi;
	is told($queue->ask($door, body => logins('b'))), '200 ok', 'a FastCGI receiver answers';
	is scalar($slack->wait_for_titles(2)), 2, 'the events arrive';
	$queue->wait_until_empty;
	ok runs($queue->worker), 'the worker lives';
	unlink "$disk/rest";
	is told($queue->ask($door, body => '[]')), '204 ', 'there is room again';
	my @last = lines_of("$disk/log");
	like $last[-1], qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ $line status=204\z/, 'and a line is a line of its own';
	$door->stop;
	$queue->end_worker;
};
finish_beside;

done_testing;

package Unmount;

sub DESTROY ($self) { system 'umount', '--lazy', $self->[0] }
