# What the .t scripts share: running our programs as a web server or a person
# would, a Slack stand-in, and waiting with a deadline. It
# knows how to talk to the programs, and nothing of what they should answer.
#
# Bodies, output and files are bytes. Seconds may be fractions. Whatever takes
# longer than its deadline dies and says what it waited for. Processes and
# directories made here are gone when the script ends.
package LogStream::Test;

use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Carp qw(croak);
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Spec;
use File::Temp;
use HTTP::Tiny;
use IO::Handle;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Storable ();
use Test::More ();
use Time::HiRes ();

our @EXPORT;
BEGIN {
	@EXPORT = qw(door_path ctl_path srcdir builddir watched samples pages sample release need standin run cgi ctl
		fastcgi process queue logins http raw_http later beside finish_beside
		kill may_name named wait_until wait_until_read runs program_of settings_text
		slurp spew tempdir);
}

# A complaint names the line of the test script, not one of these.
$Carp::Internal{$_}++ for map { "LogStream::Test$_" }
	'', '::Process', '::Standin', '::FastCGI', '::Queue';

# A script that is told to stop still stops what it started.
$SIG{$_} ||= sub { exit 1 } for qw(HUP INT TERM);

#
# Places
#

# Made absolute now: make gives relative ones, and a script may chdir.
my $srcdir = abs_path($ENV{top_srcdir} // dirname(__FILE__) . '/../../..');
my $builddir = defined $ENV{top_builddir} ? abs_path($ENV{top_builddir})
	: (grep { -x "$_/fcgi/log-stream-to-slack" } $srcdir, "$srcdir/build")[0]
	// $srcdir;

sub srcdir () { return $srcdir }
sub builddir () { return $builddir }
sub door_path () { return "$builddir/fcgi/log-stream-to-slack" }
sub ctl_path () { return "$builddir/fcgi/log-stream-ctl" }

# "asan" or "valgrind" when make check-asan or check-valgrind runs the programs,
# which then take more memory and time than is theirs.
sub watched () { return $ENV{WATCHED} // '' }

# The names of what has places to be filled in: samples of configuration, which
# all are installed, and manual pages.
sub filled_in (@where) { return map { m{([^/]+)\.in\z} } map { glob "$srcdir/$_/*.in" } @where }
sub samples () { return grep { !/\.\d\z/ } filled_in('conf') }
sub pages () { return grep { /\.\d\z/ } filled_in('conf', 'fcgi') }

# The text of one of them, with these places: sample('x.conf', bindir => '/bin').
sub sample ($name, %place) {
	my ($file) = grep { -e } map { "$srcdir/$_/$name.in" } 'conf', 'fcgi';
	return slurp($file) =~ s/\@(\w+)\@/$place{$1} \/\/ croak "$name: \@$1\@ has no place"/ger;
}

# A directory with what a release has in it. Nothing is written elsewhere, so
# that others can work with what is built.
sub release () {
	my $tree = tempdir() . '/release';
	my $made = run(timeout => 120, cmd => [ need('make'), '-s', '-C', $builddir, 'distdir',
		"distdir=$tree", "top_distdir=$tree" ]);
	croak "make distdir: $made->{out}$made->{err}" if $made->{exit};
	return $tree;
}

# The full path of a program ("lighttpd", or a path), or true for a Perl module
# ("IO::Socket::SSL"). Without it the test is skipped, or fails when CI=true,
# unless bootstrap found that there is no package of it; so ask before the
# first test.
sub need ($program) {
	if ($program =~ /::/) {
		return 1 if eval "require $program";
	} elsif ($program =~ m{^/}) {
		return $program if -f $program && -x _;
	} else {
		my @path = split /:/, $ENV{PATH} // '';
		for (@path, qw(/usr/sbin /sbin /usr/local/sbin)) { return "$_/$program" if -f "$_/$program" && -x _ }
	}
	my $has_package = !grep { $_ eq $program } split ' ', $ENV{LEFT_OUT} // '';
	Test::More::plan(skip_all => $has_package ? "$program is not installed" : "no package here has $program")
		if ($ENV{CI} // '') ne 'true' || !$has_package;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::fail("$program is installed");
	croak "$program is not installed";
}

#
# Files
#

sub slurp ($file) {
	open my $in, '<:raw', $file or croak "$file: $!";
	local $/;
	return scalar(<$in>) // '';
}

# The mode, when given, is set before anything is written.
sub spew ($file, $bytes, $mode = undef) {
	open my $out, '>:raw', $file or croak "$file: $!";
	chmod $mode, $file if defined $mode;
	print $out $bytes;
	close $out or croak "$file: $!";
	return $file;
}

# A configuration file with these keys; one that is undef is left out.
sub settings_text ($set) {
	return join '', map { "$_=$set->{$_}\n" } grep { defined $set->{$_} } sort keys %$set;
}

# All directories of a script are in one, which goes when the script ends.
my $script = $$;
my $top = abs_path(File::Temp::tempdir('log-stream-XXXXXXXX', TMPDIR => 1, CLEANUP => 1));
chmod 0711, $top; # a web server's user is let through

sub tempdir () {
	return File::Temp::tempdir('XXXXXXXX', DIR => $top);
}

#
# Waiting
#

# What every deadline is multiplied by.
my $patience = { asan => 4, valgrind => 10 }->{ watched() } // 1;

# Runs $code in a process of its own and returns a function that waits for it
# and returns its value, a reference: so that slow cases run side by side.
sub later ($code) {
	pipe my $in, my $out or croak "pipe: $!";
	my $pid = fork // croak "fork: $!";
	if (!$pid) {
		close $in;
		my $result = eval { $code->() } // { died => $@ };
		Storable::store_fd($result, $out) && close $out;
		exit 0;
	}
	close $out;
	return sub {
		my $result = Storable::fd_retrieve($in);
		waitpid $pid, 0;
		croak $result->{died} if ref $result eq 'HASH' && $result->{died};
		return $result;
	};
}

# Begins a subtest in a process of its own, beside the others that were begun
# so, but for more than a few at a time. It is reported, in the order of
# beginning, by finish_beside().
my @beside;
pipe my $turn_taken, my $turn_given or croak "pipe: $!";
syswrite $turn_given, '.' x 8;

sub beside ($title, $code) {
	push @beside, [ $title, later(sub {
		my %said = (out => '', err => '');
		my $builder = Test::More->builder;
		$builder->output(\$said{out});
		$builder->todo_output(\$said{out});
		$builder->failure_output(\$said{err});
		sysread $turn_taken, my $turn, 1;
		$said{good} = eval { Test::More::subtest($title, $code) };
		$said{err} .= $@ if !defined $said{good};
		syswrite $turn_given, $turn;
		return \%said;
	}) ];
}

sub finish_beside () {
	for (splice @beside) {
		my ($title, $wait) = @$_;
		my $said = eval { $wait->() } // { out => '', err => "$@" };
		my $builder = Test::More->builder;
		my ($inner, $skipped) = $said->{out} =~ /\A(.*?)^ok \d+ # skip (.*)\n\z/ms;
		$builder->skip($skipped), next if defined $skipped;
		print { $builder->output } $said->{out} =~ s/^(?:not )?ok .*\n\z//mr;
		local $Test::Builder::Level = $Test::Builder::Level + 1;
		Test::More::ok($said->{good}, $title) or Test::More::diag($said->{err});
	}
}

# What $code returned once it was true.
sub wait_until ($code, $seconds, $what) {
	$seconds *= $patience;
	my $deadline = Time::HiRes::time() + $seconds;
	while (1) {
		my $result = $code->();
		return $result if $result;
		croak "waited $seconds s for $what" if Time::HiRes::time() > $deadline;
		Time::HiRes::sleep(0.01);
	}
}

# Waits until the program has read all that was sent to it.
sub wait_until_read ($socket) {
	wait_until(sub {
		my $count = pack 'i', 0;
		ioctl $socket, 0x5411, $count or die "SIOCOUTQ: $!";
		return unpack('i', $count) == 0;
	}, 5, 'the door to read what there is');
}

# Runs $code, which may block, and returns what it returns. The alarm repeats,
# because perl may miss the one that comes right before it blocks.
sub within ($seconds, $what, $code) {
	$seconds *= $patience;
	my (@result, $outer);
	my $good = eval {
		local $SIG{ALRM} = sub { croak "waited $seconds s for $what" };
		$outer = Time::HiRes::alarm($seconds, 1);
		@result = $code->();
		Time::HiRes::alarm(0);
		1;
	};
	my $why = $@;
	Time::HiRes::alarm($outer, 1);
	die $why if !$good;
	return wantarray ? @result : $result[0];
}

#
# Running a program to its end
#

# Keeps the programs away from a configuration in the developer's home. A test
# of the places where they look says LOG_STREAM_CONFIG => undef. The file is
# old: a young one without a token may be half written.
my $no_config = spew(tempdir() . '/none.conf', '');
utime 1, 1, $no_config;

# The environment of a program under test: what is given, and what it takes to
# run at all, under a sanitizer too. Nothing of the developer's own settings.
sub environment ($given) {
	my %env = (PATH => '/usr/bin:/bin', LC_ALL => 'C', LOG_STREAM_CONFIG => $no_config);
	for (qw(PATH TMPDIR TZ LD_LIBRARY_PATH LD_PRELOAD ASAN_OPTIONS LSAN_OPTIONS
		UBSAN_OPTIONS GCOV_PREFIX LLVM_PROFILE_FILE)) {
		$env{$_} = $ENV{$_} if defined $ENV{$_};
	}
	%env = (%env, %{ $given // {} });
	return { map { $_ => $env{$_} } grep { defined $env{$_} } keys %env };
}

# Starts a program with only the descriptors in, out and err, and, when alone is
# true, as a session: some servers end with their whole process group. Returns
# its pid.
sub start (%o) {
	my $pid = fork // croak "fork: $!";
	return $pid if $pid;

	$SIG{$_} = 'DEFAULT' for qw(PIPE HUP INT TERM CHLD ALRM);
	for my $fd (0 .. 2) {
		POSIX::dup2(fileno $o{(qw(in out err))[$fd]}, $fd);
	}
	%ENV = %{ environment($o{env}) };
	POSIX::setsid() if $o{alone};
	no warnings 'exec';
	chdir $o{cwd} and exec { $o{cmd}[0] } @{ $o{cmd} };
	my $why = "cannot run $o{cmd}[0]: $!\n";
	POSIX::write(2, $why, length $why);
	POSIX::_exit(127);
}

# Gives $input to a program: bytes, or a function that writes to the handle.
# When the function returns the handle, it stays open until the program ends.
sub feed ($handle, $input) {
	local $SIG{PIPE} = 'IGNORE';
	binmode $handle;
	$handle->autoflush;
	if (ref $input eq 'CODE') {
		my $kept = $input->($handle);
		return if ref $kept && $kept == $handle;
	} else {
		write_all($handle, $input);
	}
	close $handle;
}

# False when the reader has gone, which is its right.
sub write_all ($handle, $bytes) {
	local $SIG{PIPE} = 'IGNORE';
	for (my $at = 0; $at < length $bytes; ) {
		$at += syswrite($handle, $bytes, length($bytes) - $at, $at) // return 0;
	}
	return 1;
}

# Those of the named options that were given.
sub picked ($options, @name) {
	return map { $_ => $options->{$_} } grep { exists $options->{$_} } @name;
}

# run(cmd => [...], env => {}, stdin => bytes or code, timeout => 30,
# cwd => an empty one): { out, err, exit, signal }.
sub run (%o) {
	my $timeout = $o{timeout} // 30;
	my $dir = tempdir();
	open my $out, '+>', "$dir/out" or croak "$dir/out: $!";
	open my $err, '+>', "$dir/err" or croak "$dir/err: $!";
	mkdir "$dir/cwd";
	pipe my $in, my $feed or croak "pipe: $!";

	my $pid = start(cmd => $o{cmd}, env => $o{env}, cwd => $o{cwd} // "$dir/cwd",
		in => $in, out => $out, err => $err);
	close $in;
	my $status;
	my $good = eval {
		within($timeout, "$o{cmd}[0] to end", sub {
			feed($feed, $o{stdin} // '');
			waitpid $pid, 0;
			$status = $?;
		});
		1;
	};
	if (!$good) {
		my $why = $@;
		CORE::kill KILL => $pid;
		waitpid $pid, 0;
		die $why . "its output was:\n" . slurp("$dir/out") . slurp("$dir/err");
	}
	return { out => slurp("$dir/out"), err => slurp("$dir/err"),
		exit => $status >> 8, signal => $status & 127 };
}

# Whether programs can be given a host name of their own, by which machines that
# share a queue know each other. Only root may.
sub may_name () {
	state $may = $> == 0 && run(cmd => [ need('unshare'), qw(--uts hostname m) ])->{exit} == 0;
	return $may;
}

# The command that runs another under this host name, where that can be.
sub named ($name, @cmd) {
	return @cmd if !may_name();
	return (need('unshare'), '--uts', '/bin/sh', '-c', 'hostname "$0" && exec "$@"', $name, @cmd);
}

# ctl(\%env, @args). Lower-case stdin, cwd and timeout among the environment
# are for run().
sub ctl ($env, @args) {
	my %env = %$env;
	my %option = picked(\%env, qw(stdin cwd timeout));
	delete @env{keys %option};
	return run(%option, env => \%env, cmd => [ ctl_path(), @args ]);
}

#
# Processes by their number
#

# As perl's, whose place it takes in every script. 0, which is what a process
# that was not found may have for a number, would be the whole of make check,
# and -1 all that there is.
sub kill ($signal, @pid) {
	my @bad = grep { ($_ // '') !~ /\A-?[0-9]+\z/ || abs $_ < 2 } @pid;
	croak "no process to send $signal to: " . join ' ', map { $_ // 'undef' } @bad if @bad;
	return CORE::kill $signal => @pid;
}

# False for one that has ended, though nobody may have been told yet.
sub runs ($pid) {
	my $stat = eval { slurp("/proc/$pid/stat") } // return 0;
	return $stat !~ /\) [ZX]/;
}

# The path of the program that it is, be it that valgrind runs it.
sub program_of ($pid) {
	my $path = readlink "/proc/$pid/exe" // return '';
	return $path if $path !~ m{/valgrind/[^/]+\z};
	my (undef, @argument) = split /\0/, eval { slurp("/proc/$pid/cmdline") } // '';
	return (grep { !/^-/ } @argument)[0] // '';
}

# A program that a program of ours left behind works in a directory of ours.
sub left_behind () {
	return grep {
		$_ != $$ && index((readlink "/proc/$_/cwd") // '', "$top/") == 0 && runs($_)
	} map { m{^/proc/(\d+)$} } glob '/proc/[0-9]*';
}

# Again and again, because one may just be starting another.
sub end_left_behind () {
	my $signal = 'TERM';
	my $end = Time::HiRes::time() + 3;
	while (my @pid = left_behind()) {
		$signal = 'KILL' if Time::HiRes::time() > $end;
		CORE::kill $signal => @pid;
		Time::HiRes::sleep(0.02);
	}
}

#
# CGI and FastCGI
#

# The variables of a request. The lower-case names are options: method, token,
# length (undef: no CONTENT_LENGTH), body (only for its length). Others are
# variables themselves; undef takes one away.
sub variables (%o) {
	my $body = delete $o{body} // '';
	my $length = ref $body ? undef : length $body;
	$length = delete $o{length} if exists $o{length};
	my %variable = (
		GATEWAY_INTERFACE => 'CGI/1.1',
		SERVER_PROTOCOL => 'HTTP/1.1',
		SERVER_SOFTWARE => 'test',
		SERVER_NAME => 'localhost',
		SERVER_PORT => '80',
		REMOTE_ADDR => '127.0.0.1',
		REQUEST_METHOD => delete $o{method} // 'POST',
		REQUEST_URI => '/log-stream-to-slack',
		SCRIPT_NAME => '/log-stream-to-slack',
		QUERY_STRING => '',
		CONTENT_TYPE => 'application/json',
		CONTENT_LENGTH => $length,
		HTTP_AUTHORIZATION => delete $o{token},
		%o,
	);
	return map { $_ => $variable{$_} } grep { defined $variable{$_} } keys %variable;
}

# A body of failed logins with these log_ids.
sub logins (@id) {
	return JSON::PP->new->utf8->canonical->encode([ map {
		+{ log_id => $_, data => { type => 'f', description => "event $_" } }
	} @id ]);
}

# What a program answered, taken apart. The status is 0 when it did not even
# finish a header.
sub answer_of ($raw) {
	my ($head, $body) = $raw =~ /\A(.*?\r?\n)\r?\n(.*)\z/s
		or return (status => 0, headers => {}, body => '', raw => $raw);
	my %header = map { /^([^:]+):\s*(.*?)\s*$/ ? (lc $1 => $2) : () } split /\n/, $head;
	my ($status) = ($header{status} // 200) =~ /^(\d+)/;
	return (status => $status // 0, headers => \%header, body => $body, raw => $raw);
}

# The door as a CGI program: cgi(env => {}, method => 'POST', token => ...,
# body => bytes or code (see feed), length => ..., cwd => ..., timeout => 30):
# { status, headers, body, raw, err, exit, signal }.
sub cgi (%o) {
	my %request = picked(\%o, qw(method token length body));
	my $ended = run(cmd => $o{cmd} // [ door_path() ], stdin => $o{body},
		cwd => $o{cwd}, timeout => $o{timeout},
		env => { variables(%request), %{ $o{env} // {} } });
	return { answer_of($ended->{out}), map { $_ => $ended->{$_} } qw(err exit signal) };
}

sub standin (%o) { return LogStream::Test::Standin->new(%o) }
sub fastcgi (%o) { return LogStream::Test::FastCGI->new(%o) }
sub process (%o) { return LogStream::Test::Process->new(%o) }
sub queue (%o) { return LogStream::Test::Queue->new(%o) }

#
# HTTP
#

# { status, headers, body }; a failure to get any answer is status 599 with
# the reason as body. More options go to HTTP::Tiny.
sub http ($method, $url, $headers = {}, $body = undef, %o) {
	my $tiny = HTTP::Tiny->new(timeout => 10 * $patience, max_redirect => 0, keep_alive => 0,
		proxy => undef, http_proxy => undef, https_proxy => undef, %o);
	my $answer = $tiny->request($method, $url, { headers => $headers,
		defined $body ? (content => $body) : () });
	return { status => $answer->{status}, headers => $answer->{headers},
		body => $answer->{content} };
}

# Sends bytes, or what a function writes to the socket, and returns everything
# that comes until the other side closes.
sub raw_http ($port, $bytes, $timeout = 10) {
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
		or croak "cannot connect to port $port: $@";
	my $all = '';
	within($timeout, "port $port to answer and close", sub {
		ref $bytes ? $bytes->($socket) : write_all($socket, $bytes);
		1 while sysread $socket, $all, 65536, length $all;
	});
	return $all;
}

#
# Processes that stay
#

package LogStream::Test::Process;

use Carp qw(croak);
use POSIX ();
use Scalar::Util qw(weaken);

BEGIN { LogStream::Test->import(qw(kill slurp spew tempdir wait_until)) }

# Stopped at the latest before File::Temp takes their directories away.
my %running;
END {
	local $?;
	$_->stop for grep { defined } values %running;
	LogStream::Test::end_left_behind() if $$ == $script;
}

# process(cmd => [...], env => {}, cwd => an empty one)
sub new ($class, %o) {
	my $dir = tempdir();
	my $self = bless { dir => $dir }, $class;
	open my $out, '>>', "$dir/out" or croak "$dir/out: $!";
	open my $err, '>>', "$dir/err" or croak "$dir/err: $!";
	mkdir "$dir/cwd";
	$self->launch(1, cwd => "$dir/cwd", %o, out => $out, err => $err);
	return $self;
}

sub out ($self) { return slurp("$self->{dir}/out") }
sub err ($self) { return slurp("$self->{dir}/err") }

# Starts the programs described by start()'s options, one for each pid.
sub launch ($self, $count, %o) {
	open my $null, '+<', '/dev/null' or croak "/dev/null: $!";
	$self->{owner} = $$;
	$self->{ended} = {};
	weaken($running{ 0 + $self } = $self);
	$self->{pids} = [ map {
		LogStream::Test::start(in => $null, out => $null, err => \*STDERR,
			cwd => '/', %o)
	} 1 .. $count ];
}

sub pid ($self) { return $self->{pids}[0] }
sub pids ($self) { return @{ $self->{pids} } }

# How many still run.
sub alive ($self) {
	local ($?, $!);
	for my $pid (grep { !exists $self->{ended}{$_} } $self->pids) {
		my $got = waitpid $pid, POSIX::WNOHANG();
		$self->{ended}{$pid} = $? if $got == $pid;
	}
	return $self->pids - keys %{ $self->{ended} };
}

sub signal ($self, $signal) {
	$self->alive;
	return kill $signal => grep { !exists $self->{ended}{$_} } $self->pids;
}

# The wait status of the (first) process once all have ended.
sub wait_exit ($self, $seconds = 10) {
	wait_until(sub { !$self->alive }, $seconds, "process @{[$self->pids]} to end");
	return $self->{ended}{ $self->pid };
}

sub stop ($self) {
	return if $self->{owner} != $$;
	delete $running{ 0 + $self };
	$self->signal($_) for qw(TERM CONT);
	return if eval { $self->wait_exit(5); 1 };
	$self->signal('KILL');
	$self->wait_exit;
}

sub DESTROY ($self) {
	local ($@, $!, $?);
	$self->stop if $self->{pids};
}

# From /proc, of the first process: clock ticks used; the resident kB now and
# at the highest (the first alone in scalar context); the state letter.
sub cpu ($self) {
	my @field = split ' ', slurp('/proc/' . $self->pid . '/stat') =~ s/.*\)//sr;
	return $field[11] + $field[12];
}

sub rss_kb ($self) {
	my $status = slurp('/proc/' . $self->pid . '/status');
	my ($now, $high) = map { $status =~ /^$_:\s*(\d+)/m } qw(VmRSS VmHWM);
	return wantarray ? ($now, $high) : $now;
}

sub state ($self) {
	return (split ' ', slurp('/proc/' . $self->pid . '/stat') =~ s/.*\)//sr)[0];
}

#
# Slack
#

package LogStream::Test::Standin;

use Carp qw(croak);
use JSON::PP;

BEGIN {
	our @ISA = 'LogStream::Test::Process';
	LogStream::Test->import(qw(need run slurp spew srcdir tempdir wait_until));
}

# standin(port => 0, tls => 0, names => those of its certificate, show => 0)
sub new ($class, %o) {
	my $dir = tempdir();
	my $self = bless { dir => $dir, seen => 0, tls => $o{tls} }, $class;
	my @tls = $o{tls}
		? $self->make_certificate($o{names} // 'DNS:localhost,IP:127.0.0.1') : ();

	spew("$dir/record", '');
	mkdir "$dir/as";
	open my $shown, '>>', "$dir/shown" or croak "$dir/shown: $!";
	$self->launch(1, out => $shown, cmd => [ $^X, srcdir() . '/t/slack-standin',
		'--port', $o{port} // 0, '--port-file', "$dir/port",
		'--record', "$dir/record", '--as', "$dir/as", @tls, $o{show} ? '--show' : () ]);
	wait_until(sub {
		$self->alive or croak 'the Slack stand-in does not start';
		-e "$dir/port";
	}, 10, 'the Slack stand-in to listen');
	$self->{port} = 0 + slurp("$dir/port");
	return $self;
}

sub make_certificate ($self, $names) {
	my ($cert, $key) = map { "$self->{dir}/$_.pem" } qw(cert key);
	need('IO::Socket::SSL');
	my $made = run(cmd => [ need('openssl'), qw(req -x509 -nodes -days 2 -newkey ec
		-pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=localhost -addext),
		"subjectAltName=$names",
		'-out', $cert, '-keyout', $key ]);
	croak "openssl: $made->{err}" if $made->{exit};
	$self->{cert} = $cert;
	return ('--tls-cert', $cert, '--tls-key', $key);
}

sub port ($self) { return $self->{port} }
sub cert ($self) { return $self->{cert} }
sub shown ($self) { return slurp("$self->{dir}/shown") }

sub url ($self, $path) {
	return ($self->{tls} ? 'https' : 'http') . "://127.0.0.1:$self->{port}$path";
}

# From now on /as/$name answers as $path does: it is Slack when that is undef.
sub behave ($self, $name, $path = undef) {
	my $file = "$self->{dir}/as/$name";
	return unlink $file if !defined $path;
	rename spew("$self->{dir}/as-$name", "$path\n"), $file or croak "$file: $!";
}

# Whole lines only: the last one may still be on its way.
sub lines ($self) {
	my @line = slurp("$self->{dir}/record") =~ /^(.*)\n/mg;
	return splice @line, $self->{seen};
}

# The requests since the start or the last forget: each a hash of time (when
# its head was read), arrived (when it came to the machine), connection, method, path, query, headers, body (bytes), payload (characters),
# status, answer, problems.
sub requests ($self) {
	return map { JSON::PP->new->decode($_) } $self->lines;
}

# The titles in the messages that it took.
sub titles ($self) {
	return map { map { $_->{title} } @{ $_->{payload}{attachments} } }
		grep { ($_->{answer} // '') eq 'ok' } $self->requests;
}

# Waits for so many attachments that it took, and returns their titles.
sub wait_for_titles ($self, $count, $seconds = 10) {
	my @title;
	return @title if eval {
		wait_until(sub { $count <= (@title = $self->titles) }, $seconds, '');
	};
	croak "waited $seconds s for $count attachments, Slack took @title";
}

sub forget ($self) {
	$self->{seen} += () = $self->lines;
}

# As forget(), for good: a long record takes long to read.
sub clear ($self) {
	truncate "$self->{dir}/record", 0 or croak "$self->{dir}/record: $!";
	$self->{seen} = 0;
}

sub wait_for ($self, $count, $seconds = 10) {
	my $good = eval {
		wait_until(sub { $count <= (() = $self->lines) }, $seconds, '');
	};
	my @request = $self->requests;
	return @request if $good || @request >= $count;
	croak join "\n", "waited $seconds s for $count requests, Slack got " . @request,
		map { "  $_->{method} $_->{path}: $_->{body}" } @request;
}

#
# The door as a FastCGI program, with us as its web server
#

package LogStream::Test::FastCGI;

use Carp qw(croak);
use IO::Socket::UNIX;

BEGIN {
	our @ISA = 'LogStream::Test::Process';
	LogStream::Test->import(qw(door_path slurp tempdir));
}

# The record types of the FastCGI specification.
use constant { FCGI_BEGIN_REQUEST => 1, FCGI_ABORT_REQUEST => 2,
	FCGI_END_REQUEST => 3, FCGI_PARAMS => 4, FCGI_STDIN => 5,
	FCGI_STDOUT => 6, FCGI_STDERR => 7 };

# fastcgi(env => {}, processes => 1, cwd => an empty one)
sub new ($class, %o) {
	my $dir = tempdir();
	my $self = bless { dir => $dir, path => "$dir/socket" }, $class;

	$self->{listener} = IO::Socket::UNIX->new(Local => $self->{path}, Listen => 128)
		or croak "$self->{path}: $!";
	open my $err, '>>', "$dir/stderr" or croak "$dir/stderr: $!";
	mkdir "$dir/cwd";
	$self->launch($o{processes} // 1, in => $self->{listener}, err => $err,
		env => $o{env}, cwd => $o{cwd} // "$dir/cwd",
		cmd => $o{cmd} // [ door_path() ]);
	return $self;
}

sub path ($self) { return $self->{path} }
sub stderr ($self) { return slurp("$self->{dir}/stderr") }
sub close_socket ($self) { close delete $self->{listener} }

sub connect ($self) {
	return IO::Socket::UNIX->new(Peer => $self->{path}) // croak "$self->{path}: $!";
}

# The request's id: one of two bytes.
use constant REQUEST => 300;

sub record ($type, $content) {
	return pack 'CCnnCx a*', 1, $type, REQUEST, length $content, 0, $content;
}

# Bytes as the records of a stream, without the empty one that ends it.
sub stream ($type, $bytes) {
	return join '', map { record($type, $_) } unpack '(a65535)*', $bytes;
}

sub pairs (%pair) {
	return join '', map {
		my $value = $pair{$_};
		join '', (map {
			length($_) > 127 ? pack('N', 0x80000000 | length $_) : chr length $_
		} $_, $value), $_, $value;
	} sort keys %pair;
}

# All that send something return false when the program has gone.
sub put ($socket, $bytes) {
	return LogStream::Test::within(10, 'the program to read', sub {
		LogStream::Test::write_all($socket, $bytes);
	});
}

# The beginning of a request, up to the end of its parameters. %params are
# variables, or token, method and length as for cgi().
sub begin ($self, $socket, %params) {
	my %variable = LogStream::Test::variables(length => undef, %params);
	return put($socket, record(FCGI_BEGIN_REQUEST, pack 'nCx5', 1, 0)
		. stream(FCGI_PARAMS, pairs(%variable)) . record(FCGI_PARAMS, ''));
}

# A piece of the body; the empty one ends it.
sub stdin ($self, $socket, $bytes) {
	return put($socket, stream(FCGI_STDIN, $bytes) || record(FCGI_STDIN, ''));
}

sub abort ($self, $socket) {
	return put($socket, record(FCGI_ABORT_REQUEST, ''));
}

# $count bytes, or undef when the program closed before them.
sub take ($socket, $count) {
	my $bytes = '';
	while (length $bytes < $count) {
		sysread $socket, $bytes, $count - length $bytes, length $bytes
			or return undef;
	}
	return $bytes;
}

# { status, headers, body, raw, err, ended, app_status, protocol_status }.
# "ended" is false when the program closed without END_REQUEST.
sub answer ($self, $socket, $timeout = 10) {
	my %stream = (FCGI_STDOUT, '', FCGI_STDERR, '');
	my ($end, $content);
	LogStream::Test::within($timeout, 'an answer over FastCGI', sub {
		while (defined(my $head = take($socket, 8))) {
			my ($type, $id, $length, $padding) = unpack 'xCnnC', $head;
			croak "a record of request $id" if $id != REQUEST;
			$content = take($socket, $length + $padding) // last;
			$stream{$type} .= substr $content, 0, $length;
			$end = $content, last if $type == FCGI_END_REQUEST;
		}
	});
	my ($app, $protocol) = unpack 'NC', $end // '';
	return { LogStream::Test::answer_of($stream{+FCGI_STDOUT}),
		err => $stream{+FCGI_STDERR}, ended => defined $end,
		app_status => $app, protocol_status => $protocol };
}

# A complete exchange: request(body => bytes, token => ..., method => 'POST',
# length => ..., params => {}, timeout => 10), answered as answer() says.
sub request ($self, %o) {
	my $socket = $self->connect;
	my $body = $o{body} // '';
	$self->begin($socket, length => length $body,
		LogStream::Test::picked(\%o, qw(method token length)),
		%{ $o{params} // {} });
	$self->stdin($socket, $body) if $body ne '';
	$self->stdin($socket, '');
	return $self->answer($socket, $o{timeout} // 10);
}

#
# A queue and what works on it
#

package LogStream::Test::Queue;

use Carp qw(croak);
use Config;
use Fcntl qw(F_GETLK F_SETLK F_UNLCK F_WRLCK O_CREAT O_RDWR SEEK_SET);
use JSON::PP;

BEGIN { LogStream::Test->import(qw(process ctl_path kill runs settings_text slurp spew tempdir wait_until)) }

# What every request by way of a queue has for a token.
use constant TOKEN => 'token-SECRETtoken-0123456789';

# queue(slack => a stand-in, path => '/services/T0/B0/SECRETpath', env => {}):
# an empty place for a queue, and the settings of all that is run by way of it:
# that everything goes quickly, and that all logs to one file.
sub new ($class, %o) {
	my $dir = tempdir();
	my $self = bless { dir => $dir, path => "$dir/queue.db" }, $class;
	$self->{env} = { QUEUE => "sqlite:$self->{path}", LOG => "$dir/log",
		AUTH0_LOG_STREAM_TOKEN => TOKEN, DIGEST_AFTER => 0, SLACK_INTERVAL => '50ms',
		SLACK_RETRY_MAX => '200ms', SLACK_TIMEOUT => '5s', $o{slack} ? (SLACK_WEBHOOK_URL =>
			$o{slack}->url($o{path} // '/services/T0/B0/SECRETpath')) : (), %{ $o{env} // {} } };
	$self->{address} = $self->{env}{QUEUE} if ($self->{env}{QUEUE} // '') =~ /^postgresql:/;
	return $self;
}

sub dir ($self) { return $self->{dir} }
sub path ($self) { return $self->{path} }
sub way_in ($self) { return }	# the command that goes where the path is
sub address ($self) { return $self->{address} // "sqlite:$self->{path}" }
sub env ($self) { return $self->{env} }
sub log ($self) { return -e "$self->{dir}/log" ? slurp("$self->{dir}/log") : '' }

# From now on the settings stand in a file, those given changed.
sub configure ($self, %changed) {
	$self->{settings} = { %{ $self->{settings} // $self->{env} }, %changed };
	my $file = "$self->{dir}/conf";
	rename spew("$file.new", settings_text($self->{settings}), 0600), $file or croak "$file: $!";
	$self->{env} = { LOG_STREAM_CONFIG => $file };
}

# As the functions of these names, with the settings and the token.
sub cgi ($self, %o) {
	return LogStream::Test::cgi(token => TOKEN, %o,
		env => { %{ $self->{env} }, %{ $o{env} // {} } });
}

sub fastcgi ($self, %o) {
	return LogStream::Test::fastcgi(%o, env => { %{ $self->{env} }, %{ $o{env} // {} } });
}

sub ctl ($self, @args) { return LogStream::Test::ctl($self->{env}, @args) }

# A request to a FastCGI door.
sub ask ($self, $door, %o) { return $door->request(token => TOKEN, %o) }

# "log-stream-ctl work", told what else is given, as a process of ours.
sub work ($self, @args) {
	return process(env => $self->{env}, cmd => [ ctl_path(), 'work', @args ]);
}

# What "status --json" says.
sub status ($self) {
	my $ended = $self->ctl('status', '--json');
	die "status: $ended->{err}" if $ended->{exit} && $ended->{exit} != 4;
	return JSON::PP->new->utf8->decode($ended->{out});
}

# What "status --json" says of a destination.
sub standing ($self, $name = 'default') {
	return (grep { $_->{name} eq $name } @{ $self->status->{destinations} })[0];
}

# What "list --json" says, a hash an event.
sub rows ($self) {
	my $ended = $self->ctl('list', '--json');
	die "list: $ended->{err}" if $ended->{exit};
	return map { JSON::PP->new->utf8->decode($_) } split /\n/, $ended->{out};
}

sub wait_until_empty ($self, $seconds = 10) {
	wait_until(sub { !$self->rows }, $seconds, 'the queue to be empty');
}

# The lock that makes a worker: a struct flock of the C library that perl was
# built with. Its start and length, which stay 0, are as long as a file's
# length is, and aligned as a double is (i386: to 4).
my $flock = sprintf 's s x!%d x%d i x!%1$d', $Config{alignbytes} < $Config{lseeksize}
	? $Config{alignbytes} : $Config{lseeksize}, 2 * $Config{lseeksize};

sub lock ($file, $operation) {
	my $lock = pack $flock, F_WRLCK, SEEK_SET, 0;
	fcntl $file, $operation, $lock or die "the lock of the worker: $!";
	return (unpack $flock, $lock)[0, 2];
}

# The process that is the worker; 0 when there is none.
sub worker ($self) {
	return (eval { $self->status } // {})->{worker_pid} // 0 if $self->{address};
	open my $file, '+<', "$self->{path}-worker" or return 0;
	my ($type, $pid) = lock($file, F_GETLK);
	return $type == F_UNLCK ? 0 : $pid;
}

# Has a process lock the database, a file, and returns what ends that.
sub lock_out ($self) {
	my $sign = tempdir() . '/locked';
	open my $in, '|-', '/bin/sh', '-c', 'exec "$@" >"$0"', $sign, $self->way_in, LogStream::Test::need('sqlite3'), $self->path
		or die "sqlite3: $!";
	print $in ".bail on\n.timeout 10000\nBEGIN EXCLUSIVE;\n.shell echo locked\n";
	$in->flush;
	wait_until(sub { -s $sign }, 15, 'the lock');
	return sub { print $in "COMMIT;\n.quit\n"; close $in };
}

# Keeps any worker of this machine away, as long as what is returned lives and,
# of a queue that is a file, worker() is not asked: what is queued waits.
sub keep_workers_away ($self) {
	return $self->keep_advisory_lock if $self->{address};
	my $path = "$self->{path}-worker";
	sysopen my $file, $path, O_RDWR | O_CREAT, 0600 or die "$path: $!";
	chown +(stat $self->{dir})[4, 5], $path;
	lock($file, F_SETLK);
	return $file;
}

# The lock on PostgreSQL, in a session that ends with its standard input.
sub keep_advisory_lock ($self) {
	require LogStream::PostgreSQL;
	$self->ctl('drain'); # makes the tables
	my $held = "$self->{dir}/held";
	open my $psql, '|-', LogStream::PostgreSQL::program('psql'), qw(-X -A -t -q -o), $held, $self->{address}
		or die "psql: $!";
	$psql->autoflush;
	print $psql "SELECT pg_advisory_lock('log_stream_event'::regclass::oid::int,"
		. " ('x' || substr(md5('worker/@{[(POSIX::uname())[1]]}'), 1, 8))::bit(32)::int), 'held';\n";
	wait_until(sub { -s $held }, 10, 'the lock of the worker');
	return $psql;
}

sub wait_for_worker ($self, $seconds = 10) {
	return wait_until(sub { $self->worker }, $seconds, 'a worker');
}

# Sends the worker a signal and waits until it is gone. One that was started
# and is not the worker yet is ended, too.
sub end_worker ($self, $signal = 'TERM') {
	my @pid = grep { $_ } $self->worker,
		grep { (eval { slurp("/proc/$_/cmdline") } // '') =~ m{log-stream-ctl\0work\0} } $self->programs;
	kill $signal => @pid;
	wait_until(sub { !grep { runs($_) } @pid }, 10, "worker @pid to end");
}

# Programs of ours that have this queue in their environment, by number.
sub programs ($self) {
	my ($name) = grep { defined $self->{env}{$_} } qw(LOG_STREAM_CONFIG QUEUE);
	return grep {
		(eval { slurp("/proc/$_/environ") } // '') =~ /(?:\A|\0)$name=\Q$self->{env}{$name}\E\0/
			&& runs($_)
	} LogStream::Test::left_behind();
}

1;
