#!/usr/bin/perl
# Every system call of a door and of a worker, from main() on, made to fail in
# turn by strace, with each of the errors that it may have. Whatever comes of
# it, nothing is answered ok that was not kept or taken, nothing is lost or
# sent over and over, and what is refused has its reason in the log. What a
# call on the queue's files leaves on disk is in faults.t, too.
#
# FAULTS_ALL=1 tries every call with every error, and not a sample.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

# The disk's own slowness is no part of this.
BEGIN { $ENV{TMPDIR} //= '/dev/shm' if -d '/dev/shm' && -w _ }

use FindBin;
use lib "$FindBin::Bin/lib";
use Errno;
use File::Copy qw(copy);
use File::Path qw(remove_tree);
use LogStream::Ledger;
use LogStream::Test qw(builddir cgi ctl ctl_path fastcgi kill need run slurp standin tempdir wait_until);
use POSIX qw(strerror);
use Test::More;

need('strace');

my $library = builddir() . '/t/preload/fail.so';
our $slack = standin();
my $door = lonely_door(tempdir());
my ($old, $new, $newer) = map { named_batch($_, 3) } qw(old new newer);

# How a call may fail; one that is not here, with %other.
my %errors = (
	accept4 => [ qw(EMFILE ENOMEM ECONNABORTED EINTR) ],
	access => [ qw(EACCES) ],
	clone => [ qw(EAGAIN ENOMEM) ],
	clone3 => [ qw(EAGAIN ENOMEM) ],
	connect => [ qw(ECONNREFUSED ENETUNREACH ETIMEDOUT EINTR) ],
	execve => [ qw(ENOMEM EACCES) ],
	fchmod => [ qw(EPERM) ],
	fchown => [ qw(EPERM) ],
	fcntl => [ qw(ENOLCK EINTR) ],
	fdatasync => [ qw(EIO ENOSPC EINTR) ],
	flock => [ qw(ENOLCK EINTR) ],
	fsync => [ qw(EIO ENOSPC EINTR) ],
	ftruncate => [ qw(EIO EINTR) ],
	getrandom => [ qw(ENOSYS EINTR) ],
	mmap => [ qw(ENOMEM) ],
	mprotect => [ qw(ENOMEM) ],
	newfstatat => [ qw(EACCES EIO ENOMEM) ],
	openat => [ qw(EMFILE EACCES EIO EINTR) ],
	poll => [ qw(EINTR ENOMEM) ],
	ppoll => [ qw(EINTR ENOMEM) ],
	pread64 => [ qw(EIO EINTR) ],
	pwrite64 => [ qw(EIO ENOSPC EINTR) ],
	read => [ qw(EIO EINTR) ],
	recvfrom => [ qw(ECONNRESET EINTR) ],
	sendto => [ qw(EPIPE ECONNRESET EINTR) ],
	setsid => [ qw(EPERM) ],
	setsockopt => [ qw(ENOBUFS) ],
	socket => [ qw(EMFILE ENOBUFS) ],
	wait4 => [ qw(EINTR ECHILD) ],
	write => [ qw(EIO ENOSPC EPIPE EINTR) ],
);
my @other = qw(ENOMEM EIO);
# These never fail, or nobody could be told; and Linux closes a descriptor
# whatever close() says, which strace does not.
my %sure = map { $_ => 1 } qw(brk clock_gettime clock_nanosleep close exit_group futex getegid geteuid getgid getpeername getpid getppid
	gettid getuid madvise munmap rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn sched_yield
	set_robust_list setitimer umask);

# The same call by its other names: those of newer C libraries, and of 32 bits.
my %plain = (mmap2 => 'mmap', waitpid => 'wait4', _llseek => 'lseek',
	map({ $_ => 'newfstatat' } qw(fstat fstat64 fstatat64 lstat lstat64 stat stat64 statx)),
	map({ ("${_}32" => $_) } qw(fchown getegid geteuid getgid getuid)),
	map({ ("${_}64" => $_) } qw(clock_gettime fcntl fstatfs ftruncate statfs)),
	map({ ("${_}_time64" => $_) } qw(clock_nanosleep futex ppoll)));

sub plain ($name) { return $plain{$name} // $name }

#
# Runs: each with a site of its own
#

our @sites;

sub site ($like = undef, %env) {
	my $dir = tempdir();
	push @sites, $dir;
	copy($like, "$dir/q.db") && chmod 0600, "$dir/q.db" or die "$dir: $!" if $like;
	my $path = '/services/T0/B0/' . $dir =~ s/.*\W//r;
	return { dir => $dir, path => $path, env => { settings($dir, $slack->url($path)),
		SLACK_RETRY_MAX => '50ms', %env } };
}

sub sent ($site) {
	return map { join ' ', sort @{ $_->{events} } } grep { $_->{path} eq $site->{path} } messages($slack);
}

sub post ($site, $batch, @under) {
	return cgi(env => $site->{env}, body => $batch->{body}, cmd => [ @under, $door ], timeout => 60);
}

# A queue to begin with.
my $one = site();
post($one, $old)->{status} == 200 or die 'no queue to begin with';
my $queue = "$one->{dir}/q.db";

# What is wrong with an answer to a batch that is in $there, or is not.
sub faults_of_answer ($answer, $there) {
	my $status = $answer->{status};
	return 'answered ok, and it is nowhere' if $status == 200 && !$there;
	return "answered $status: $answer->{raw}" if $status !~ /^(?:0|200|400|502|503|504)$/;
	return ();
}

# How many events of each batch are in the queue, by its name.
sub batches ($site) {
	my %there;
	$there{ batch_of($_) }++ for listed($site->{env});
	return \%there;
}

sub faults_of_queue ($there) {
	return map { "$_ is there in part" } grep { $there->{$_} != 3 } keys %$there;
}

# Ends what strace runs, and so strace.
sub end_traced ($process) {
	my $strace = $process->pid;
	my @traced = split ' ', eval { slurp("/proc/$strace/task/$strace/children") } // '';
	kill TERM => @traced;
	@traced && eval { $process->wait_exit(5); 1 } or $process->stop;
}

# For each: what it runs under strace, with { said => what it told, bad => did
# it refuse anything, faults => [...] } as its result.
my %run = (
	'a CGI process without a queue' => sub (@strace) {
		my $site = site(undef, QUEUE => undef);
		my $answer = post($site, $new, @strace);
		my @sent = sent($site);
		my @fault = faults_of_answer($answer, @sent == 1);
		push @fault, "sent @sent" if @sent > 1 || grep { $_ ne join ' ', @{ $new->{events} } } @sent;
		push @fault, 'it cannot be sent again' if post($site, $new)->{status} != 200;
		return { said => "$answer->{raw}$answer->{err}", bad => $answer->{status} != 200, faults => \@fault };
	},
	'a CGI process with a queue' => sub (@strace) {
		my $site = site($queue);
		my $answer = post($site, $new, @strace);
		my $there = batches($site);
		my @fault = (faults_of_answer($answer, $there->{new}), faults_of_queue($there));
		push @fault, 'it cannot be sent again' if post($site, $new)->{status} != 200;
		push @fault, 'in the end there is ' . join ' ', listed($site->{env}) if listed($site->{env}) != 6;
		return { said => "$answer->{raw}$answer->{err}", bad => $answer->{status} != 200, faults => \@fault };
	},
	'a FastCGI process with a queue' => sub (@strace) {
		my $site = site($queue);
		my $process = fastcgi(env => $site->{env}, cmd => [ @strace, $door ]);
		$process->close_socket;
		my @answer = map { eval { $process->request(body => $_->{body}) } // { status => 0, raw => $@ } } $new, $newer;
		end_traced($process);
		my $there = batches($site);
		my @fault = (faults_of_answer($answer[0], $there->{new}),
			faults_of_answer($answer[1], $there->{newer}), faults_of_queue($there));
		push @fault, 'one cannot be sent again' if grep { post($site, $_)->{status} != 200 } $new, $newer;
		push @fault, 'in the end there is ' . join ' ', listed($site->{env}) if listed($site->{env}) != 9;
		return { said => join('', map({ $_->{raw} . ($_->{err} // '') } @answer), $process->stderr),
			bad => !!grep({ $_->{status} != 200 } @answer), faults => \@fault };
	},
	'a worker' => sub (@strace) {
		my $site = site($queue);
		my $ended = run(env => $site->{env}, cmd => [ @strace, ctl_path(), 'drain' ], timeout => 60);
		my (@left, @sent) = listed($site->{env});
		@sent = sent($site);
		my @fault;
		push @fault, "it ended with $ended->{exit} $ended->{signal}" if $ended->{signal} || $ended->{exit} !~ /^[013]$/;
		push @fault, "these are left: @left" if @left != 0 && @left != 3;
		push @fault, 'neither left nor sent' if !@left && !@sent;
		push @fault, 'ended with 0, and not sent' if $ended->{exit} == 0 && !@sent;
		my $again;
		eval { wait_until(sub { ($again = ctl($site->{env}, 'drain'))->{exit} != 3 }, 10, 'the next try') };
		push @fault, "then drain ends with $again->{exit}: $again->{err}" if $again->{exit};
		@sent = sent($site);
		push @fault, 'sent ' . @sent . ' times' if @sent < 1 || @sent > 2;
		push @fault, "sent $_" for grep { $_ ne join ' ', @{ $old->{events} } } @sent;
		push @fault, 'set aside' if listed($site->{env});
		return { said => $ended->{err}, bad => $ended->{exit} != 0, faults => \@fault };
	},
);

#
# Points: [ name of the call, its turn, its arguments, whether it is a child's ]
#

# Those of a program from main() on, and those of a child up to another program.
sub points_of ($report) {
	my @call = calls($report);
	my ($main) = grep { $call[$_]{args} =~ /main-begins-here/ } 0 .. $#call;
	my ($exec) = grep { $call[$_]{name} eq 'execve' } 0 .. $#call;
	my $child = !defined $exec || $exec > 0;
	@call = $child ? @call[ 0 .. $exec // $#call ] : @call[ $main + 1 .. $#call ];
	return map { [ @$_{qw(name turn args)}, $child ] } grep { !$sure{ plain($_->{name}) } } @call;
}

sub points ($code) {
	my $dir = tempdir();
	my $result = $code->(strace("$dir/calls", [ qw(-f -ff -y), preloaded() ]));
	is_deeply [ $result->{bad}, @{ $result->{faults} } ], [ !!0 ], 'all goes well when nothing fails' or diag $result->{said};
	my %seen;
	return grep { !$seen{"$_->[0] $_->[1]"}++ } map { points_of($_) } glob "$dir/calls.*";
}

# The preloaded library marks main() for us.
sub preloaded () { return ('-E', "LD_PRELOAD=$library") }

# The points with an error for each. Of a sample, each name is one at least.
sub failures (@point) {
	my (%of, $turn);
	my @all = map { my $point = $_; map { [ $point, $_ ] } @{ $errors{ plain($point->[0]) } // \@other } } @point;
	return @all if $ENV{FAULTS_ALL};
	my $step = int(@all / 15) + 1;
	return grep { $turn++ % $step == 0 || !$of{ $_->[0][0] }++ } @all;
}

# How a log names the cause, by the call: SQLite and the loader do not always
# keep the system's word, and libcurl has none for a socket.
my $sqlite = qr/disk I\/O error|disk is full|unable to open database file|readonly database|is malformed/;
my $loader = qr/libcurl\S+ cannot be loaded: .*: \S/;
my %words = (
	map({ $_ => qr/no connection/ } qw(getsockopt poll socket)),
	map({ $_ => $loader } qw(mmap mprotect)),
	map({ $_ => qr/$sqlite|$loader|was moved away/ } qw(newfstatat openat pread64)),
	map({ $_ => $sqlite } qw(fdatasync ftruncate pwrite64)),
	fcntl => qr/$sqlite|no connection|the answer is not HTTP, or this libcurl has no TLS/,
	read => $loader,
);

# An answer on its way to the web server: by descriptor 1, or as records of
# FastCGI for its output and its errors. What goes to Slack is neither.
my $answer = qr/^(?:1<|\d+<[^>]*>, "\\1\\[67]\\)/;

# What is wrong with what was said after this call failed so. A worker that
# cannot be started is no reason to refuse anything, but has its line.
sub faults_of_log ($result, $name, $child, $args, $error) {
	my $word = quotemeta strerror(Errno->can($error)->());
	$name = plain($name);
	my $said = $result->{said};
	return $said =~ /cannot be started: $word/ ? () : "no word of the worker: $said"
		if $child && $name !~ /^rt_sig|^dup2$|^close_range$/ || $name eq 'clone';
	return "no word of it: $said" if $name eq 'accept4' && $error =~ /^E(?:MFILE|NOMEM)$/ && $said !~ /$word/;
	return () if !$result->{bad} || $said =~ /$word/i;
	# There is nobody to be told; or the web server is, whose connection it was.
	return () if $name eq 'write' || $name eq 'read' && $args =~ /^\d+<socket:/
		|| $name eq 'sendto' && $args =~ $answer;
	return $words{$name} && $said =~ $words{$name} ? () : "no word of the cause: $said";
}

for my $what (sort keys %run) {
	subtest "$what whose calls fail keeps the promise" => sub {
		my @failure = failures(points($run{$what}));
		my @result = in_parts(4, \@failure, sub ($part, @mine) {
			local $slack = standin();
			local @sites;
			return map {
				my ($point, $error) = @$_;
				my ($name, $turn, $args, $child) = @$point;
				my $dir = tempdir();
				$slack->clear;
				my $result = $run{$what}->(strace("$dir/calls", [ qw(-f --seccomp-bpf), preloaded(),
					'-e', "trace=$name", '-e', "inject=$name:error=$error:when=$turn" ]));
				push @{ $result->{faults} }, faults_of_log($result, $name, $child, $args, $error);
				my $injected = slurp("$dir/calls") =~ /\(INJECTED\)/;
				remove_tree($dir, splice @sites);
				+{ %$result, injected => $injected,
					title => "$error at $name $turn (" . substr($args, 0, 60) . ')' };
			} @mine;
		});
		my @fault = map { my $r = $_; map { "$r->{title}: $_" } @{ $r->{faults} } } @result;
		is join("\n", @fault), '', 'the promise holds';
		# How often one waits is not the same each time.
		cmp_ok scalar(grep { $_->{injected} } @result), '>=', 0.95 * @failure, 'a call failed, nearly each time';
		note scalar(@failure), ' failures; it refused in ', scalar(grep { $_->{bad} } @result);
	};
}

#
# Calls that do less than they were asked to
#

# Where they are cut short: in the program under test alone.
sub short ($what, $bytes) {
	my $program = $what eq 'a worker' ? 'log-stream-ctl' : 'log-stream-to-slack';
	return (need('env'), "LD_PRELOAD=$library", "FAIL_PROGRAM=$program", "FAIL_SHORT=$bytes");
}

# What a signal may interrupt for a while. Were it every second call, libcurl's
# look at a connection, which takes turns with its wait, never came through.
my $interrupted = join ',', map { "?$_" } qw(accept4 flock poll ppoll ppoll_time64 recvfrom sendto wait4 waitpid);

for my $what (sort keys %run) {
	subtest "$what gets over reads and writes that stop short, and over signals" => sub {
		my %result = (
			map({ my $bytes = $_; ("$bytes bytes at a time" => $run{$what}->(short($what, $bytes))) } 7, 1000),
			'every third call interrupted' => $run{$what}->(strace(tempdir() . '/calls',
				[ qw(-f --seccomp-bpf -e), "trace=$interrupted", '-e', "inject=$interrupted:error=EINTR:when=2+3" ])),
		);
		for my $how (sort keys %result) {
			is_deeply $result{$how}{faults}, [], "$how: the promise holds";
			# A FastCGI answer goes in one piece, or the connection is given up.
			next if $what =~ /FastCGI/ && $how =~ /^7 bytes/;
			ok !$result{$how}{bad}, 'and it refuses nothing' or diag $result{$how}{said};
		}
	};
}

done_testing;
