#!/usr/bin/perl
# The units for systemd, as shipped: looked over by systemd's own tools, and
# run by a systemd that is booted for it, in namespaces and on an overlay of
# the root, so that this machine sees nothing of it. Where that cannot be,
# systemd-socket-activate at least starts the door.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Cases;
use LogStream::Server;
use LogStream::Test;
use Test::More;

my $analyze = need('systemd-analyze');
my $activate = need('systemd-socket-activate');
my @unit = qw(log-stream-to-slack.socket log-stream-to-slack.service log-stream-worker.service);
my ($socket, $door, $worker) = @unit;
my $slack = standin();

# All of them, in a directory, with these places filled in.
sub units ($dir, %place) {
	spew("$dir/$_", sample($_, %place)) for @unit;
	return $dir;
}

# The lines from here to the end of the section say what may not be done.
sub hardening ($name) {
	my ($text) = slurp(srcdir() . "/conf/$name.in") =~ /^(# Nothing is written.*?)(?:\n\[|\z)/ms;
	return $text =~ s/\n+\z//r;
}

#
# Looked over
#

my $dir = units(tempdir(), bindir => builddir() . '/fcgi', runstatedir => '/run',
	sysconfdir => '/etc', localstatedir => '/var');

subtest 'systemd finds nothing wrong with the units' => sub {
	# Behind the colon are systemd's own, with faults of their own.
	my $said = run(env => { SYSTEMD_UNIT_PATH => "$dir:" },
		cmd => [ $analyze, 'verify', '--man=no', map { "$dir/$_" } @unit ]);
	is $said->{exit}, 0, 'verify is content';
	is_deeply [ grep { /log-stream/ } split /\n/, "$said->{out}$said->{err}" ], [], 'and says nothing';
};

subtest 'a second site has units of its own, made as INSTALL says' => sub {
	my ($loop) = slurp(srcdir() . '/INSTALL') =~ /^( {4}for unit in socket service; do\n.*?^ {4}done\n)/ms;
	my $made = tempdir();
	$loop =~ s{/etc/systemd/system}{$made}g;
	$loop =~ s{examples/}{$dir/}g;
	is run(cmd => [ '/bin/sh', '-ec', $loop ])->{exit}, 0, 'it works';
	is_deeply [ map { (split m{/}, $_)[-1] } glob "$made/*" ], [ qw(acme.service acme.socket) ], 'both are there';
	my $said = run(env => { SYSTEMD_UNIT_PATH => "$made:" },
		cmd => [ $analyze, 'verify', '--man=no', glob "$made/*" ]);
	is $said->{exit} . join('', grep { /acme/ } "$said->{out}$said->{err}" =~ /^.*$/mg), 0, 'systemd is content';
	my ($service, $socket) = map { slurp("$made/acme.$_") } qw(service socket);
	like $service, qr{^\[Service\]\nEnvironment=LOG_STREAM_CONFIG=/etc/acme\.conf$}m, 'it has its configuration';
	like $service, qr/^Requires=acme\.socket$/m, 'and its socket';
	like $socket, qr{^ListenStream=/run/acme\.sock$}m, 'elsewhere';
	unlike $service . $socket, qr/^[^#\n]*log-stream-to-slack\.sock/m, 'and nothing of the first one';
};

subtest 'door and worker may do the same, and little' => sub {
	is hardening($door), hardening($worker), 'the same lines';
	for my $name ($door, $worker) {
		plan(skip_all => 'this systemd-analyze (before 250) reads no files')
			if run(cmd => [ $analyze, '--help' ])->{out} !~ /--offline/;
		my $said = run(cmd => [ $analyze, qw(security --offline=true --threshold=15), "$dir/$name" ]);
		my ($level) = $said->{out} =~ /exposure level for \S+: ([\d.]+)/;
		is $said->{exit}, 0, "$name: exposed no more than 1.5 of 10" or diag "$level\n$said->{out}";
	}
};

#
# Without a systemd
#

sub at ($path) { return bless { path => $path }, 'LogStream::Test::FastCGI' }

subtest 'started by systemd-socket-activate the door takes the socket that is its input' => sub {
	my $queue = queue(slack => $slack);
	$queue->configure;
	my $path = $queue->dir . '/socket';
	my $door = process(cmd => [ $activate, '--inetd', "--listen=$path",
		map({ "--setenv=$_=" . $queue->env->{$_} } keys %{ $queue->env }), door_path() ]);
	wait_until(sub { IO::Socket::UNIX->new(Peer => $path) }, 5, 'the socket');
	is $queue->ask(at($path), body => logins('activated'))->{body}, 'ok', 'the answer';
	is_deeply [ $slack->wait_for_titles(1) ], [ 'event activated [type: f]' ], 'and the message';
	$door->signal('TERM');
	is $door->wait_exit, 0, 'told to stop, it ends well';
	$queue->end_worker;
	$slack->forget;
};

#
# In a systemd
#

# Boots one, with the units in $1 and the programs of the build in $2, and says
# "cannot" and why where that is not possible. In a chroot the propagation of /
# cannot be changed, that of /proc can: all is mounted below that. The mounts
# go with this shell, the processes with the first of them, and then the cgroup
# is empty. It lasts until its input ends, so no longer than the test.
my $boot = <<'END';
cannot() { echo "cannot $*"; exit 77; }
group=
finish() {
	trap '' TERM INT HUP
	[ -z "$group" ] || [ -z "$!" ] || kill -KILL $! 2>/dev/null
	wait
	[ -z "$group" ] || until find $group -depth -type d -exec rmdir {} +; do
		[ -d $group ] && sleep 0.05 || break
	done 2>/dev/null
}
trap finish EXIT
trap 'exit 1' TERM INT HUP
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
top=/proc/fs root=$top/root
mount --make-rprivate /proc || cannot make /proc private
mount -t tmpfs -o mode=755 tmpfs $top || cannot mount on $top
mkdir $top/upper $top/work $top/cgroup $root
mount -t overlay -o lowerdir=/,upperdir=$top/upper,workdir=$top/work overlay $root ||
	cannot mount an overlay of /
mount -t cgroup2 cgroup2 $top/cgroup || cannot mount cgroup2
mkdir $top/cgroup/log-stream-test-$$ || cannot make a cgroup
group=$top/cgroup/log-stream-test-$$
[ -x $root/usr/lib/systemd/systemd ] || cannot find systemd in /usr/lib on the disk of /
set -e
cd $root
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 ptmx:5:2; do
	mknod -m 666 dev/${node%%:*} c $(echo ${node#*:} | tr : ' ')
done
mkdir dev/pts dev/shm dev/mqueue
mount -t sysfs -o ro sysfs sys
rm -rf etc/systemd/system/* usr/lib/systemd/system/*.wants usr/lib/systemd/system-generators
rm -f etc/machine-id
mkdir -p etc/systemd/journald.conf.d var/lib usr/local/bin
printf '[Journal]\nStorage=volatile\nAudit=no\nReadKMsg=no\n' >etc/systemd/journald.conf.d/test.conf
printf '[Unit]\nWants=systemd-journald.service\n' >etc/systemd/system/test.target
cp -r "$1"/. etc/systemd/system
cp "$2"/fcgi/log-stream-to-slack "$2"/fcgi/log-stream-ctl usr/local/bin
chmod 755 usr/local/bin/*
sh -c 'echo $$ >$1/cgroup.procs && shift && exec "$@"' sh $group \
	unshare --mount --propagation unchanged --pid --fork --kill-child --cgroup --ipc --uts sh -ec '
		mount -t proc proc proc
		mount -t cgroup2 cgroup2 sys/fs/cgroup
		mount --bind proc/sys proc/sys
		mount -o remount,bind,ro proc/sys
		exec chroot . env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			/usr/lib/systemd/systemd --system --unit=test.target
	' &
echo "started $!"
read line
END

my ($systemd, $init, $alive);
my $config = '/etc/log-stream-to-slack.conf';

# Why a systemd cannot be booted here; '' when it was.
sub boot_systemd () {
	return 'booting a systemd needs root' if $> != 0;
	return 'the units keep valgrind from running' if watched() eq 'valgrind';
	my @new = qw(unshare --mount --propagation unchanged);
	my $probe = run(cmd => [ @new, qw(--pid --fork --cgroup --ipc --uts true) ]);
	return 'no namespaces here: ' . $probe->{err} =~ s/\n.*//sr if $probe->{exit};
	my $units = units(tempdir(), bindir => '/usr/local/bin', runstatedir => '/run',
		sysconfdir => '/etc', localstatedir => '/var');
	pipe my $in, $alive or die "pipe: $!";
	$systemd = process(in => $in, cmd => [ @new, 'sh', '-c', $boot, 'sh', $units, builddir() ]);
	close $in;
	my $started = wait_until(sub {
		$systemd->alive ? ($systemd->out =~ /^started (\d+)$/m)[0] : 'no';
	}, 10, 'the namespaces');
	if ($started eq 'no') {
		return "$1: " . $systemd->err =~ s/\n.*//sr if $systemd->out =~ /^(cannot .*)$/m;
		die 'no systemd: ' . $systemd->err;
	}
	$init = wait_until(sub { (split ' ', slurp("/proc/$started/task/$started/children"))[0] },
		10, 'its first process');
	wait_until(sub { -S inside('/run/systemd/private')
		&& in_there('systemctl', 'is-active', 'test.target')->{out} eq "active\n" },
		10, 'systemd to come up');
	return '';
}

# A file of the booted system, by a name of ours.
sub inside ($path) { return "/proc/$init/root$path" }

sub way_in () { return need('nsenter'), '-t', $init, '-a', '-r', '--' }

sub in_there (@cmd) {
	return run(cmd => [ way_in(), @cmd ]);
}

sub systemctl (@args) {
	my $ended = in_there('systemctl', @args);
	die "systemctl @args: $ended->{err}" if $ended->{exit};
	return $ended->{out} =~ s/\n\z//r;
}

sub property ($unit, $name) { return systemctl('show', '-P', $name, $unit) }

# The processes of a unit, the main one first, by our numbers.
sub processes ($unit) {
	my $main = property($unit, 'MainPID');
	my ($group) = slurp("/proc/$init/cgroup") =~ m{^(0::/.*)/init\.scope$}m or die 'no cgroup';
	my @pid = grep {
		(eval { slurp("/proc/$_/cgroup") } // '') =~ m{^\Q$group/system.slice/$unit\E$}m && runs($_)
	} map { m{(\d+)} } glob '/proc/[0-9]*';
	my %inner = map { $_ => (eval { slurp("/proc/$_/status") } // '') =~ /^NSpid:.*\t$main$/m ? 0 : 1 } @pid;
	@pid = sort { $inner{$a} <=> $inner{$b} } @pid;
	return @pid;
}

# Sends the main process of a unit a signal and waits until it is gone.
sub end_main ($unit, $signal) {
	my $pid = wait_until(sub { (processes($unit))[0] }, 5, "$unit to run");
	kill $signal => $pid;
	wait_until(sub { !runs($pid) }, 5, "$unit to end");
}

sub wait_for_another ($unit, $main) {
	wait_until(sub { property($unit, 'MainPID') !~ /^(?:0|$main)$/ }, 5, "$unit to be back");
}

# Before that a door would start a worker of its own.
sub wait_for_worker () {
	wait_until(sub {
		in_there('env', "LOG_STREAM_CONFIG=$config", '/usr/local/bin/log-stream-ctl',
			'status')->{out} =~ /^worker: running/m;
	}, 5, 'the worker to be the one');
}

sub journal () { return in_there('journalctl', qw(-o cat -t log-stream-to-slack))->{out} }

my $token = 'token-SECRETtoken-0123456789';

sub configure () {
	my $file = spew(inside($config), <<"END", 0640);
SLACK_WEBHOOK_URL=http://localhost:@{[$slack->port]}/as/main
AUTH0_LOG_STREAM_TOKEN=$token
QUEUE=sqlite:/var/lib/log-stream-to-slack/queue.db
SLACK_INTERVAL=50ms
DIGEST_AFTER=0
MAX_BODY=3MiB
END
	chown 0, scalar(getgrnam 'www-data'), $file or die "$file: $!";
	# The programs may have been built for another place than /etc; and how
	# long systemd waits is not what is tested.
	for my $unit ($door, $worker) {
		mkdir inside("/etc/systemd/system/$unit.d");
		spew(inside("/etc/systemd/system/$unit.d/test.conf"), "[Service]\n"
			. "Environment=LOG_STREAM_CONFIG=$config\nRestartSec=20ms\n"
			# A report can go nowhere else, and a leak cannot be looked for.
			. "Environment=ASAN_OPTIONS=log_path=stderr:detect_leaks=0 UBSAN_OPTIONS=log_path=stderr\n");
	}
}

my $listener = '/run/log-stream-to-slack.sock';

sub told (@id) {
	return at(inside($listener))->request(token => $token, body => logins(@id))->{body};
}

# Whether Slack took these events since the last look, each once.
sub arrived (@id) {
	is_deeply [ sort $slack->wait_for_titles(scalar @id) ],
		[ sort map { "event $_ [type: f]" } @id ], 'each event is in Slack, once';
}

sub in_journal ($id) {
	wait_until(sub { journal() =~ /log_id=$id type=f destination=default outcome=sent$/m }, 5,
		"the line about $id in the journal");
	pass 'so says the journal';
}

# What the kernel lets a process do.
sub is_confined ($pid, $who) {
	my %status = slurp("/proc/$pid/status") =~ /^(\w+):\s*(.*)$/mg;
	my $user = getpwnam 'www-data';
	my %wanted = (Uid => join("\t", ($user) x 4), NoNewPrivs => 1, Seccomp => 2,
		CapEff => '0' x 16, CapBnd => '0' x 16, Umask => '0077');
	is_deeply { map { $_ => $status{$_} } keys %wanted }, \%wanted, "$who: it has no rights";
	like slurp("/proc/$pid/limits"), qr/^Max core file size\s+1\s+1\s/m, "$who: it leaves no core";
	# Tried as root, so that only the mounts say no.
	my @in_there = ('nsenter', '-t', $pid, '-m', '-r', '--');
	my @file = map { "$_/written" } '', qw(/etc /run /run/lock /dev/shm /var /var/lib /home /root
		/usr/local/bin /var/lib/log-stream-to-slack);
	is run(cmd => [ @in_there, 'sh', '-c', 'for file; do (: >"$file") && echo "$file"; rm -f "$file"; done',
		'sh', @file ])->{out}, "$file[-1]\n", "$who: it can write to the place of the queue alone";
	is run(cmd => [ @in_there, 'find', '/dev', '/proc/meminfo', '-type', 'b,f' ])->{out}, '',
		"$who: it sees no disk, and no more of the system than processes";
}

# nginx in the same system, and the queue as it is seen from there.
package Nginx {
	our @ISA = 'LogStream::Server::Nginx';

	my $place = '/run/nginx';

	sub furnish ($self) {
		my $dir = $self->{dir} = main::inside($place);
		mkdir $_ for $dir, "$dir/docroot", "$dir/tmp";
		main::spew("$dir/error.log", '');
		main::spew("$dir/snippet.conf",
			main::sample('nginx-fastcgi.conf', runstatedir => '/run', sysconfdir => '/etc'));
		$self->give("$dir/tmp");
	}

	sub arguments ($self, @) {
		return '-t', $init, qw(-m -r --), main::need('nginx'), '-p', $place,
			'-e', "$place/error.log", '-c', "$place/conf";
	}

	sub configuration ($self, $dir, @account) { return $self->SUPER::configuration($place, @account) }

	# The door is systemd's: nginx neither starts nor ends it.
	sub has_backend ($self) { return 0 }
	sub start_backend ($self) { }
	sub doors ($self) { return main::processes($door) }
	sub stop ($self) { return $self->LogStream::Test::Process::stop }
}

package Queue {
	our @ISA = 'LogStream::Test::Queue';

	sub path ($self) { return '/var/lib/log-stream-to-slack/queue.db' }
	sub way_in ($self) { return main::way_in() }

	# The service brings it back at once.
	sub end_worker ($self) { return main::systemctl('restart', $worker) }

	sub ctl ($self, @args) {
		return main::in_there('env', "LOG_STREAM_CONFIG=$config", '/usr/local/bin/log-stream-ctl', @args);
	}
}

my $cannot = boot_systemd();

SKIP: {
	skip $cannot, 1 if $cannot ne '';
	configure();
	$slack->behave(main => '/services/T0/B0/SECRETpath');

	subtest 'enabled, there are the socket and the worker, and no door yet' => sub {
		systemctl('daemon-reload');
		systemctl(qw(enable --now), $socket, $worker);
		wait_for_worker();
		my ($mode, @owner) = (stat inside($listener))[2, 4, 5];
		is sprintf('%o', $mode), '140660', "the socket's mode";
		is "@owner", join(' ', scalar getpwnam('www-data'), scalar getgrnam('www-data')), 'its owner';
		is property($door, 'ActiveState'), 'inactive', 'nobody has asked for the door';
		is property($worker, 'ActiveState'), 'active', 'the worker runs';
	};

	subtest 'a batch is answered ok, and the worker service delivers it' => sub {
		is told('a', 'b'), 'ok', 'the answer';
		arrived('a', 'b');
		is scalar(processes($door)), 1, 'the request started the door, which started no worker';
		in_journal('b');
		my ($pid) = processes($door);
		isnt readlink("/proc/$pid/fd/2"), readlink("/proc/$pid/fd/0"), "the door's log is no connection";
		is sprintf('%o', (stat inside('/var/lib/log-stream-to-slack'))[2]), '40700',
			'the directory of the queue was made for it';
	};

	subtest 'door and worker are confined' => sub {
		is_confined((processes($_))[0], $_) for $door, $worker;
	};

	subtest 'a door that is killed is back for the next request, each time' => sub {
		$slack->forget;
		my @id = map { "killed-$_" } 1 .. 7;
		for (@id) {
			end_main($door, 'KILL');
			is told($_), 'ok', 'the answer';
		}
		arrived(@id);
		my $main = property($door, 'MainPID');
		end_main($door, 'KILL');
		wait_for_another($door, $main);
		pass 'and without one';
	};

	subtest 'a door that could not be started is tried until it can' => sub {
		$slack->forget;
		my $program = inside('/usr/local/bin/log-stream-to-slack');
		is told('unharmed'), 'ok', 'it runs';
		rename $program, "$program.away" or die "$program: $!";
		end_main($door, 'KILL');
		my $waiting = at(inside($listener))->connect;
		wait_until(sub {
			6 < (() = in_there('journalctl', '-u', $door)->{out} =~ /Failed at step EXEC/g);
		}, 10, 'many failures');
		is property($socket, 'TriggerLimitIntervalUSec'), '0', 'or more in less time';
		close $waiting;
		rename "$program.away", $program or die "$program: $!";
		is told('mended'), 'ok', 'the answer';
		arrived('unharmed', 'mended');
	};

	subtest 'a worker that ends well is started again' => sub {
		$slack->forget;
		my $main = property($worker, 'MainPID');
		end_main($worker, 'HUP');
		wait_for_another($worker, $main);
		wait_for_worker();
		is told('again'), 'ok', 'the answer';
		arrived('again');
	};

	subtest 'stopped with a message on its way, nothing is lost, and nothing sent twice' => sub {
		$slack->forget;
		$slack->behave(main => '/drip/0.3');
		is told('slow'), 'ok', 'the answer';
		$slack->wait_for(1);
		is told('late'), 'ok', 'and that for one that has to wait';
		systemctl('stop', $socket, $door, $worker);
		is property($_, 'Result'), 'success', "$_ ended well" for $door, $worker;
		$slack->behave(main => '/services/T0/B0/SECRETpath');
		systemctl('start', $socket, $worker);
		arrived('slow', 'late');
	};

	subtest 'where there is no worker service the door starts a worker, confined as itself' => sub {
		$slack->forget;
		systemctl('disable', '--now', $worker);
		is told('own'), 'ok', 'the answer';
		arrived('own');
		in_journal('own');
		my ($main, @own) = processes($door);
		is @own, 1, 'a process beside the door';
		is_confined($own[0], 'the worker of the door');
		$slack->behave(main => '/drip/0.3');
		is told('on-its-way'), 'ok', 'the answer';
		$slack->wait_for(2);
		systemctl('stop', $socket, $door);
		is property($door, 'Result'), 'success', 'stopped, the door ends well';
		is_deeply [ grep { runs($_) } @own ], [], 'and the worker with it';
		$slack->behave(main => '/services/T0/B0/SECRETpath');
		systemctl('start', $door);
		is told('more'), 'ok', 'started by hand it has a socket too';
		arrived('own', 'on-its-way', 'more');
	};

	subtest 'behind nginx, all that holds behind any web server' => sub {
		$slack->forget;
		systemctl(qw(enable --now), $worker);
		wait_for_worker();
		my $nginx = bless({ program => need('nsenter'), snippet => 'nginx-fastcgi.conf' }, 'Nginx')->up;
		run_cases(server => $nginx, slack => $slack, name => 'main', queue => bless({}, 'Queue'));
	};

	subtest 'no secret is in the journal, nor in what systemd shows' => sub {
		my $said = in_there('journalctl', '-o', 'export')->{out} . in_there('systemctl', 'show', @unit)->{out};
		cmp_ok length $said, '>', 1000, 'much is said';
		unlike $said, qr/SECRET/, 'no secret';
		unlike $said, qr/Sanitizer:|runtime error:/, 'and no report of a sanitizer';
	};
}

sub show_journal () { diag in_there('journalctl', '--no-pager')->{out} if $init && runs($init) }
END { show_journal() if $? }

if ($systemd) {
	show_journal() if !Test::More->builder->is_passing;
	my $pid = $systemd->pid;
	$systemd->stop;
	ok !runs($init) && !grep({ -e "$_/log-stream-test-$pid" } qw(/sys/fs/cgroup /sys/fs/cgroup/unified))
		&& slurp('/proc/self/mountinfo') !~ m{ /proc/fs }, 'nothing of it is left' if $init;
}

done_testing;
