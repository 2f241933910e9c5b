# A database that a queue of t/storm.t is in, and what may happen to one: it is
# killed, sessions are ended, and a copy that was made earlier takes its place.
# It knows what the rows of a queue say of an event, and nothing of who uses
# them.
#
# Both kinds have: machines(), how many share it, and how many FastCGI receivers
# each has; address(), the value of QUEUE; rows(), "log_id|destination|state"
# lines; waiting(), how many rows wait; posting(), whether a message is on its
# way; acts(), [ weight, name, code ] each; and copy(), a copy of now: undef, or
# { kind, off => whether all programs must be off, put => what puts it in the
# place of the database, and returns the moment from which on nobody was
# answered by what was there before, and the rows of the copy, or nothing when
# it failed and changed nothing }.
package LogStream::Database;

use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Exporter qw(import);
use LogStream::PostgreSQL;
use LogStream::Test qw(need run slurp tempdir);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(database);

# database('sqlite'), or 'postgresql'.
sub database ($engine) {
	return { sqlite => 'LogStream::Database::SQLite', postgresql => 'LogStream::Database::PostgreSQL' }->{$engine}->new;
}

#
# SQLite: a file, of one machine
#

package LogStream::Database::SQLite;

BEGIN { LogStream::Test->import(qw(need run tempdir)); Time::HiRes->import('time') }

sub new ($class) {
	my $dir = tempdir();
	chmod 0700, $dir;
	return bless { dir => $dir, path => "$dir/queue.db" }, $class;
}

sub address ($self) { return "sqlite:$self->{path}" }
sub machines ($self) { return (1, 3) }
sub stop ($self) { }

# What the shell prints; undef when it failed.
sub shell ($self, $path, $text) {
	my $ended = run(cmd => [ need('sqlite3'), '-batch', '-list', '-init', '/dev/null', $path ],
		stdin => ".timeout 20000\n.bail on\n$text\n", timeout => 120);
	return $ended->{exit} ? undef : $ended->{out};
}

sub rows ($self) { return $self->shell($self->{path}, 'SELECT log_id, destination, state FROM event;') }
sub waiting ($self) { return 0 + ($self->shell($self->{path}, 'SELECT count(*) FROM event WHERE state = 0;') // -1) }
sub posting ($self) { return 0 + ($self->shell($self->{path}, 'SELECT max(posting) FROM destination;') || 0) }
sub is_sound ($self) { return ($self->shell($self->{path}, 'PRAGMA quick_check(1);') // '') eq "ok\n" }

sub backup ($self) {
	my $copy = "$self->{dir}/copy" . ++$self->{copies};
	return if !-e $self->{path};
	defined $self->shell($self->{path}, ".backup '$copy'") or return;
	chmod 0600, $copy;
	return $copy;
}

# The file is replaced while the programs have it open. Nobody writes at that
# moment: a journal beside the file would be played back into the new one.
sub put_in_place ($self, $copy) {
	$self->shell($self->{path}, "BEGIN IMMEDIATE;\n.shell mv '$copy' '$self->{path}'\nROLLBACK;");
	return !-e $copy;
}

# The file's content is replaced, as SQLite has it.
sub restore_into ($self, $copy) {
	return defined $self->shell($self->{path}, ".restore '$copy'");
}

# As INSTALL tells: all programs are stopped.
sub put_in_place_off ($self, $copy) {
	unlink map { "$self->{path}-$_" } qw(journal wal shm);
	return rename $copy, $self->{path};
}

sub copy ($self) {
	my $copy = $self->backup or return;
	my $how = (qw(put_in_place put_in_place_off restore_into))[rand 3];
	return { kind => "backup, $how", off => $how eq 'put_in_place_off', put => sub {
		my $held = $self->shell($copy, 'SELECT log_id, destination, state FROM event;');
		my @put = $self->$how($copy) ? (time, $held) : ();
		unlink $copy;
		return @put;
	} };
}

sub acts ($self) { return () }

#
# PostgreSQL: a primary and a standby, of several machines
#

package LogStream::Database::PostgreSQL;

BEGIN {
	LogStream::PostgreSQL->import;
	LogStream::Test->import(qw(run slurp tempdir));
	Time::HiRes->import(qw(sleep time));
}

use constant SCHEMA => 'storm';

sub new ($class) {
	my $self = bless { dir => tempdir() }, $class;
	$self->{primary} = postgresql(tcp => 1, fsync => 1);
	$self->{standby} = $self->{primary}->replica;
	$self->{address} = $self->{primary}->address(SCHEMA, more => '&target_session_attrs=read-write',
		host => join ',', map { '127.0.0.1:' . $self->{$_}->port } qw(primary standby));
	return $self;
}

sub address ($self) { return $self->{address} }
sub machines ($self) { return (3, 2) }
sub stop ($self) { $self->{$_}->stop for qw(primary standby) }
sub is_sound ($self) { return 1 }

sub sql ($self, $text) { return $self->{primary}->sql($text) }
sub rows ($self) { return $self->sql('SELECT log_id, destination, state FROM ' . SCHEMA . '.log_stream_event') . "\n" }
sub waiting ($self) { return 0 + $self->sql('SELECT count(*) FROM ' . SCHEMA . '.log_stream_event WHERE state = 0') }
sub posting ($self) { return 0 + ($self->sql('SELECT max(posting) FROM ' . SCHEMA . '.log_stream_destination') || 0) }

# A server is made anew from another, as a copy that follows it, at its place.
sub follow ($self, $server, $other) {
	$server->kill if $server->alive;
	$server->forget;
	system('rm', '-rf', $server->data) == 0 or die 'rm';
	LogStream::PostgreSQL::run_program('pg_basebackup', '-D', $server->data, '-R', '-X', 'stream', '-c', 'fast',
		'--no-sync', '-U', 'postgres', '-h', $other->dir, '-p', $other->port);
	$server->configure('');
	$server->start;
}

sub restart ($self) {
	my $server = $self->{primary};
	rand > 0.5 ? $server->stop('immediate') : $server->kill;
	sleep rand 0.3;
	$server->start;
}

# All sessions, or those of some.
sub cut_sessions ($self) {
	$self->{primary}->cut(rand > 0.5 ? 'true' : 'pid % 2 = 0');
}

sub acts ($self) {
	return ([ 4, 'server killed', sub { $self->restart } ], [ 8, 'connections cut', sub { $self->cut_sessions } ]);
}

# The standby gets no more of what is written from here on.
sub let_lag ($self) {
	$self->{standby}->sql("ALTER SYSTEM SET primary_conninfo = ''");
	$self->{standby}->sql('SELECT pg_reload_conf()');
}

sub fail_over ($self) {
	my ($old, $new) = @$self{qw(primary standby)};
	$old->kill;
	my $dead = time;
	$new->promote;
	@$self{qw(primary standby)} = ($new, $old);
	my $held = $self->rows;
	$self->follow($old, $new);
	return ($dead, $held);
}

sub base_backup ($self) {
	my $dir = "$self->{dir}/base" . ++$self->{copies};
	mkdir $dir;
	chmod 0755, $dir, $self->{dir};
	my $server = $self->{primary};
	chown +(stat $server->data)[4, 5], $dir;
	LogStream::PostgreSQL::run_program('pg_basebackup', '-D', "$dir/data", '-X', 'stream', '-c', 'fast', '--no-sync',
		'-U', 'postgres', '-h', $server->dir, '-p', $server->port);
	return $dir;
}

# The server begins again where the copy was made.
sub restore_base ($self, $dir) {
	my $server = $self->{primary};
	$self->{standby}->kill;
	$server->kill;
	my $dead = time;
	$server->forget;
	system('rm', '-rf', $server->data) == 0 && system('mv', "$dir/data", $server->data) == 0 or die 'mv';
	$server->start;
	my $held = $self->rows;
	$self->follow($self->{standby}, $server);
	return ($dead, $held);
}

sub dump ($self) {
	my $file = "$self->{dir}/dump" . ++$self->{copies};
	my $ended = run(timeout => 120, cmd => [ LogStream::PostgreSQL::program('pg_dump'), '-h', $self->{primary}->dir, '-p',
		$self->{primary}->port, '-U', 'postgres', '--clean', '--if-exists', '-n', SCHEMA, '-f', $file, 'postgres' ]);
	die "pg_dump: $ended->{err}" if $ended->{exit};
	return $file;
}

# In one transaction; false when a lock is held too long.
sub try_sql ($self, @text) {
	return eval { $self->sql(join "\n", 'BEGIN;', "SET LOCAL lock_timeout = '20s';", @text, 'COMMIT;'); 1 };
}

# The tables are dropped and made again; the sessions stay.
sub restore_dump ($self, $file) {
	my $good = $self->try_sql("SET LOCAL client_min_messages = 'error';", slurp($file));
	unlink $file;
	return $good ? (time, $self->rows) : ();
}

my $tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = '" . SCHEMA . "'::regnamespace"
	. " AND relname LIKE 'log_stream_%' AND relname <> 'log_stream_version'";

sub copy_tables ($self) {
	my @table = split /\n/, $self->sql($tables);
	$self->sql(join "\n", 'DROP SCHEMA IF EXISTS backup CASCADE;', 'BEGIN ISOLATION LEVEL REPEATABLE READ;',
		'CREATE SCHEMA backup;', (map { "CREATE TABLE backup.$_ AS TABLE " . SCHEMA . ".$_;" } @table),
		'CREATE TABLE backup.number AS SELECT last_value FROM ' . SCHEMA . '.log_stream_event_number_seq;', 'COMMIT;');
	return \@table;
}

# What is in the tables is replaced; the sessions stay.
sub restore_tables ($self, $table) {
	my $held = $self->sql('SELECT log_id, destination, state FROM backup.log_stream_event') . "\n";
	my $good = $self->try_sql(
		'TRUNCATE ' . join(', ', map { SCHEMA . ".$_" } @$table) . ';',
		(map { 'INSERT INTO ' . SCHEMA . ".$_ SELECT * FROM backup.$_;" } @$table),
		"SELECT setval('" . SCHEMA . ".log_stream_event_number_seq', last_value) FROM backup.number;");
	return $good ? (time, $held) : ();
}

my @backups = (
	[ 'base backup', \&base_backup, \&restore_base ],
	[ 'dump', \&dump, \&restore_dump ],
	[ 'copy of the tables', \&copy_tables, \&restore_tables ],
);

sub is_made ($self) { return $self->sql("SELECT count(*) FROM ($tables) AS t") >= 2 }

sub copy ($self) {
	return if !$self->is_made;
	if (rand > 0.5) {
		my $lags = rand > 0.3;
		$self->let_lag if $lags;
		return { kind => $lags ? 'failover, lagging' : 'failover', put => sub { $self->fail_over } };
	}
	my ($kind, $make, $restore) = @{ $backups[rand @backups] };
	my $copy = $self->$make;
	return { kind => $kind, put => sub { $self->$restore($copy) } };
}

1;
