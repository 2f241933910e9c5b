#!/usr/bin/perl
# ./bootstrap as a new user meets it: a copy of the tree, the commands of the
# README, and what is left after Ctrl-C.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use IO::Socket::INET;
use JSON::PP;
use Test::More;
use LogStream::Test;

need($_) for qw(autoreconf automake lighttpd curl);

# A copy of what is in the repository: no configure, nothing built.
my $tree = tempdir() . '/tree';
mkdir $tree or die $!;
for my $name (qw(.ci COPYING INSTALL Makefile.am README bootstrap conf configure.ac fcgi lib t)) {
	system('cp', '-R', srcdir() . "/$name", "$tree/$name") == 0 or die "cp $name";
}
system("chmod -R u+w '$tree' && find '$tree' -name '*.o' -delete") == 0 or die;

my @home = (HOME => tempdir());

sub bootstrap ($env, @arguments) {
	return run(cmd => [ "$tree/bootstrap", @arguments ], env => { @home, %$env }, timeout => 300);
}

# What was started and not yet interrupted, for a script that dies.
my %serving;
END {
	local $?;
	kill KILL => -$_ for map { ($_, worker_sessions($_)) } keys %serving;
}

# The sessions that a "bootstrap serve" has made: lighttpd's and the worker's.
sub worker_sessions ($pid) {
	return split ' ', eval { slurp("/proc/$pid/task/$pid/children") } // '';
}

sub free_port () {
	return IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport;
}

# Starts "./bootstrap serve"; what it prints goes to the file returned with
# the process's number.
sub serve ($port, %env) {
	my $out = tempdir() . '/out';
	spew($out, '');
	my $pid = fork // die $!;
	if (!$pid) {
		setpgrp;
		# Who runs the tests in the background has it ignored.
		$SIG{INT} = 'DEFAULT';
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', $out or die $!;
		open STDERR, '>&', \*STDOUT or die $!;
		chdir $tree or die $!;
		my $path = $ENV{PATH};
		%ENV = (PATH => $path, PORT => $port, @home, %env);
		exec './bootstrap', 'serve';
	}
	$serving{$pid} = 1;
	my $ended;
	wait_until(sub { $ended = waitpid($pid, 1) != 0; $ended || slurp($out) =~ /^curl .*\n\n/m },
		240, 'bootstrap serve to print its curl');
	die slurp($out) if $ended;
	return ($pid, $out);
}

# The processes that have something to do with one of these directories.
sub processes (@directories) {
	my $names = join '|', map { quotemeta } @directories;
	return grep { command($_) =~ $names } map { m{(\d+)} } glob '/proc/[0-9]*';
}

# Those that are still there when there was time for a kill -9 to be done.
sub left_behind (@directories) {
	eval { wait_until(sub { !processes(@directories) }, 5, 'processes to end') };
	return map { command($_) } processes(@directories);
}

sub command ($number) {
	open my $in, '<', "/proc/$number/cmdline" or return '';
	return <$in> // '';
}

sub posted_to ($port, $headers, $body) {
	return http('POST', "http://127.0.0.1:$port/api/logs", $headers, $body)->{status};
}

# Ctrl-C in a terminal reaches every process of the group.
sub interrupt ($pid) {
	kill INT => -$pid;
	delete $serving{$pid};
	my $status;
	eval {
		wait_until(sub { waitpid($pid, 1) == $pid and ($status = $?, 1) }, 60, 'bootstrap to end');
	} or die $@, map { m{(\d+)} && slurp("$_/stat") . command($1) . "\n" } grep { -r "$_/stat" }
		map { "/proc/$_" } processes($tree, '/log-stream-', 'bootstrap', 'lighttpd');
	return $status;
}

subtest 'it says how it is used' => sub {
	my $help = bootstrap({}, '--help');
	is $help->{exit}, 0, '--help is no error';
	like $help->{out}, qr{^usage: \./bootstrap .*\./bootstrap serve .*\./bootstrap check}s,
		'and names the commands';
	my $wrong = bootstrap({}, 'sreve');
	is $wrong->{exit}, 2, 'a command that there is not is misuse';
	is $wrong->{err}, $help->{out}, 'and answered with the usage';
};

# A directory with these alone, for PATH.
sub programs (@names) {
	my $bin = tempdir();
	for my $program (@names) {
		my $path = (grep { -x } map { "$_/$program" } '/bin', '/usr/bin')[0];
		symlink $path, "$bin/$program" or die $! if $path;
	}
	return $bin;
}

sub check_with ($bin) {
	return run(cmd => [ '/bin/sh', "$tree/bootstrap", 'check' ], env => { @home, PATH => $bin });
}

subtest 'a system that is not Debian-like is told what to install' => sub {
	my $check = check_with(programs(qw(sh dirname printf id cat)));
	is $check->{exit}, 1, 'and that is a failure';
	like $check->{err}, qr/^bootstrap: this is not a Debian-like system\. Please install:\n/,
		'the first line says so';
	like $check->{err}, qr/^    libfcgi with its headers$/m, 'a library is named in words';
	like $check->{err}, qr/^    the perl module IO::Socket::SSL$/m, 'and what the tests need';
};

# /usr/sbin is looked into whatever PATH is, so that only some may be missing.
subtest 'what a Debian-like system has no package of is named and left out' => sub {
	my $bin = programs(qw(sh dirname printf cat grep tr));
	spew("$bin/id", "#!/bin/sh\necho 1000\n", 0755);
	spew("$bin/apt-get", "#!/bin/sh\nexit 1\n", 0755);
	spew("$bin/sudo", qq{#!/bin/sh\nprintf '<%s>' "\$\@" >>$bin/asked\n}, 0755);
	my $policy = sub ($known, @none) {
		my $without = join '|', @none;
		spew("$bin/apt-cache", <<"END", 0755);
#!/bin/sh
case \$2 in
'') echo '$known' ;;
$without) printf '%s:\n  Candidate: (none)\n' "\$2" ;;
*) printf '%s:\n  Candidate: 1.0\n' "\$2" ;;
esac
END
	};
	$policy->(' 500 http://deb.debian.org/debian trixie/main i386 Packages', qw(strace make));
	my $check = check_with($bin);
	is $check->{exit}, 1, 'what there is a package of is still needed';
	like $check->{out}, qr/^no package here has these, and their tests are left out: strace \ninstalling (?!.*\bstrace\b).* make .*\bspin\b/,
		'a program that tests alone need is left out';
	like $check->{err}, qr/^    make$/m, 'one that is needed to build is not';
	unlike $check->{err}, qr/strace/, 'it is not called missing';
	like slurp("$bin/asked"), qr/\A<apt-get><-q><update><sh>(?!.*<strace>).*<make>/s, 'nor installed';
	$policy->('', qw(strace make));
	like check_with($bin)->{out}, qr/\Ainstalling .* strace /, 'where apt has no packages at all nothing is left out';
};

subtest 'the two commands of the README work from a fresh copy' => sub {
	my ($port, $temporary) = (free_port(), tempdir());
	my ($pid, $out) = serve($port, TMPDIR => $temporary);
	my $said = slurp($out);
	like $said, qr{^Serving http://localhost:$port/api/logs; Ctrl-C stops it\.$}m,
		'it says where it serves';
	like $said, qr/^SLACK_WEBHOOK_URL is not set: messages are shown here\.$/m,
		'and that messages are shown';
	my ($curl) = $said =~ /^(curl .*)$/m;
	is run(cmd => [ 'sh', '-c', "$curl -s" ])->{out}, 'ok', 'the curl it prints comes back with ok';
	wait_until(sub { slurp($out) =~ /^\| Wrong email or password\. \[type: fu\]$/m }, 10, 'the message');
	pass 'and the message appears';

	my ($readme) = slurp("$tree/README") =~ /^(    curl .*?\}\]')$/ms;
	my ($shown) = slurp("$tree/README") =~ /^(    Auth0 log alert, acme\n(?:    \|.*\n)+)/m;
	is run(cmd => [ 'sh', '-c', $readme =~ s/:3000/:$port/r . ' -s' ])->{out}, 'ok',
		"the README's curl comes back with ok";
	$shown =~ s/^    //mg;
	wait_until(sub { index(slurp($out), $shown) >= 0 }, 10, "the README's message");
	pass 'and what the README shows appears, word for word';

	is interrupt($pid), 0, 'Ctrl-C ends it well';
	is_deeply [ left_behind($tree, $temporary) ], [], 'and no process is left';
	is_deeply [ glob "$temporary/*" ], [], 'nor a temporary file';
};

# Ctrl-C once reached the doors as well; lighttpd started others in their place
# and forgot one of ten.
subtest 'Ctrl-C leaves nothing behind, however often' => sub {
	for my $round (1 .. 8) {
		my ($port, $temporary) = (free_port(), tempdir());
		my ($pid) = serve($port, TMPDIR => $temporary);
		is posted_to($port, {}, '[]'), 204, "round $round";
		interrupt($pid);
		is_deeply [ left_behind($tree, $temporary) ], [], 'no process is left';
	}
};

subtest 'a token and a webhook of one\'s own are used' => sub {
	my $slack = standin();
	my $port = free_port();
	my ($pid, $out) = serve($port, SLACK_WEBHOOK_URL => $slack->url('/services/T/B/own'),
		AUTH0_LOG_STREAM_TOKEN => q{it's "a" $ecret});
	my ($curl) = slurp($out) =~ /^(curl .*)$/m;
	is run(cmd => [ 'sh', '-c', "$curl -s" ])->{out}, 'ok', 'the curl has the token in force, quoted';
	is +($slack->wait_for(1, 10))[0]{path}, '/services/T/B/own', 'the message goes to the webhook';
	unlike slurp($out), qr/messages are shown here/, 'no stand-in is started';
	is posted_to($port, {}, '[]'), 401, 'without the token the door is shut';
	is interrupt($pid), 0, 'Ctrl-C ends it well';
};

subtest 'a .env in this directory is in force, and its token stays there' => sub {
	my $slack = standin();
	spew("$tree/.env", qq{# mine\nAUTH0_LOG_STREAM_TOKEN="it's from the file"\n}
		. 'SLACK_WEBHOOK_URL=' . $slack->url('/services/T/B/x') . "\n", 0600);
	my $port = free_port();
	my ($pid, $out) = serve($port);
	my ($curl) = slurp($out) =~ /^(curl .*)$/m;
	unlike slurp($out), qr/from the file|messages are shown/, 'the token is not printed, and no stand-in started';
	is posted_to($port, {}, '[]'), 401, 'without the token the door is shut';
	is run(cmd => [ 'sh', '-c', "$curl -s" ])->{out}, 'ok', 'the curl fetches it from its place, wherever it is run';
	$slack->wait_for(1);
	pass 'the message goes to the webhook of the file';
	is interrupt($pid), 0, 'Ctrl-C ends it well';
	unlink "$tree/.env";
};

subtest 'a token in a file of its own is found, and stays there' => sub {
	spew("$tree/token", "secret from a file\nand another\n", 0600);
	my $port = free_port();
	my ($pid, $out) = serve($port, AUTH0_LOG_STREAM_TOKEN_FILE => 'token');
	my ($curl) = slurp($out) =~ /^(curl .*)$/m;
	unlike slurp($out), qr/from a file/, 'it is not printed';
	is posted_to($port, {}, '[]'), 401, 'without the token the door is shut';
	is run(cmd => [ 'sh', '-c', "$curl -s" ])->{out}, 'ok', 'the curl fetches it from its place';
	is interrupt($pid), 0, 'Ctrl-C ends it well';
};

subtest 'a bad configuration is said at once' => sub {
	my $serve = bootstrap({ PORT => free_port(), FILTER => 'failure!' }, 'serve');
	is $serve->{exit}, 1, 'it fails';
	like $serve->{err}, qr/^error: environment: FILTER: "failure!" is not .*\nbootstrap: the configuration is bad$/m, 'and says what is wrong';
};

subtest 'a port that is none is said' => sub {
	my $serve = bootstrap({ PORT => 'http' }, 'serve');
	is $serve->{exit}, 1, 'it fails';
	is $serve->{err}, "bootstrap: PORT is not a number: http\n", 'and says so';
};

subtest 'a port in use is said' => sub {
	my $taken = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
	my $serve = bootstrap({ PORT => $taken->sockport }, 'serve');
	is $serve->{exit}, 1, 'it fails';
	like $serve->{err}, qr/^bootstrap: lighttpd did not start: is port \d+ in use\? \(PORT=n\)$/m,
		'and says what to look at';
};

subtest 'a tree configured in place is not built over' => sub {
	spew("$tree/config.status", '');
	my $check = bootstrap({}, 'check');
	is $check->{exit}, 1, 'it fails';
	is $check->{err}, "bootstrap: this tree is configured in place: run 'make distclean' first\n",
		'and says what to do';
};

done_testing;
