# Machines on which our programs run, for t/storm.t: each has its own directory,
# host name and process numbers, receivers as FastCGI and as CGI programs, and
# whatever workers those start. Its power can be cut: then all that runs there
# ends at one moment, and only its files and its sockets are left. Those who
# post need not know: a request waits at the socket for the next start.
#
# It knows nothing of what is posted, and of queues only their environment.
# It needs root.
package LogStream::Machine;

use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Carp qw(croak);
use Exporter qw(import);
use Fcntl qw(F_SETFD);
use IO::Socket::UNIX;
use LogStream::Ledger qw(programs_in);
use LogStream::Test qw(ctl_path door_path kill need program_of slurp spew srcdir tempdir wait_until);

our @ISA = 'LogStream::Test::Process';
our @EXPORT = qw(machine);

$Carp::Internal{+__PACKAGE__}++;

# machine(name => 'm1', doors => 2, env => sub ($dir) { a hash }): one that is
# off.
sub machine (%o) {
	my $self = bless { name => $o{name}, dir => tempdir(), pids => [], ended => {}, owner => $$ }, __PACKAGE__;
	$self->{env} = $o{env}->($self->{dir});
	spew($self->log_path, '', 0600);
	$self->{socket} = { map { $_ => $self->new_socket($_) } 'cgi', map { "fastcgi$_" } 1 .. $o{doors} };
	return $self;
}

# It goes with the programs that are started.
sub new_socket ($self, $name) {
	my $socket = IO::Socket::UNIX->new(Local => $self->socket_path($name), Listen => 128)
		or croak $self->socket_path($name) . ": $!";
	fcntl $socket, F_SETFD, 0;
	return $socket;
}

sub name ($self) { return $self->{name} }
sub dir ($self) { return $self->{dir} }
sub env ($self) { return $self->{env} }
sub log_path ($self) { return "$self->{dir}/log" }
sub log ($self) { return slurp($self->log_path) }
sub socket_path ($self, $name) { return "$self->{dir}/$name.sock" }
# "cgi", and those of FastCGI receivers.
sub sockets ($self) { return sort keys %{ $self->{socket} } }

sub switch_on ($self) {
	my ($cgi, @door) = map { fileno $self->{socket}{$_} } $self->sockets;
	open my $err, '>>', "$self->{dir}/stderr" or croak "$self->{dir}/stderr: $!";
	$self->launch(1, err => $err, env => $self->{env}, cwd => $self->{dir}, alone => 1,
		cmd => [ need('unshare'), qw(--pid --uts --mount-proc --fork --kill-child), $^X,
			srcdir() . '/t/machine', $self->{name}, door_path(), $cgi, @door ]);
}

# Its first process, by the number that others see; unshare waits for it.
sub init ($self) {
	my $pid = $self->pid // return;
	return split ' ', eval { slurp("/proc/$pid/task/$pid/children") } // '';
}

# When it returns nothing runs there any more, and its connections are lost.
sub cut ($self) {
	return if !$self->alive;
	kill KILL => $self->init, $self->pid;
	$self->wait_exit(30);
	wait_until(sub { !programs_in($self->{dir}) }, 30, "machine $self->{name} to be off");
	$self->refuse;
}

# Ends the connections that wait for one that is off.
sub refuse ($self) {
	for (values %{ $self->{socket} }) {
		$_->blocking(0);
		1 while $_->accept;
	}
	$_->blocking(1) for values %{ $self->{socket} };
}

sub receivers ($self) { return $self->running(door_path()) }
sub workers ($self) { return $self->running(ctl_path()) }

sub running ($self, $program) {
	return grep { program_of($_) eq $program } programs_in($self->{dir});
}

sub stop ($self) {
	return if $self->{owner} != $$ || !$self->pids;
	$self->cut;
	$self->SUPER::stop;
}

# Posts a body to the socket of this name: the status of the answer; 0: there
# was none. For any process.
sub post ($self, $name, $body, $timeout) {
	my $answer = eval {
		$name eq 'cgi' ? $self->post_by_cgi($body, $timeout)
			: bless({ path => $self->socket_path($name) }, 'LogStream::Test::FastCGI')
				->request(body => $body, timeout => $timeout);
	};
	return $answer ? $answer->{status} : 0;
}

sub post_by_cgi ($self, $body, $timeout) {
	my %variable = LogStream::Test::variables(body => $body);
	my $socket = IO::Socket::UNIX->new(Peer => $self->socket_path('cgi')) or croak "cgi: $!";
	my $all = '';
	LogStream::Test::within($timeout, 'an answer over CGI', sub {
		LogStream::Test::write_all($socket, pack 'N/a* N/a*',
			join('', map { "$_=$variable{$_}\0" } keys %variable), $body);
		1 while sysread $socket, $all, 65536, length $all;
	});
	return { LogStream::Test::answer_of($all) };
}

1;
