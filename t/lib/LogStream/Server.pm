# Real web servers with what conf/ ships, as a site's owner has them: the
# programs in a directory of their own, and started by root, when that is who
# runs the test, the server's children and the programs as the server's user.
# It knows how to start and stop each server, and nothing of what should come
# back.
package LogStream::Server;

use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Carp qw(croak);
use Exporter qw(import);
use File::Copy qw(copy);
use IO::Socket::INET;
use LogStream::Test;

our @ISA = 'LogStream::Test::Process';
our @EXPORT = qw(server);

$Carp::Internal{$_}++ for map { "LogStream::Server$_" } '', '::Apache', '::Caddy', '::Lighttpd', '::Nginx';

# The settings are in .env, which is not looked for when this names another.
my %own_settings = (LOG_STREAM_CONFIG => undef);

# server('nginx-fastcgi.conf', env => {}, queue => one whose settings and
# directory are used, conf => text for the server's own configuration, edit =>
# what changes the file, given the server, which has a directory by then, and
# the text, sites => names: there is a socket and a NAME.conf for each): that
# file in use, by a server that answers.
sub server ($snippet, %o) {
	my $class = class_of($snippet);
	return bless({ %o, snippet => $snippet, program => $class->program }, $class)->up;
}

sub class_of ($snippet) { return 'LogStream::Server::' . ucfirst +($snippet =~ /^(\w+)/)[0] }

# Whether the server of that file logs what the door writes to the error stream.
sub keeps_log_of ($snippet) { return class_of($snippet)->keeps_log }

# Begins on a free port.
sub up ($self) {
	for (1 .. 5) {
		$self->furnish;
		return $self if $self->begin;
	}
	croak "found no free port for $self->{snippet}";
}

# The user and group that a web server is given when root starts it.
sub account () {
	return (getpwuid $>)[0], (getgrgid $))[0] if $> != 0;
	my ($user) = grep { defined getpwnam $_ } qw(www-data apache nginx http nobody);
	return $user, (getgrgid((getpwnam $user)[3]))[0];
}

# Files and directories become the server's user's.
sub give ($self, @path) {
	return if $> != 0;
	my ($user, $group) = account();
	chown +(getpwnam $user)[2], (getgrnam $group)[2], @path or croak "chown: $!";
}

# The directory: programs, settings, the server's configuration and log.
sub furnish ($self) {
	my $dir = $self->{dir} = tempdir();
	for (door_path(), ctl_path()) {
		copy($_, $dir) or croak "$_: $!";
	}
	chmod 0755, glob "$dir/log-stream-*";
	mkdir "$dir/$_" for qw(docroot tmp lighttpd);
	spew("$dir/.env", settings_text($self->{queue} ? $self->{queue}->env : $self->{env} // {}), 0600);
	utime 1, 1, "$dir/.env"; # a young one without a token may be half written
	spew("$dir/error.log", '');
	my $edit = $self->{edit} // sub ($server, $text) { $text };
	spew("$dir/snippet.conf", $edit->($self, sample($self->{snippet},
		map { $_ => $dir } qw(bindir runstatedir sysconfdir))));
	$self->give($dir, "$dir/.env", "$dir/tmp", "$dir/lighttpd", "$dir/error.log",
		$self->{queue} ? $self->{queue}->dir : ());
}

# False when another program took the port in the meantime.
sub begin ($self) {
	my $dir = $self->{dir};
	$self->{port} //= IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
	$self->start_backend;
	spew("$dir/conf", $self->configuration($dir, account()));
	my $seen = length $self->errorlog;
	open my $err, '>>', "$dir/error.log" or croak "$dir/error.log: $!";
	$self->launch(1, cmd => [ $self->command($dir) ], out => $err, err => $err, cwd => $dir,
		env => { %own_settings, $self->environment($dir) }, alone => 1);
	my ($up, $taken) = $self->signs;
	my $new;
	wait_until(sub {
		my $alive = $self->alive;
		$new = substr $self->errorlog, $seen;
		# It has the port: who else answers there is another program.
		return !$alive || $new =~ $up && IO::Socket::INET->new(
			PeerAddr => '127.0.0.1', PeerPort => $self->{port});
	}, 20, "$self->{program} to accept connections");
	return 1 if $self->alive;
	$self->stop;
	delete $self->{port};
	return 0 if $new =~ $taken;
	croak "$self->{snippet}: $self->{program} does not start: $new";
}

sub port ($self) { return $self->{port} }
sub dir ($self) { return $self->{dir} }
sub path ($self) { return '/api/logs' }
sub url ($self, $path = $self->path) { return "http://127.0.0.1:$self->{port}$path" }
sub door ($self) { return "$self->{dir}/log-stream-to-slack" }
sub errorlog ($self) { return slurp("$self->{dir}/error.log") }
sub command ($self, $dir) { return $self->{program}, $self->arguments($dir) }
sub environment ($self, $dir) { return () }
sub keeps_log ($class) { return 1 }
# Where the door's lines are.
sub log ($self) { return $self->keeps_log ? $self->errorlog : $self->{queue}->log }
sub has_backend ($self) { return 0 }
sub start_backend ($self) { }
sub is_cgi ($self) { return $self->{snippet} =~ /-cgi|fcgiwrap|htaccess/ }

# The processes of the door, whoever started them.
sub doors ($self) {
	my $door = $self->door;
	return grep { program_of($_) eq $door && runs($_) }
		map { m{^/proc/(\d+)$} } glob '/proc/[0-9]*';
}

# A server tells its programs to end, but may not wait for them.
sub stop ($self) {
	return if $self->{owner} != $$;
	$self->SUPER::stop;
	kill TERM => @{ delete $self->{backend} // [] };
	wait_until(sub { !$self->doors }, 10, 'the doors to end');
}

# Stopped and started again, on the same port.
sub restart ($self) {
	$self->stop;
	$self->begin or croak "$self->{snippet}: the port is taken";
}

# A restart that lets requests end; returns when it has happened.
sub restart_gracefully ($self) {
	my ($up) = $self->signs;
	my $before = () = $self->errorlog =~ /$up/g;
	$self->signal($self->graceful_signal);
	wait_until(sub { (() = $self->errorlog =~ /$up/g) > $before }, 20, 'the server to restart');
}

# FastCGI programs of the server's user at a socket, as root starts them.
sub spawn ($self, $socket, $count, @command) {
	my ($user, $group) = account();
	unlink $socket;
	my $ended = run(cwd => $self->{dir}, env => \%own_settings, cmd => [ need('spawn-fcgi'), '-s', $socket, '-M', '660', '-F', $count,
		$> == 0 ? ('-u', $user, '-g', $group, '-U', $user, '-G', $group) : (), '--', @command ]);
	croak "spawn-fcgi: $ended->{out}$ended->{err}" if $ended->{exit};
	push @{ $self->{backend} }, "$ended->{out}$ended->{err}" =~ /PID: (\d+)/g;
}

sub spawn_doors ($self) {
	my $dir = $self->{dir};
	$self->spawn("$dir/$_.sock", 4, $self->{sites} ? ('/usr/bin/env', "LOG_STREAM_CONFIG=$dir/$_.conf") : (),
		$self->door) for @{ $self->{sites} // [ 'log-stream-to-slack' ] };
}

#
# Apache
#

package LogStream::Server::Apache;

use Carp qw(croak);

BEGIN { our @ISA = 'LogStream::Server'; LogStream::Test->import(qw(need)) }

sub program ($class) { return need('apache2') }
sub arguments ($self, $dir) { return '-DFOREGROUND', '-d', $dir, '-f', "$dir/conf" }
sub signs ($self) { return qr/resuming normal operations/, qr/could not bind to address/ }
sub graceful_signal ($self) { return 'USR1' }
sub has_backend ($self) { return $self->{snippet} =~ /proxy/ }
sub start_backend ($self) { $self->spawn_doors if $self->has_backend }

my %modules = (
	'apache-cgi.conf' => [ qw(mpm_event alias cgid) ],
	'apache-fcgid.conf' => [ qw(mpm_event alias fcgid) ],
	'apache-proxy-fcgi.conf' => [ qw(mpm_event alias proxy proxy_fcgi) ],
);

# Those that the snippet needs.
sub modules ($snippet) { return $modules{$snippet} }

# modules => [...] takes the place of those of the snippet. reqtimeout as
# Debian has it: on.
sub configuration ($self, $dir, $user, $group) {
	my @module = (qw(authz_core reqtimeout rewrite), @{ $self->{modules} // $modules{ $self->{snippet} } });
	my ($place) = grep { -d } qw(/usr/lib/apache2/modules /usr/lib64/httpd/modules)
		or croak 'no directory of Apache modules';
	my $load = join '', map { "LoadModule ${_}_module $place/mod_$_.so\n" } @module;
	return <<"END";
ServerRoot "$dir"
ServerName localhost
PidFile "$dir/pid"
DefaultRuntimeDir "$dir/tmp"
ErrorLog "$dir/error.log"
Listen 127.0.0.1:$self->{port}
User $user
Group $group
$load
<IfModule cgid_module>
	ScriptSock "$dir/cgisock"
</IfModule>
<IfModule fcgid_module>
	FcgidIPCDir "$dir/tmp"
	FcgidProcessTableFile "$dir/fcgid_shm"
</IfModule>
DocumentRoot "$dir/docroot"
<Directory "/">
	Require all denied
</Directory>
<Directory "$dir/docroot">
	AllowOverride All
	Require all granted
</Directory>
<VirtualHost *:*>
	Include "$dir/snippet.conf"
</VirtualHost>
@{[ $self->{conf} // '' ]}
END
}

#
# Caddy
#

package LogStream::Server::Caddy;

use Carp qw(croak);

BEGIN { our @ISA = 'LogStream::Server'; LogStream::Test->import(qw(need run)) }

sub program ($class) { return need('caddy') }
sub arguments ($self, $dir) { return 'run', '--config', "$dir/conf", '--adapter', 'caddyfile' }
sub signs ($self) { return qr/"serving initial configuration"/, qr/address already in use/ }
sub has_backend ($self) { return 1 }
sub start_backend ($self) { $self->spawn_doors }
# 2.6 does not, in spite of capture_stderr.
sub keeps_log ($class) { return 0 }

# It never changes its user, and is started as that.
sub command ($self, $dir) {
	my ($user, $group) = LogStream::Server::account();
	return (($> == 0 ? (need('setpriv'), "--reuid=$user", "--regid=$group", '--clear-groups', '--') : ()),
		$self->SUPER::command($dir));
}

sub environment ($self, $dir) {
	return map { $_ => "$dir/tmp" } qw(HOME XDG_CONFIG_HOME XDG_DATA_HOME);
}

# By its own address for that; the command ends when it is done.
sub restart_gracefully ($self) {
	my $dir = $self->{dir};
	my $ended = run(cmd => [ $self->{program}, 'reload', '--force', '--config', "$dir/conf", '--adapter', 'caddyfile',
		'--address', "unix/$dir/tmp/admin" ], cwd => $dir, env => { $self->environment($dir) });
	croak "caddy reload: $ended->{err}" if $ended->{exit};
}

sub configuration ($self, $dir, $user, $group) {
	return <<"END";
{
	admin unix/$dir/tmp/admin
	auto_https off
@{[ $self->{conf} // '' ]}
}
http://:$self->{port} {
	bind 127.0.0.1
	root * $dir/docroot
	import $dir/snippet.conf
	file_server
}
END
}

#
# nginx
#

package LogStream::Server::Nginx;

BEGIN { our @ISA = 'LogStream::Server'; LogStream::Test->import(qw(need)) }

sub program ($class) { return need('nginx') }
sub arguments ($self, $dir) { return '-p', $dir, '-e', "$dir/error.log", '-c', "$dir/conf" }
sub signs ($self) { return qr/start worker process \d/, qr/Address already in use/ }
sub graceful_signal ($self) { return 'HUP' }
sub has_backend ($self) { return 1 }

# fcgiwrap as Debian's service has it: one process.
sub start_backend ($self) {
	return $self->spawn_doors if $self->{snippet} !~ /fcgiwrap/;
	$self->spawn("$self->{dir}/fcgiwrap.socket", 1, need('fcgiwrap'), '-f');
}

sub configuration ($self, $dir, $user, $group) {
	my $temporary = join '', map { "\t${_}_temp_path $dir/tmp/$_;\n" }
		qw(client_body fastcgi proxy scgi uwsgi);
	my $account = $> == 0 ? "user $user $group;" : '';
	return <<"END";
daemon off;
$account
worker_processes 2;
worker_rlimit_nofile 4096;
pid $dir/pid;
error_log $dir/error.log notice;
events { worker_connections 2048; }
http {
	access_log off;
$temporary
	server {
		listen 127.0.0.1:$self->{port};
		root $dir/docroot;
		include $dir/snippet.conf;
	}
@{[ $self->{conf} // '' ]}
}
END
}

#
# lighttpd
#

package LogStream::Server::Lighttpd;

BEGIN { our @ISA = 'LogStream::Server'; LogStream::Test->import(qw(need)) }

sub program ($class) { return need('lighttpd') }
sub arguments ($self, $dir) { return '-D', '-f', "$dir/conf" }
sub signs ($self) { return qr/server started/, qr/Address already in use/ }
sub graceful_signal ($self) { return 'USR1' }

sub configuration ($self, $dir, $user, $group) {
	my $account = $> == 0 ? qq(server.username = "$user"\nserver.groupname = "$group") : '';
	return <<"END";
server.bind = "127.0.0.1"
server.port = $self->{port}
server.document-root = "$dir/docroot"
server.errorlog = "$dir/error.log"
server.upload-dirs = ("$dir/tmp")
# As Debian has it.
server.modules += ( "mod_staticfile" )
$account
include "$dir/snippet.conf"
@{[ $self->{conf} // '' ]}
END
}

1;
