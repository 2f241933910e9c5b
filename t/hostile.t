#!/usr/bin/perl
# Hostile clients: one table of attacks behind every web server, with an honest
# client beside them all the time; then what reaches the door itself, and what
# it writes for people to read.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Find qw(find);
use IO::Compress::Gzip qw(gzip);
use IO::Socket::INET;
use JSON::PP;
use LogStream::Server;
use LogStream::Test;
use Test::More;
use Time::HiRes qw(sleep time);

need($_) for qw(apache2 nginx lighttpd spawn-fcgi fcgiwrap strace);

my $json = JSON::PP->new->utf8->canonical;
my $token = LogStream::Test::Queue::TOKEN;
my $sanitized = slurp(door_path()) =~ /__asan_init/;
my $wrong = 'wrong token: the Authorization header is not the one expected';

# What is not to reach a log, a terminal or a person's eye as it is: ends of
# lines, escape sequences, controls of one byte and of two, marks of direction.
my $forged = 'log-stream-to-slack[1]: info log_id=x outcome=sent';
my @evil = ("a\n$forged", "a\r\n$forged\r\n", "\e[2J\e]0;x\a\e[31m", "\x{9b}31m\x{85}x\x{90}",
	"\x{2028}$forged\x{2029}", "\x{202e}turned\x{2066}", "\x{0}$forged", "\x{7f}\b\b\b",
	"\x{d800}x", 'x" outcome=sent y="', 'x\\', "x\t" x 400);
my $raw = qr/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]/;

# The bad inputs that a server got, for who reads the output.
my $tried = 0;

#
# Clients
#

sub connection ($h) {
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $h->{server}->port)
		// die "port @{[$h->{server}->port]}: $@";
}

sub put ($socket, $bytes) { return LogStream::Test::write_all($socket, $bytes) }

# The status of what comes back; 0: closed without a word. More is not waited
# for, because a server lingers with whom it has refused.
sub status_of ($socket, $seconds = 20) {
	my $got = LogStream::Test::within($seconds, 'an answer', sub {
		my $all = '';
		1 while $all !~ /\r\n\r\n/ && sysread $socket, $all, 4096, length $all;
		return $all;
	});
	return $got =~ m{\AHTTP/1\.\d (\d+)} ? $1 : 0;
}

sub head ($h, $more, $line = 'POST ' . $h->{server}->path) {
	return "$line HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n$more";
}

sub right () { return "Authorization: $token\r\n" }

# Sends the bytes, and for $half no more after them.
sub answer ($h, $bytes, $half = 0) {
	$tried++;
	my $socket = connection($h);
	put($socket, $bytes);
	shutdown $socket, 1 if $half;
	return status_of($socket);
}

# An honest client: its event is taken, whatever the others do.
sub honest ($h, $title, $path = $h->{server}->path, %header) {
	my $id = sprintf 'honest-%03d', ++$h->{honest};
	my $got = http('POST', $h->{server}->url($path), { Authorization => $token, %header }, logins($id),
		timeout => 30);
	is "$got->{status} $got->{body}", '200 ok', "$title: an honest client gets its ok";
}

#
# The doors
#

sub descriptors ($pid) {
	return map { readlink($_) // () } glob "/proc/$pid/fd/*";
}

sub peak_kb ($pid) {
	return (eval { slurp("/proc/$pid/status") } // '') =~ /^VmHWM:\s*(\d+)/m ? $1 : 0;
}

# Connections that the server holds: a line of the kernel's table each.
sub established ($h) {
	my $port = sprintf ':%04X', $h->{server}->port;
	return grep { (split)[1] =~ /$port\z/ && (split)[3] =~ /^0[18]$/ } split /\n/, slurp('/proc/net/tcp');
}

sub left_files ($h) {
	my @file;
	find({ no_chdir => 1, wanted => sub { push @file, $_ if -f } }, $h->{server}->dir . '/tmp');
	return @file;
}

#
# Attacks that last: they go on while the others come and go
#

# Connections that say nothing, or half a header; in processes of their own,
# whose limit of descriptors is not ours.
sub idle ($h, $count, $go) {
	my $ready = tempdir();
	for my $part (1 .. 4) {
		my $bytes = $part % 2 ? '' : substr head($h, right()), 0, -20;
		push @{ $h->{lasting} }, later(sub {
			my @socket = map { connection($h) } 1 .. $count / 4;
			$bytes eq '' or put($_, $bytes) for @socket;
			spew("$ready/$part", '');
			sleep 0.05 while -e $go;
			return {};
		});
	}
	wait_until(sub { 4 == (() = glob "$ready/*") }, 30, 'the idle ones to be connected');
	$tried += $count;
}

# A byte at a time, with the right token and a wrong one: a header, a body, a
# chunked body; and half a body with nothing after it.
sub slow ($h, $which, $go) {
	my $body = logins('slow') =~ s/\]\z/' ' x 5000/er;
	my $length = "Content-Length: @{[1 + length $body]}\r\n\r\n";
	my @slow = (
		[ '', head($h, right()) . "X: " . 'x' x 5000 ],
		[ head($h, right() . $length), $body ],
		[ head($h, "Authorization: x\r\n$length"), $body ],
		[ head($h, right() . "Transfer-Encoding: chunked\r\n\r\n"), $body =~ s/(.)/1\r\n$1\r\n/gsr ],
		[ head($h, right() . $length) . substr($body, 0, 100), '' ],
		[ head($h, "Authorization: x\r\n$length") . substr($body, 0, 100), '' ],
	);
	@slow = @slow[@$which];
	push @{ $h->{lasting} }, later(sub {
		$_->[2] = connection($h) for @slow;
		put($_->[2], $_->[0]) for @slow;
		for (my $at = 0; -e $go; $at++) {
			put($_->[2], substr $_->[1], $at, 1) for grep { $at < length $_->[1] } @slow;
			sleep 0.02;
		}
		return {};
	});
	$tried += @slow;
}

#
# Attacks that come
#

# What follows the header, as Content-Length or else says: none of it may be
# taken. "half": the client says that no more will come.
my $lie = logins('lie');
my $n = length $lie;
my %lies = (
	'none at all' => "\r\n$lie",
	'longer' => [ 'Content-Length: ' . ($n + 10) . "\r\n\r\n$lie" ],
	'longer than a record that is whole' => [ "Content-Length: 9999\r\n\r\n{\"data\":{\"type\":\"f\"}}\n" ],
	'shorter' => 'Content-Length: ' . ($n - 10) . "\r\n\r\n$lie",
	'0' => "Content-Length: 0\r\n\r\n$lie",
	'negative' => [ "Content-Length: -$n\r\n\r\n$lie" ],
	'what servers have for an unknown one' => [ "Content-Length: -1\r\n\r\n$lie" ],
	'with a plus' => [ "Content-Length: +$n\r\n\r\n$lie" ],
	'hexadecimal' => [ sprintf "Content-Length: 0x%x\r\n\r\n%s", $n, $lie ],
	'with an exponent' => [ "Content-Length: ${n}e0\r\n\r\n$lie" ],
	'with a comma' => [ "Content-Length: $n, 2\r\n\r\n$lie" ],
	'a word' => [ "Content-Length: x\r\n\r\n$lie" ],
	'empty' => [ "Content-Length: \r\n\r\n$lie" ],
	'2^63 - 1' => [ "Content-Length: 9223372036854775807\r\n\r\n$lie" ],
	'2^63' => [ "Content-Length: 9223372036854775808\r\n\r\n$lie" ],
	'2^64 and what there is' => [ 'Content-Length: 184467440737095516' . (16 + $n) . "\r\n\r\n$lie" ],
	'30 digits' => [ 'Content-Length: ' . '9' x 30 . "\r\n\r\n$lie" ],
	'two' => [ "Content-Length: 2\r\nContent-Length: $n\r\n\r\n$lie" ],
	'two, the other way' => [ "Content-Length: $n\r\nContent-Length: 2\r\n\r\n$lie" ],
	'with a space before the colon' => [ "Content-Length : $n\r\n\r\n$lie" ],
	'with an underscore' => "Content_Length: $n\r\n\r\n$lie",
	'with a NUL after it' => [ "Content-Length: $n\0\r\n\r\n$lie" ],
	'beside chunks that end at once' => "Content-Length: $n\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$lie",
	'beside chunks, before a second request' => "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
		. "0\r\n\r\nPOST /api/logs HTTP/1.1\r\nHost: x\r\nContent-Length: $n\r\n\r\n$lie",
	'chunked twice' => "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$lie",
	'another coding' => "Transfer-Encoding: xchunked\r\n\r\n" . sprintf("%x\r\n%s\r\n0\r\n\r\n", $n, $lie),
	'a space before chunked' => "Transfer-Encoding : chunked\r\n\r\n" . sprintf("%x\r\n%s\r\n0\r\n\r\n", $n, $lie),
	'a negative chunk' => "Transfer-Encoding: chunked\r\n\r\n-2\r\n$lie\r\n0\r\n\r\n",
	'a chunk of 2^72' => "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n$lie\r\n0\r\n\r\n",
	'a chunk that is too short' => "Transfer-Encoding: chunked\r\n\r\n5\r\n$lie\r\n0\r\n\r\n",
	'chunks without an end' => [ "Transfer-Encoding: chunked\r\n\r\n" . sprintf "%x\r\n%s\r\n", $n, $lie ],
	'packed, and said to be' => do {
		my $bomb = '[' . ' ' x 10_000_000 . substr $lie, 1;
		gzip(\$bomb, \my $packed) or die;
		"Content-Encoding: gzip\r\nContent-Length: @{[length $packed]}\r\n\r\n$packed";
	},
);

sub attack_lies ($h) {
	for my $what (sort keys %lies) {
		my $lie = $lies{$what};
		my $got = answer($h, head($h, right()) . (ref $lie ? @$lie : $lie), ref $lie);
		like $got, qr/^(?:0|4\d\d|501)$/, "a length that is $what is not taken";
	}
}

sub attack_large ($h) {
	my $done = tempdir() . '/done';
	my $on_disk = 0;
	my $block = ' ' x (1 << 20);
	my %credentials = ('the right token' => right(), 'a wrong token' => "Authorization: x\r\n", 'no token' => '');
	for my $who (sort keys %credentials) {
		for my $chunked ($who eq 'no token' ? 0 : (0, 1)) {
			my $piece = $chunked ? "100000\r\n$block\r\n" : $block;
			my $got = later(sub {
				my $socket = connection($h);
				put($socket, head($h, $credentials{$who} . ($chunked ? "Transfer-Encoding: chunked\r\n\r\n"
					: "Content-Length: 104857600\r\n\r\n")));
				for (1 .. 100) { put($socket, $piece) or last }
				put($socket, "0\r\n\r\n") if $chunked;
				spew($done, '');
				return { status => status_of($socket, 60) };
			});
			$tried++;
			honest($h, "beside a body of 100 MB with $who");
			until (-e $done) {
				my $size = 0;
				$size += -s $_ // 0 for left_files($h);
				$on_disk = $size if $size > $on_disk;
				sleep 0.01;
			}
			unlink $done;
			# Closed while the client still wrote, the answer is lost.
			like $got->()->{status}, qr/^(?:0|401|413)$/, "100 MB with $who" . ($chunked ? ', chunked' : '');
		}
	}
	# Two of them may be on their way out.
	cmp_ok $on_disk, '<', 70 << 20, 'and little of it on the disk';
}

sub attack_headers ($h) {
	my %flood = (
		'10,000 headers' => join('', map { "X-$_: y\r\n" } 1 .. 10_000),
		'a header of 1 MB' => 'X: ' . 'y' x 1_000_000 . "\r\n",
		'a token of 100 kB' => 'Authorization: ' . 'y' x 100_000 . "\r\n",
		'1,000 tokens' => "Authorization: x\r\n" x 1000,
		'two tokens' => "Authorization: x\r\nAuthorization: $token\r\n",
		'two tokens, the other way' => "Authorization: $token\r\nAuthorization: x\r\n",
		'a token on two lines' => "Authorization:\r\n x\r\n $token\r\n",
		'a name that drives a terminal' => "User-Agent: \x{9b}31m\e[2J\0\r\n",
		'a token with a NUL' => "Authorization: $token\0\r\n",
		'no end' => 'X: y',
	);
	like answer($h, head($h, $flood{$_} . ($_ eq 'no end' ? '' : "Content-Length: $n\r\n\r\n$lie")), $_ eq 'no end'),
		qr/^(?:0|4\d\d)$/, "$_: refused" for sort keys %flood;
}

# Everything that comes until the server closes.
sub all_of ($socket, $seconds = 20) {
	return LogStream::Test::within($seconds, 'an answer and the end', sub {
		my $all = '';
		1 while sysread $socket, $all, 65536, length $all;
		return $all;
	});
}

# An answer without what the server adds by the time and the place in a connection.
sub bare ($answer) {
	my $frame = qr/^(?:(?:Date|Connection|Keep-Alive|Transfer-Encoding|Content-Length):.*|[0-9a-f]+|)\r\n/m;
	return $answer =~ s/$frame//gr;
}

# One line of the log each, and no difference between them.
sub attack_tokens ($h) {
	my @token = ('x', substr($token, 0, -1), $token . 'x', 'y' x length $token, lc $token, 'Bearer', "Bearer x $token",
		"Basic $token", '"' . $token . '"', '0' x 4000);
	my $each = $h->{server}->is_cgi ? 10 : 60;
	my $lines = sub { scalar(() = $h->{server}->log =~ / status=401\b/g) };
	my $before = $lines->();
	my @client = map { later(sub {
		my %answer;
		for my $turn (1 .. $each) {
			my $body = $turn % 2 ? $lie : '{' x $n;
			my $requests = join '', map { head($h, "Authorization: $_\r\nContent-Length: $n\r\n\r\n$body") } @token;
			my $socket = connection($h);
			put($socket, $requests =~ s/Connection: close\r\n(?=.*Connection: close)//gsr);
			$answer{bare($_)}++ for split m{(?=HTTP/1\.1 )}, all_of($socket);
		}
		return \%answer;
	}) } 1 .. 2;
	honest($h, "beside wrong tokens, $_") for 1 .. 3;
	my %answer;
	for my $client (@client) {
		my $got = $client->();
		$answer{$_} += $got->{$_} for keys %$got;
	}
	my $count = 2 * $each * @token;
	$tried += $count;
	is_deeply [ values %answer ], [ $count ], 'every wrong token gets the same answer';
	like +(keys %answer)[0], qr{\AHTTP/1\.1 401 .*$wrong\n}s, 'which is that it is wrong';
	wait_until(sub { $lines->() - $before >= $count }, 10, 'their lines');
	# Those who send slowly have theirs some time.
	cmp_ok $lines->() - $before, '<=', $count + 3, 'and a line in the log, not more';
}

# What a CGI program may get for arguments, and a path that leads elsewhere.
sub attack_addresses ($h) {
	my $path = $h->{server}->path;
	honest($h, "?$_", "$path?$_")
		for qw(-h --help --version -d+allow_url_include%3d1 work remove+--all -s+/etc/passwd);
	for my $method ('GET', 'POST') {
		for my $at (map("$path$_", '', '/', '/../..', '/../../etc/passwd', '/..%2f..%2f.env', '//', '/.', '%00', '%00.txt',
			'%0d%0aX:%20y', '%1b[2J', '/%2e%2e/%2e%2e/.env', '/' . 'a' x 100_000, '?' . 'a' x 100_000, '?-s', '?-h', '?%0a%1b[2J'),
			'/log-stream-to-slack', '/.env', '//api//logs', '/api\\logs', '/api/%6cogs', '/api/logs.', '/API/LOGS',
			'/api/logs;x', '*', "http://localhost$path", "\e[2J", '/api/logs HTTP/1.0 x') {
			$tried++;
			my $socket = connection($h);
			put($socket, head($h, "Content-Length: 2\r\n\r\n[]", "$method $at"));
			unlike all_of($socket), qr{\AHTTP/1\.\d [235]|ELF|SECRET|usage}, "$method " . substr($at, 0, 40) =~ s/[^ -~]/?/gr;
		}
	}
	like answer($h, head($h, "Content-Length: 0\r\n\r\n", "$_ $path")), qr/^(?:0|4\d\d|501)$/, 'another method'
		for 'PUT', 'DELETE', 'PROPFIND', 'CONNECT', "PO\e[2JST", "post", 'P' x 10_000, '';
}

# Headers that a CGI program finds in its environment, and what it might take
# them for.
sub attack_environment ($h) {
	my $elsewhere = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die $@;
	my $there = 'http://127.0.0.1:' . $elsewhere->sockport;
	my %header = map { $_ => "$there/x" } qw(Proxy Https-Proxy All-Proxy Slack-Webhook-Url SLACK_WEBHOOK_URL Http-Proxy);
	honest($h, 'headers shaped like settings', $h->{server}->path, %header, Queue => 'sqlite:/nowhere/x.db',
		'Log-Stream-Config' => '/nowhere', LOG_STREAM_CONFIG => '/nowhere', Filter => 's', Log => '/nowhere/x',
		'Auth0-Log-Stream-Token' => 'x', 'Ld-Preload' => '/nowhere.so', 'Curl-Ca-Bundle' => '/nowhere',
		'Ssl-Cert-File' => '/nowhere', Path => '/nowhere', 'Content-Encoding' => 'identity', 'X-Http-Method-Override' => 'GET',
		'Fcgi-Role' => 'x', 'Redirect-Http-Authorization' => 'x', Status => '500');
	# What it is taken from has been on its way by then.
	$h->{queue}->wait_until_empty(20);
	vec(my $ready = '', fileno $elsewhere, 1) = 1;
	ok !select($ready, undef, undef, 0), 'nobody was sent there';
	$tried++;
}

sub attack_log ($h) {
	my @text = grep { !/\x{d800}/ } @evil;
	my $body = JSON::PP->new->utf8->encode([ map { +{ log_id => $_, data => { type => "f$_", description => "<!channel> $_",
		client_id => $_, user_name => $_, ip => $_, connection => $_, hostname => $_, date => $_ } } } @text ]);
	my $got = http('POST', $h->{server}->url, { Authorization => $token }, $body);
	is "$got->{status} $got->{body}", '200 ok', 'evil text is taken';
	$h->{evil} = @text;
	$tried += @text;
}

my @attacks = (
	[ 'lengths that lie' => \&attack_lies ],
	[ 'floods of headers' => \&attack_headers ],
	[ 'addresses and queries' => \&attack_addresses ],
	[ 'environment-shaped headers' => \&attack_environment ],
	[ 'wrong tokens at full speed' => \&attack_tokens ],
	[ 'text that would forge a log' => \&attack_log ],
	[ 'bodies of 100 MB' => \&attack_large ],
);

# What must be so when all of them are gone.
sub nothing_is_left ($h, %before) {
	my $server = $h->{server};
	wait_until(sub { !established($h) }, 20, 'the connections to be closed');
	wait_until(sub { !left_files($h) }, 20, 'the temporary files to be removed');
	pass 'no connection and no temporary file is left';
	if ($server->is_cgi) {
		wait_until(sub { !$server->doors }, 20, 'the doors to end');
		return pass 'and no process';
	}
	my $doors = join ' ', sort keys %before;
	wait_until(sub { $doors eq join ' ', sort $server->doors }, 10, 'the doors to be the same processes');
	pass 'the doors are the same processes';
	for my $pid (sort keys %before) {
		wait_until(sub { 1 == grep { /^socket:/ } descriptors($pid) }, 20, 'the doors to be idle');
		cmp_ok scalar(descriptors($pid)), '<', 10, 'with few descriptors';
		cmp_ok peak_kb($pid) - $before{$pid}, '<', 4000, 'and never needed more memory' if !$sanitized;
	}
}

sub wait_and_compare ($h) {
	my @want = map { sprintf 'event honest-%03d [type: f]', $_ } 1 .. $h->{honest};
	my @title = $h->{slack}->wait_for_titles(@want + $h->{evil}, 30);
	is_deeply [ sort grep { !/^&lt;/ } @title ], \@want, 'Slack heard of the honest ones, of each once';
	is scalar(grep { /^&lt;!channel&gt; / } @title), $h->{evil}, 'and of the evil text, disarmed';
	my @request = $h->{slack}->requests;
	is_deeply [ map { @{ $_->{problems} } } @request ], [], 'in messages as Slack takes them';
	unlike join('', map { $_->{body} } @request), qr/[<>]|\\u00[019]|\\u202|$raw/, 'with no markup and no control';
}

sub check_log ($h) {
	# nginx breaks lines at the edges of what it reads at a time.
	my $log = $h->{server}->log =~ s/" while reading (?:response header|upstream).*\n.* FastCGI sent in stderr: "//gr;
	# fcgiwrap ends some with a return of its own.
	my @line = grep { /log-stream-to-slack\[\d+\]:/ } split /\r?\n/, $log;
	cmp_ok scalar(() = $log =~ /log_id="/g), '>=', $h->{evil}, 'the log has the evil text';
	is_deeply [ grep { /$raw/ || !utf8::decode(my $copy = $_) } @line ], [], 'without a control byte';
	unlike $log, qr/(?<!\\x[0-9a-f]{2})(?<!\xef\xbf\xbd)log-stream-to-slack\[1\]:/, 'and no line that the door did not write';
}

sub attack ($snippet, %o) {
	# No worker goes on for others: each server has a Slack of its own.
	my $slack = standin();
	my $queue = queue(slack => $slack, env => { LOG => undef, LOG_LEVEL => 'debug', MAX_BODY => '3MiB', FILTER => '*',
		SHOW => 'description client user ip connection tenant organization' });
	my $server = server($snippet, queue => $queue, conf => $o{conf});
	my $h = { server => $server, queue => $queue, slack => $slack, honest => 0, evil => 0, lasting => [] };
	honest($h, 'before');
	# One that starts a worker is two for a moment.
	wait_until(sub { $server->is_cgi || 4 == $server->doors }, 10, 'the doors to be four');
	my %before = map { $_ => peak_kb($_) } $server->doors;
	my $go = spew(tempdir() . '/go', '');
	idle($h, $o{idle}, $go);
	honest($h, "beside $o{idle} idle connections");
	slow($h, $o{slow} // [ 0 .. 5 ], $go);
	for (@attacks) {
		my ($title, $code) = @$_;
		my $start = time;
		eval { $code->($h); 1 } or fail("$title: $@");
		honest($h, "after $title");
		note sprintf "%s: %s: %.1f s", $snippet, $title, time - $start;
	}
	unlink $go;
	$_->() for @{ $h->{lasting} };
	nothing_is_left($h, %before);
	honest($h, 'when all is over');
	wait_and_compare($h);
	check_log($h);
	$server->stop;
	$queue->end_worker;
	note "$snippet: $tried bad inputs";
}

my %servers = (
	'nginx-fastcgi.conf' => { idle => 1000 },
	'nginx-fcgiwrap.conf' => { idle => 1000 },
	# Half as many connections as descriptors is what lighttpd accepts.
	'lighttpd-fastcgi.conf' => { idle => 1000, conf => 'server.max-fds = 4096' },
	'lighttpd-cgi.conf' => { idle => 1000, conf => 'server.max-fds = 4096' },
	# A thread each, and 400 of them.
	'apache-cgi.conf' => { idle => 200 },
	# A slow body occupies a door, of which there are four.
	'apache-proxy-fcgi.conf' => { idle => 200, slow => [ 0 .. 2 ] },
);

for my $snippet (sort keys %servers) {
	beside "hostile clients through $snippet" => sub { attack($snippet, %{ $servers{$snippet} }) };
}

#
# httpoxy, where the door itself posts by https: that is when it may use a proxy
#

sub listener () { return IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) // die $@ }

sub was_asked ($listener) {
	vec(my $ready = '', fileno $listener, 1) = 1;
	return select $ready, undef, undef, 0;
}

for my $snippet (grep { /-cgi|fcgiwrap/ } sort keys %servers) {
	beside "a Proxy header through $snippet leads nowhere" => sub {
		my ($there, $proxy) = (listener(), listener());
		my $url = 'https://127.0.0.1:' . $there->sockport . '/x';
		my $server = server($snippet, env => { SLACK_WEBHOOK_URL => $url, SLACK_TIMEOUT => '300ms' });
		my %header = map { $_ => 'http://127.0.0.1:' . $proxy->sockport }
			qw(Proxy Https-Proxy All-Proxy https_proxy ALL_PROXY http-proxy);
		is http('POST', $server->url, \%header, $lie)->{status}, 504, 'who is asked does not answer';
		ok was_asked($there), 'it was Slack';
		ok !was_asked($proxy), 'and not the proxy';
		$server->stop;
		# And that this would have been seen.
		cgi(body => $lie, env => { SLACK_WEBHOOK_URL => $url, SLACK_TIMEOUT => '300ms',
			https_proxy => $header{Proxy} });
		ok was_asked($proxy), 'it is asked where the process has it from its owner';
	};
}

#
# Straight at the door, as another user of a socket or a server gone wrong
#

my %far = (SLACK_WEBHOOK_URL => 'http://127.0.0.1:1/x', AUTH0_LOG_STREAM_TOKEN => $token);

sub told ($answer) { return "$answer->{status} " . $answer->{body} =~ s/\n\z//r }

beside 'a CONTENT_LENGTH that lies is not believed' => sub {
	my $door = fastcgi(env => \%far);
	my $not = '400 Content-Length is not a number';
	my %lie = (" $n" => $not, "$n " => $not, "+$n" => $not, "-$n" => $not, "${n}e0" => $not, "$n.0" => $not,
		"$n\n" => $not, "$n,$n" => $not, sprintf('0x%x', $n) => $not, "$n\x{a0}" => $not, "\x{d9}\x{a2}" => $not,
		'x' x 1_000_000 => $not, map({ $_ => "400 the body is longer than its Content-Length, $_; if the web server unpacks requests "
			. '(Apache: SetInputFilter DEFLATE), switch that off' } 0, $n - 1),
		$n + 1 => "400 the body ended after $n bytes of " . ($n + 1),
		map { $_ => '413 the body is longer than MAX_BODY, 16777216 bytes' }
			'9223372036854775807', '9223372036854775808', '184467440737095516' . (16 + $n), '9' x 100_000);
	for my $length (sort keys %lie) {
		is told($door->request(token => $token, length => $length, body => $lie)), $lie{$length},
			substr($length, 0, 24) =~ s/[^ -~]/?/gr;
	}
	is told($door->request(token => $token, length => '0' x 1000 . 2, body => '[]')), '204 ', 'zeros before it are none';
};

beside 'floods of parameters and idle connections leave nothing behind' => sub {
	my $door = fastcgi(env => \%far);
	my %flood = (
		'a parameter of 16 MB' => { HTTP_X => 'y' x 16_000_000 },
		'a token of 16 MB' => { HTTP_AUTHORIZATION => 'y' x 16_000_000 },
		'50,000 parameters' => { map { ("HTTP_X$_" => 'y') } 1 .. 50_000 },
	);
	# Made before the door waits for it.
	my %request = map { $_ => LogStream::Test::FastCGI::record(1, pack 'nCx5', 1, 0)
		. LogStream::Test::FastCGI::stream(4, LogStream::Test::FastCGI::pairs(REQUEST_METHOD => 'POST', %{ $flood{$_} }))
		. LogStream::Test::FastCGI::record(4, '') } keys %flood;
	my $turn = sub {
		for (sort keys %flood) {
			my $socket = $door->connect;
			put($socket, $request{$_});
			$door->stdin($socket, $lie);
			$door->stdin($socket, '');
			like told($door->answer($socket, 30)), qr/^401 /, "$_: answered";
		}
		is told($door->request(token => $token, body => '[]')), '204 ', 'and so is the next';
	};
	my @peak = map { $turn->(); peak_kb($door->pid) } 1 .. 4;
	cmp_ok $peak[-1] - $peak[0], '<', 4000, 'the memory is used again' if !$sanitized;

	my @idle = map { $door->connect } 1 .. 100;
	put($_, "\x01\x01\x01") for @idle;
	close $_ for @idle;
	is told($door->request(token => $token, body => '[]')), '204 ', 'a hundred that came to nothing: the next is answered';
	cmp_ok scalar(descriptors($door->pid)), '<', 10, 'and no descriptor is left';
};

beside 'a body without an end is answered all the same, and not kept' => sub {
	for my $who ($token, 'x') {
		my $door = fastcgi(env => \%far);
		is told($door->request(token => $who, body => '[')), $who eq 'x' ? "401 $wrong" :
			'400 the body ends in the middle of its JSON, after 1 bytes', 'before';
		my $before = peak_kb($door->pid);
		my $socket = $door->connect;
		$door->begin($socket, token => $who);
		my $writer = later(sub {
			my $block = LogStream::Test::FastCGI::stream(5, ' ' x 65535 x 16);
			1 while put($socket, $block);
			return {};
		});
		is $door->answer($socket, 60)->{status}, $who eq 'x' ? 401 : 413, 'answered';
		close $socket;
		$writer->();
		is told($door->request(token => $token, body => '[]')), '204 ', 'then the next is';
		cmp_ok peak_kb($door->pid) - $before, '<', 4000, 'and little of it was ever in memory' if !$sanitized;

		my $sent = 0;
		my $answer = cgi(token => $who, length => undef, env => \%far, body => sub ($in) {
			my $block = ' ' x 65536;
			$sent += length $block while put($in, $block);
		});
		is $answer->{status}, $who eq 'x' ? 401 : 413, 'by CGI, too';
		cmp_ok $sent, '<', 70_000_000, 'which reads some of it, and then no more';
	}
};

beside 'parameters named like settings are none, not even where the configuration is read anew' => sub {
	my ($slack, $elsewhere) = (standin(), listener());
	my $there = 'http://127.0.0.1:' . $elsewhere->sockport . '/x';
	my %set = (SLACK_WEBHOOK_URL => $slack->url('/services/x'), AUTH0_LOG_STREAM_TOKEN => $token);
	my $file = spew(tempdir() . '/conf', settings_text(\%set), 0600);
	my $door = fastcgi(env => { LOG_STREAM_CONFIG => $file });
	my %param = (SLACK_WEBHOOK_URL => $there, SLACK_WEBHOOK_URL_x => $there, AUTH0_LOG_STREAM_TOKEN => 'x', FILTER => '-*',
		QUEUE => 'sqlite:/nowhere/x.db', LOG => '/nowhere/x', LOG_STREAM_CONFIG => '/nowhere', MAX_BODY => '1kB',
		http_proxy => $there, https_proxy => $there, ALL_PROXY => $there, LD_PRELOAD => '/nowhere.so', PATH => '/nowhere',
		HOME => '/nowhere', TMPDIR => '/nowhere', SSL_CERT_FILE => '/nowhere', CURL_CA_BUNDLE => '/nowhere');
	for my $text ('', "SHOW=user\n") {
		spew($file, settings_text(\%set) . $text);
		is told($door->request(token => $token, body => $lie, params => { map { ($_ => $param{$_}, "HTTP_$_" => $param{$_}) }
			keys %param })), '200 ok', 'taken' for 1, 2;
	}
	is scalar($slack->requests), 4, 'by Slack';
	ok !was_asked($elsewhere), 'and nobody else was asked';
	is told($door->request(token => 'x', body => $lie)), "401 $wrong", 'nor is the token another';
};

# What the door asks of the system, call by call.
sub calls ($who, $body, %env) {
	my $trace = tempdir() . '/trace';
	my $answer = cgi(cmd => [ need('strace'), '-o', $trace, door_path() ], token => $who, body => $body,
		env => { %far, ASAN_OPTIONS => 'detect_leaks=0', %env });
	return (told($answer), join ' ', slurp($trace) =~ /^(\w+)\(/mg);
}

beside 'a wrong token is work that neither it nor the body changes, and nothing is parsed' => sub {
	my %env = (QUEUE => 'sqlite:' . tempdir() . '/queue.db', LOG => '/dev/null');
	my @body = ($lie, '{' x $n, "\0" x $n, "\xff" x $n, ' ' x $n);
	my (%calls, %answer);
	for my $who (substr($token, 0, -1), substr($token, 0, -1) . 'x', 'x' . substr($token, 1), 'x' x length $token, "$token ", 'x') {
		for my $body ($who eq 'x' ? @body : $lie) {
			my ($answer, $calls) = calls($who eq "$token " ? "$token x" : $who, $body, %env);
			$calls{$calls}++;
			$answer{$answer}++;
		}
	}
	is_deeply \%answer, { "401 $wrong" => 10 }, 'one answer';
	is scalar(keys %calls), 1, 'the same calls of the system' or diag explain \%calls;
	ok !-e $env{QUEUE} =~ s/^sqlite://r, 'no queue was opened';
	my %right = map { (calls($token, $_, %env))[1] => 1 } '[]' . ' ' x ($n - 2), '{' x $n;
	is scalar(keys %right), 2, 'with the right token the body makes a difference';
};

#
# What people read
#

sub harmless ($text, $what) {
	cmp_ok length $text, '>', 10, "$what: there is something";
	unlike $text, qr/$raw/, "$what: no control, and no mark of direction";
	unlike $text, qr/^\Q$forged\E/m, "$what: no forged line";
	ok utf8::decode(my $copy = $text), "$what: it is UTF-8";
}

beside 'no field, and no word of Slack, is more than text in a log or on a terminal' => sub {
	my $slack = standin();
	my @record;
	for my $text (@evil) {
		push @record, { log_id => $text, data => { type => "f$text", (map { $_ => "2$text" } qw(description client_id
			client_name user_id user_name ip connection hostname tenant_name date strategy audience scope)) } };
		push @record, { data => { log_id => $text, type => "s$text", description => $text } };
	}
	my $ascii = JSON::PP->new->ascii;
	my $body = $ascii->encode(\@record);
	my $queue = queue(slack => $slack, path => '/as/evil', env => { LOG_LEVEL => 'debug', FILTER => '* -s*',
		SHOW => 'description client user ip connection tenant organization' });
	for my $word ("\e[2J\e]0;x\a", "\x{9b}31m", 'no_service') {
		$slack->behave(evil => "/status/500/$word");
		my $now = cgi(token => $token, body => $body, env => { %{ $queue->env }, QUEUE => undef });
		harmless($now->{raw} =~ s/\r\n/\n/gr, 'the answer when Slack says no');
	}
	is told($queue->cgi(body => $body)), '200 ok', 'queued';
	$slack->behave(evil => "/status/400/invalid_payload\e[2J");
	$slack->wait_for(5);
	wait_until(sub { $queue->log =~ /invalid_payload|slack="status 400/ }, 10, 'what Slack said');
	harmless($queue->log, 'the log');
	unlike $queue->log, qr/^(?!\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ log-stream-to-slack\[\d+\]: (?:error|warn|info|debug) \w+=)/m,
		'each line of the log begins as ours do';
	my %shown = (map({ ("list @$_" => [ 'list', @$_ ], "status @$_" => [ 'status', @$_ ]) } [], [ '--json' ]),
		'try' => [ 'try', '-' ], 'try --json' => [ 'try', '--json', '-' ]);
	for my $what (sort keys %shown) {
		my $ended = ctl({ %{ $queue->env }, stdin => $body }, @{ $shown{$what} });
		is $ended->{exit}, 0, $what;
		harmless("$ended->{out}$ended->{err}", $what);
	}
	$queue->end_worker;
	for my $junk (@evil[2, 3, 6], "{\"\e[2J\":}", "[\"\x{9b}\n$forged", "[] \e[2J") {
		my $bad = cgi(token => $token, body => $junk, env => { %far, LOG_LEVEL => 'debug' });
		is $bad->{status}, 400, 'a body that is no JSON';
		harmless("$bad->{err}$bad->{body}", 'what is said of it');
	}
	my $method = cgi(method => "PO\n$forged\e[2J", env => { %far, HTTP_USER_AGENT => "\e[2J\n$forged", QUERY_STRING => "\e[2J\n$forged",
		PATH_INFO => "\n$forged", REMOTE_ADDR => "\n$forged" });
	harmless($method->{err}, 'a request of nothing else');
};

finish_beside;
done_testing;
