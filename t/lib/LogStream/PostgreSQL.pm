# A PostgreSQL server of our own, and what may happen to one: it is stopped,
# it dies, it hangs, another takes over. It knows nothing of our tables.
#
# Each has its own directory, a socket in it, and, when tcp is true, a port of
# 127.0.0.1. As root it is run as postgres, which must not be root. Whoever
# starts servers beside each other begins with prepare(), so that initdb is run
# once and not by each. All is gone when the script ends.
package LogStream::PostgreSQL;

use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Carp qw(croak);
use Exporter qw(import);
use File::Temp;
use IO::Socket::INET;
use LogStream::Test qw(later need run runs slurp spew tempdir wait_until);

our @ISA = 'LogStream::Test::Process';
our @EXPORT = qw(pooler postgresql synchronous_pair);

$Carp::Internal{+__PACKAGE__}++;

#
# Programs
#

# Debian's are not on PATH.
sub program ($name) {
	my ($version) = sort { $b <=> $a } map { m{/(\d+)/bin/initdb\z} } glob '/usr/lib/postgresql/*/bin/initdb';
	return need($version ? "/usr/lib/postgresql/$version/bin/$name" : $name);
}

my @account = $> == 0 ? grep { $_ && $_->[2] } map { [ getpwnam $_ ] } qw(postgres nobody) : ();
my @as_account = !@account ? () : (need('setpriv'), "--reuid=$account[0][2]", "--regid=$account[0][3]",
	'--clear-groups');

sub run_program ($name, @arguments) {
	my $ended = run(cmd => [ @as_account, program($name), @arguments ], cwd => '/', timeout => 60);
	croak "$name: $ended->{out}$ended->{err}" if $ended->{exit} || $ended->{signal};
}

#
# Directories
#

# In memory, where there is some: the disk's own slowness is no part of this,
# but where it is asked for.
sub new_directory ($on_disk = 0) {
	my $dir = !$on_disk && -w '/dev/shm' ? File::Temp::tempdir('log-stream-XXXXXXXX', DIR => '/dev/shm', CLEANUP => 1)
		: tempdir();
	chmod 0755, $dir;
	chown @{ $account[0] }[2, 3], $dir if @account;
	return $dir;
}

# What initdb makes is copied for each server.
my $made;

sub prepare () {
	return if $made;
	program('initdb');
	my $dir = new_directory() . '/data';
	run_program('initdb', '-D', $dir, qw(-U postgres -A trust -E UTF8 --locale=C --no-sync --wal-segsize=1));
	$made = $dir;
}

#
# A server
#

# postgresql(fsync => 0, on_disk => 0, tcp => 0, conf => text for
# postgresql.conf): one that answers.
sub postgresql (%o) {
	prepare();
	my $self = bless { tcp => $o{tcp}, dir => new_directory($o{on_disk}), fsync => $o{fsync} ? 'on' : 'off' }, __PACKAGE__;
	system('cp', '-a', $made, $self->data) == 0 or croak "cp: $?";
	$self->configure($o{conf} // '');
	return $self->begin;
}

sub dir ($self) { return $self->{dir} }
sub data ($self) { return "$self->{dir}/data" }
sub port ($self) { return $self->{port} // 5432 }
sub log ($self) { return slurp("$self->{dir}/log") }

# No shared memory of a name: a server that is killed would leave it there.
sub configure ($self, $more) {
	open my $conf, '>>', $self->data . '/postgresql.conf' or croak $!;
	print $conf <<"END";
max_connections = 200
shared_buffers = 16MB
dynamic_shared_memory_type = mmap
unix_socket_directories = '$self->{dir}'
fsync = $self->{fsync}
full_page_writes = $self->{fsync}
jit = off
log_connections = on
log_line_prefix = '%m [%p] %u '
$more
END
	close $conf or croak $!;
}

# The first start, on a port that nobody else took meanwhile.
sub begin ($self) {
	for (1 .. 5) {
		$self->{port} = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport
			if $self->{tcp};
		return $self if $self->try_to_start;
	}
	croak 'the server does not start: ' . $self->log;
}

# False when it ended instead of accepting connections.
sub try_to_start ($self) {
	open my $log, '>>', "$self->{dir}/log" or croak "$self->{dir}/log: $!";
	$self->launch(1, out => $log, err => $log, alone => 1, cmd => [ @as_account, program('postgres'),
		'-D', $self->data, '-p', $self->port, '-h', $self->{tcp} ? '127.0.0.1' : '' ]);
	return wait_until(sub { !$self->alive || $self->is_ready }, 30, 'the server to start') && $self->alive;
}

sub is_ready ($self) {
	my @line = split /\n/, eval { slurp($self->data . '/postmaster.pid') } // '';
	return @line > 7 && $line[0] == $self->pid && $line[7] =~ /^(?:ready|standby)/;
}

# It and its children.
sub family ($self) {
	return if !$self->alive;
	my $pid = $self->pid;
	return $pid, split ' ', eval { slurp("/proc/$pid/task/$pid/children") } // '';
}

#
# What may happen to it
#

sub start ($self) {
	return if $self->alive;
	wait_until(sub { $self->try_to_start }, 30, 'the server to start again');
}

# 'fast': sessions are ended in order; 'immediate': as after a crash. Without
# one it is the end of the test.
sub stop ($self, $how = '') {
	return if $self->{owner} != $$;
	$self->continue;
	$self->signal($how eq 'fast' ? 'INT' : 'QUIT');
	eval { $self->wait_exit(20); 1 } or $self->kill;
	$self->forget if !$how;
}

# As when the machine dies.
sub kill ($self) {
	$self->pause;
	my @family = $self->family;
	CORE::kill KILL => @family;
	wait_until(sub { !$self->alive && !grep { runs($_) } @family }, 10, 'the server to be dead');
}

# The database hangs: connections are accepted, by the kernel, and nothing is
# answered. The first to stop is the one that could have more children.
sub pause ($self) {
	my %stopped;
	while (my @new = grep { !$stopped{$_}++ } $self->family) {
		CORE::kill STOP => @new;
		wait_until(sub { !grep { runs($_) && state_of($_) !~ /[tT]/ } @new }, 10, 'the server to hang');
	}
}

sub continue ($self) {
	CORE::kill CONT => reverse $self->family;
}

sub state_of ($pid) {
	return ((eval { slurp("/proc/$pid/stat") } // ') X') =~ /.*\) (\S)/s)[0];
}

# It will not be started again, which would do away with the shared memory of
# one that was killed.
sub forget ($self) {
	my ($id) = (eval { slurp($self->data . '/postmaster.pid') } // '') =~ /^ *\d+ +(\d+) *$/m;
	shmctl $id, 0, 0 if $id; # IPC_RMID
	$self->SUPER::stop;
}

# Ends all sessions but this one, or those of pg_stat_activity that a condition
# has, and returns how many when they are gone.
sub cut ($self, $which = 'true') {
	my $others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
	my @pid = map { s/\|.*//r } split /\n/, $self->sql("SELECT pid, pg_terminate_backend(pid) $others AND $which");
	my $pids = join ', ', @pid;
	wait_until(sub { $self->sql("SELECT count(*) $others AND pid IN ($pids)") == 0 }, 10, 'the sessions to end')
		if @pid;
	return scalar @pid;
}

# Waits until so many wait for a lock.
sub wait_for_waiting ($self, $count) {
	wait_until(sub { $count <= $self->sql('SELECT count(*) FROM pg_stat_activity'
		. " WHERE wait_event_type = 'Lock'") }, 10, 'somebody to wait for a lock');
}

# Runs $code while nobody can write to a table.
sub while_locked ($self, $table, $code) {
	my $hold = later(sub {
		eval { $self->sql("BEGIN; LOCK TABLE $table IN SHARE MODE; SELECT pg_sleep(30)") };
		return {};
	});
	wait_until(sub { $self->sql("SELECT count(*) FROM pg_locks WHERE granted AND mode = 'ShareLock'"
		. " AND relation = '$table'::regclass") }, 10, 'the lock');
	$code->();
	$self->cut("query LIKE '%pg_sleep(30)%'");
	$hold->();
}

# Reads its configuration again, with these lines as its pg_hba.conf.
sub admit ($self, $lines) {
	my $seen = () = $self->log =~ /received SIGHUP/g;
	spew($self->data . '/pg_hba.conf', $lines);
	$self->signal('HUP');
	wait_until(sub { (() = $self->log =~ /received SIGHUP/g) > $seen }, 10, 'the server to read pg_hba.conf');
}

# A second server, which follows this one. It has this one's settings.
sub replica ($self, %o) {
	my $new = bless { dir => new_directory(), map { $_ => $self->{$_} } qw(tcp fsync) }, __PACKAGE__;
	run_program('pg_basebackup', '-D', $new->data, '-R', '-X', 'stream', '-c', 'fast', '--no-sync',
		'-U', 'postgres', '-h', $self->dir, '-p', $self->port);
	$new->configure($o{conf} // '');
	return $new->begin;
}

# Two servers with ports: what the first has committed, the second has too. The
# second alone waits for nobody.
sub synchronous_pair () {
	my $first = postgresql(tcp => 1, conf => "synchronous_standby_names = '*'\nsynchronous_commit = local");
	my $second = $first->replica;
	$first->sql('ALTER SYSTEM SET synchronous_commit = on');
	$first->sql('SELECT pg_reload_conf()');
	wait_until(sub { $first->sql('SHOW synchronous_commit') eq 'on' }, 10, 'commits to wait for the replica');
	return ($first, $second);
}

# A replica becomes the one that takes changes.
sub promote ($self) {
	$self->sql('SELECT pg_promote()') eq 't' or croak 'not promoted: ' . $self->log;
}

#
# What is in it
#

# What psql prints, without the last end of line. It dies with the server's
# words. %o: database => 'postgres', role => 'postgres'.
sub sql ($self, $text, %o) {
	my $ended = run(stdin => $text, cmd => [ program('psql'), qw(-X -A -t -q -v ON_ERROR_STOP=1 -f -), '-h', $self->dir,
		'-p', $self->port, '-U', $o{role} // 'postgres', '-d', $o{database} // 'postgres' ]);
	croak "psql: $ended->{err}" if $ended->{exit};
	return $ended->{out} =~ s/\n\z//r;
}

# The value of QUEUE for a schema of this name, which is made when it is not
# there: '': none. %o: role => 'postgres', password, database => 'postgres',
# host => 'the socket', or '127.0.0.1', or more of them with their ports;
# more => what is added to the end.
sub address ($self, $schema = '', %o) {
	my $role = $o{role} // 'postgres';
	my %place = $o{database} ? (database => $o{database}) : ();
	$self->sql("CREATE SCHEMA IF NOT EXISTS $schema AUTHORIZATION \"$role\"", %place)
		if $schema && $self->sql('SELECT NOT pg_is_in_recovery()', %place) eq 't';
	my $who = $role . (defined $o{password} ? ":$o{password}" : '');
	my $where = $o{host} ? $o{host} =~ /[:,]/ ? $o{host} : "$o{host}:" . $self->port : '';
	my @query = (!$o{host} ? ('host=' . $self->dir, 'port=' . $self->port) : 'sslmode=disable',
		$schema ? "options=-csearch_path%3D$schema" : ());
	return "postgresql://$who\@$where/" . ($o{database} // 'postgres') . '?' . join('&', @query) . ($o{more} // '');
}

# PgBouncer in front of a server, in this pool_mode, and its port. From 1.21 on
# it can keep prepared statements for its clients, which is switched off; and
# what a session left on a server is not there by chance, but never.
sub pooler ($server, $mode) {
	my $pgbouncer = need('pgbouncer');
	my ($minor) = run(cmd => [ $pgbouncer, '--version' ])->{out} =~ /\b1\.(\d+)/;
	my $forgets = $minor >= 21 ? 'max_prepared_statements = 0' : '';
	my $dir = new_directory();
	my $self = bless { dir => $dir }, 'LogStream::Test::Process';
	for (1 .. 5) {
		my $port = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
		spew("$dir/users", qq("postgres" ""\n), 0644);
		spew("$dir/conf", <<"END", 0644);
[databases]
$mode = host=$server->{dir} port=@{[$server->port]} dbname=$mode user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
auth_file = $dir/users
pool_mode = $mode
server_reset_query_always = 1
$forgets
logfile = $dir/log
END
		spew("$dir/log", '', 0666);
		$self->launch(1, cmd => [ @as_account, $pgbouncer, '-q', "$dir/conf" ]);
		wait_until(sub { !$self->alive || slurp("$dir/log") =~ /listening on/ }, 10, 'pgbouncer to listen');
		return ($self, $port) if $self->alive;
	}
	croak 'pgbouncer does not start: ' . slurp("$dir/log");
}

# A role that may connect.
sub role ($self, $name, $options = '') {
	$self->sql("CREATE ROLE \"$name\" LOGIN $options");
	return $name;
}

1;
