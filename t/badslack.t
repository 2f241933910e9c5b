#!/usr/bin/perl
# Slack, or what is in its place, at its worst: a row a fault. The door without
# a queue answers it as promised; a worker keeps the event and tries again
# later; and the log of both names the cause, and no secret. What Slack's own
# words mean is in post.t.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use LogStream::Ledger;
use LogStream::Test;
use Test::More;
use Time::HiRes qw(sleep time);

need('IO::Socket::SSL');
require IO::Socket::SSL::Utils;

my $main = $$;
my @server;
END { local $?; kill TERM => @server if $$ == $main }

#
# What is in the place of Slack
#

# A process that takes connections, one after the other, and does what $code
# does with each.
sub server ($code) {
	my $listener = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1') or die $!;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		@SIG{qw(PIPE TERM)} = ('IGNORE', sub { POSIX::_exit(0) });
		while (my $socket = $listener->accept) {
			$code->($socket);
			close $socket;
		}
		POSIX::_exit(0);
	}
	push @server, $pid;
	return $listener->sockport;
}

# False once the other side has gone.
sub send_all ($socket, $bytes) { return LogStream::Test::write_all($socket, $bytes) }

# Reads the request, and answers as $code does.
sub answering ($code) {
	return 'http://127.0.0.1:' . server(sub ($socket) {
		my $got = '';
		while ($got !~ /\r\n\r\n.*\}\z/s) { sysread $socket, $got, 65536, length $got or return }
		$code->($socket);
	}) . '/SECRET';
}

sub saying ($bytes) { return answering(sub ($socket) { send_all($socket, $bytes) }) }

# As long as the other side listens.
sub on_and_on ($socket, $bytes, $pause) {
	while (send_all($socket, $bytes)) { sleep $pause }
}

my $slack = standin();
my $elsewhere = standin();
my $other = standin(tls => 1, names => 'DNS:other.example');
my $unknown = standin(tls => 1);

# A stand-in whose certificate has had its day.
sub expired () {
	my ($cert, $key) = IO::Socket::SSL::Utils::CERT_create(subject => { commonName => 'localhost' },
		subjectAltNames => [ [ IP => '127.0.0.1' ] ], not_before => time - 7200, not_after => time - 3600, CA => 1,
		purpose => 'server');
	my $file = tempdir() . '/cert.pem';
	spew($file, IO::Socket::SSL::Utils::PEM_cert2string($cert));
	return ($file, server(sub ($socket) {
		IO::Socket::SSL->start_SSL($socket, SSL_server => 1, SSL_cert => $cert, SSL_key => $key);
	}));
}

my ($expired, $expired_port) = expired();

# Ports: one that nobody has, one whose listener takes nobody, and bad TLS.
my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp') or die $@;
my $full = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my @queue = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Blocking => 0) } 1 .. 8;
sub tls_server ($code) { return 'https://127.0.0.1:' . server($code) . '/SECRET' }

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
my $late = qr/timed out: no (?:connection|answer) within 1000 ms/;
my $broken = qr/the connection was closed (?:without an|before the end of the) answer|the connection broke off/;
my $not_http = qr/the answer is not HTTP/;

# A row a fault: what, where the webhook is, what the door answers, the cause
# in the log, and what else is in the environment. A status of 200 is no fault.
my @row = (
	[ 'a name that is none', 'https://slack.invalid/SECRET', 502, qr/Slack's name cannot be resolved: see / ],
	[ 'nobody', 'http://127.0.0.1:' . $closed->sockport . '/SECRET', 502, qr/no connection: Connection refused/ ],
	[ 'one who lets nobody in', 'http://127.0.0.1:' . $full->sockport . '/SECRET', 504, $late ],
	[ 'TLS that is broken off', tls_server(sub ($socket) { sysread $socket, my $hello, 100 }), 502,
		qr/TLS: the other side breaks it off/ ],
	[ 'TLS that does not begin', tls_server(sub ($socket) { sysread $socket, my $all, 9999 while !eof $socket }),
		504, $late ],
	[ 'no TLS', tls_server(sub ($socket) { send_all($socket, "$ok\r\nok") }), 502,
		qr/TLS: the other side breaks it off/ ],
	[ "another's certificate", $other->url('/services/SECRET'), 502, qr/TLS: .* not trusted: it is another host's/,
		SSL_CERT_FILE => $other->cert ],
	[ 'a certificate that nobody signed', $unknown->url('/services/SECRET'), 502,
		qr/TLS: .* not trusted: nobody but its owner has signed it/ ],
	[ 'an expired certificate', "https://127.0.0.1:$expired_port/SECRET", 502, qr/TLS: .* not trusted: it has expired/,
		SSL_CERT_FILE => $expired ],
	[ 'a body of a byte a second', $slack->url('/drip/1?SECRET'), 504, $late ],
	[ 'a header of a byte a second', answering(sub ($socket) {
		for (split //, "$ok\r\nok") { send_all($socket, $_) or return; sleep 1 }
	}), 504, $late ],
	[ 'lines of a header for ever', answering(sub ($socket) {
		send_all($socket, $ok);
		on_and_on($socket, "X: y\r\n", 0.01);
	}), 504, $late ],
	[ '"continue" for ever', answering(sub ($socket) { on_and_on($socket, "HTTP/1.1 100 Continue\r\n\r\n", 0.01) }),
		504, $late ],
	[ 'an error of 10 MB', $slack->url('/status/500/fatal_error?bytes=10000000&SECRET'), 502, qr/fatal_error/ ],
	[ 'an error that never ends', answering(sub ($socket) {
		send_all($socket, "HTTP/1.1 500 x\r\n\r\nfatal_error");
		on_and_on($socket, ' ' x 10_000, 0);
	}), 502, qr/fatal_error/ ],
	[ 'a line of 100 kB in the header', saying($ok . 'X: ' . 'y' x 102_400 . "\r\n\r\nok"), 502,
		qr/too long a header/ ],
	[ '100 kB of lines in the header', saying($ok . ('X: ' . 'y' x 995 . "\r\n") x 100 . "\r\nok"), 200 ],
	[ 'a redirect to another host', $slack->url('/redirect/' . $elsewhere->port), 502, qr/status 302, but the body is empty/ ],
	[ 'a length that is too small', saying("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok"), 502, qr/the body is not ok/ ],
	[ 'a length that is too large', saying("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"), 502,
		$broken ],
	[ 'a length that is none', saying("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok"), 502, $not_http ],
	[ 'two lengths', saying("${ok}Content-Length: 9\r\n\r\nok"), 502, qr/$not_http|$broken/ ],
	[ 'chunks that are none', saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n"), 502,
		$not_http ],
	[ 'what is no HTTP', saying("\x16\x03\x01 garbage \xff\x00 \r\n" x 3), 502, $not_http ],
	[ 'HTTP/0.9', saying('ok'), 502, $not_http ],
	[ 'a NUL in the header', saying("${ok}X: a\0b\r\n\r\nok"), 502, $not_http ],
	[ 'nothing', saying(''), 502, $broken ],
	[ 'a body packed small', saying("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n"
		. pack('H*', '1f8b08000000000002ffcbcf0600479ddc7902000000')), 502, qr/the body is not ok/ ],
	[ 'ok without a length', saying("HTTP/1.0 200 OK\r\n\r\nok"), 200 ],
);

#
# Each by the door and by a worker
#

# Where it is to take too long that is soon.
sub settings_for ($url, $status, %more) {
	return (SLACK_WEBHOOK_URL => $url, SLACK_TIMEOUT => $status == 504 ? '1s' : '20s',
		SLACK_RETRY_MAX => '1h', %more);
}

sub by_the_door ($row) {
	my ($what, $url, $status, $cause, %more) = @$row;
	my $start = time;
	my $answer = cgi(body => logins('id-1'), env => { settings_for($url, $status, %more) });
	my @fault;
	push @fault, "answered $answer->{raw}" if $answer->{status} != $status;
	push @fault, "no cause in $answer->{err}" if $cause && $answer->{err} !~ / slack=.*$cause.* outcome=(?:later|refused)$/m;
	push @fault, 'late' if $status == 504 && time - $start > 15;
	push @fault, "it tells: $answer->{raw}$answer->{err}" if "$answer->{raw}$answer->{err}" =~ /SECRET/;
	return @fault;
}

my $door = lonely_door(tempdir());

sub by_a_worker ($row) {
	my ($what, $url, $status, $cause, %more) = @$row;
	my $queue = queue(env => { settings_for($url, $status, %more) });
	$queue->cgi(body => logins('id-1'), cmd => [ $door ])->{status} == 200 or die 'not queued';
	my $ended = $queue->ctl('drain');
	my $standing = $queue->standing;
	my $log = $queue->log;
	my @fault;
	push @fault, "it tells: $log" if "$log$ended->{err}" =~ /SECRETpath|\/SECRET/;
	return (@fault, $ended->{exit} || $standing->{waiting} ? "not sent: $log" : ()) if $status == 200;
	push @fault, "drain ends with $ended->{exit}" if $ended->{exit} != 3;
	push @fault, "waiting $standing->{waiting}, set aside $standing->{set_aside}"
		if $standing->{waiting} != 1 || $standing->{set_aside};
	push @fault, "no cause in $log" if $log !~ / slack=.*$cause.* outcome=(?:later|refused)$/m;
	push @fault, 'no wait' if !$standing->{next_try_ms};
	return @fault;
}

# Some at a time, for most of what they take is waiting.
sub at_each_row ($code) {
	is_deeply $_->{faults}, [], $_->{what} for in_parts(6, \@row, sub ($part, @mine) {
		map { +{ what => $_->[0], faults => [ $code->($_) ] } } @mine;
	});
}

subtest 'the door tells what Slack did, and not where it is' => sub {
	at_each_row(\&by_the_door);
};

subtest 'a worker keeps the event, says why and waits' => sub {
	at_each_row(\&by_a_worker);
};

is scalar($elsewhere->requests), 0, 'nobody was asked where a redirect led';
is scalar($_->requests), 0, 'and nothing was sent to who had no good certificate' for $other, $unknown;

done_testing;
