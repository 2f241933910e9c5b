#!/usr/bin/perl
# The door behind a real lighttpd, with the configuration that is shipped: as
# FastCGI and as CGI. What it answers in each case is tested in cgi.t; here,
# that it arrives.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use JSON::PP;
use LogStream::Test;
use Test::More;

need('lighttpd');

my $json = JSON::PP->new->utf8->canonical;
my $slack = standin();
my $token = 'token-SECRETtoken-0123456789';
my %env = (SLACK_WEBHOOK_URL => $slack->url('/services/T0/B0/SECRETpath'),
	AUTH0_LOG_STREAM_TOKEN => $token, MAX_BODY => '3MiB');
my $path = '/api/logs';
my $seed = '[{"data": {"type": "f", "description": "Test failure", "client_id": "TestClientId", '
	. '"client_name": "Test Client Name", "log_id": "abc1234567890"}}]';

# A shipped configuration with the places of this test in it. As the file says,
# the two values of the FastCGI one may be changed; here the socket is.
sub configuration ($name, $dir) {
	my $conf = slurp(srcdir() . "/conf/$name.in");
	$conf =~ s/\@(?:bindir|sysconfdir)\@/$dir/g;
	$conf =~ s{"/run/lighttpd/log-stream"}{"$dir/socket"};
	unlike $conf, qr/\@\w+\@/, "$name has no other place to fill in";
	return $conf;
}

# lighttpd gives its environment to FastCGI programs, and none to CGI programs;
# it starts both in their directory.
sub served ($name) {
	my $dir = tempdir();
	symlink door_path(), "$dir/log-stream-to-slack" or die "symlink: $!";
	spew("$dir/.env", join('', map { "$_=$env{$_}\n" } sort keys %env), 0600);
	return lighttpd(env => \%env, conf => configuration($name, $dir));
}

# A POST with the right token, but for what is given. Answered as http() says.
sub post ($server, $body = $seed, %header) {
	return http('POST', $server->url($path), { 'Content-Type' => 'application/json',
		Authorization => $token, %header }, $body);
}

sub told ($answer) { return "$answer->{status} " . ($answer->{body} // '') =~ s/\n\z//r }

# What Slack got since the last look.
sub posted () {
	my @request = $slack->requests;
	$slack->forget;
	return @request;
}

# The process ids that the log lines name.
sub doors ($server) {
	my %pid = map { $_ => 1 } $server->errorlog =~ /log-stream-to-slack\[(\d+)\]: /g;
	return keys %pid;
}

sub head ($length) {
	return "POST $path HTTP/1.1\r\nHost: localhost\r\nAuthorization: $token\r\n"
		. "Content-Type: application/json\r\n$length\r\nConnection: close\r\n\r\n";
}

# What holds for both ways.
sub test_door ($name) {
	my $server = served($name);

	subtest "$name: the seed case is answered ok and becomes one message" => sub {
		my $answer = post($server);
		is told($answer), '200 ok', 'the answer';
		is $answer->{headers}{'content-type'}, 'text/plain; charset=utf-8', 'its type';
		is $answer->{headers}{'content-length'}, 2, 'its length';
		my ($request, @more) = posted();
		is_deeply \@more, [], 'one post';
		is $request->{payload}{attachments}[0]{title}, 'Test failure [type: f]', 'its title';
		is_deeply $request->{problems}, [], 'no problems';
		wait_until(sub {
			$server->errorlog =~ /log-stream-to-slack\[\d+\]: info log_id=abc1234567890 type=f destination=default outcome=sent/;
		}, 5, "the line in lighttpd's error log");
		like $server->errorlog, qr/: info request=1 method=POST bytes=@{[length $seed]} records=1 unusable=0 kept=1 status=200$/m,
			"its log lines reach lighttpd's error log";
	};

	subtest "$name: refusals arrive whole" => sub {
		my %no_token = (Authorization => undef);
		my $answer = http('POST', $server->url($path), {}, $seed);
		is told($answer), '401 no token: no Authorization header reached this program', 'no token';
		is $answer->{headers}{'www-authenticate'}, 'Bearer', 'with its header';
		is told(post($server, $seed, Authorization => 'x')),
			'401 wrong token: the Authorization header is not the one expected', 'a wrong token';
		is told(post($server, 'x' x 2_000_000, Authorization => 'x')),
			'401 wrong token: the Authorization header is not the one expected',
			'a wrong token and 2 MB that nobody wants';
		is told(post($server, $seed, Authorization => "Bearer $token")), '200 ok', 'Bearer';
		is told(post($server, '[]')), '204 ', 'nothing to send';
		is told(post($server, '[{},null]')),
			'400 no record in the body has a data.type (records: 2)', 'nothing usable';
		is told(post($server, '')), '400 the body is empty', 'no body';
		is told(post($server, '[' . ' ' x (3 << 20))),
			'413 the body is longer than MAX_BODY, 3145728 bytes', 'too long';
		$answer = http('GET', $server->url($path));
		is told($answer), "405 this address takes Auth0's log stream: POST only", 'GET';
		is $answer->{headers}{allow}, 'POST', 'with its header';
		$answer = http('HEAD', $server->url($path));
		is told($answer), '405 ', 'HEAD';
		is told(http('GET', $server->url("$path?-d+allow_url_include=1"))),
			"405 this address takes Auth0's log stream: POST only", 'a query with options in it';
		is told(post($server)), '200 ok', 'and a good one after that';
		is scalar(posted()), 2, 'Slack heard of the good ones only';
	};

	subtest "$name: a batch of 2 MiB is taken" => sub {
		my @record = map { +{ log_id => "id-$_", data => { type => 's', description => 'x' x 1000 } } } 1 .. 1900;
		push @record, { log_id => 'id-f', data => { type => 'f', description => 'the last' } };
		my $body = $json->encode(\@record);
		cmp_ok length $body, '>', 2_000_000, 'so long';
		is told(post($server, $body)), '200 ok', 'the answer';
		is_deeply [ map { map { $_->{title} } @{ $_->{payload}{attachments} } } posted() ],
			[ 'the last [type: f]' ], 'the event at its end';
	};

	subtest "$name: a chunked body is taken" => sub {
		my $half = int(length($seed) / 2);
		my $chunks = join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
			substr($seed, 0, $half), substr($seed, $half);
		like raw_http($server->port, head('Transfer-Encoding: chunked') . "${chunks}0\r\n\r\n"),
			qr/^HTTP\/1\.1 200 .*\r\n\r\nok\z/s, 'the answer';
		is scalar(posted()), 1, 'one message';
	};

	subtest "$name: a client that goes half-way is not taken for a whole one" => sub {
		my $body = $json->encode([ { data => { type => 'f', description => 'broken' } } ]);
		for my $length ('Content-Length: 1000', 'Transfer-Encoding: chunked') {
			my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port)
				or die $@;
			syswrite $socket, head($length) . sprintf '%s%s',
				$length =~ /chunked/ ? sprintf("%x\r\n", length $body) : '', $body;
			close $socket;
			is told(post($server)), '200 ok', "the next request after $length";
		}
		my @request = posted();
		is @request, 2, 'two messages';
		is_deeply [ grep { $_->{body} =~ /broken/ } @request ], [], 'nothing of the broken ones';
	};

	subtest "$name: fifty requests at once are all served" => sub {
		my $request = head('Content-Length: ' . length $seed) . $seed;
		my $last = chop $request;
		my @socket = map {
			IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port) or die $@;
		} 1 .. 50;
		LogStream::Test::write_all($_, $request) for @socket;
		LogStream::Test::write_all($_, $last) for @socket;
		my @answer = map {
			my $socket = $_;
			LogStream::Test::within(20, 'an answer', sub {
				my $all = '';
				1 while sysread $socket, $all, 4096, length $all;
				$all;
			});
		} @socket;
		is scalar(grep { /^HTTP\/1\.1 200 .*\r\n\r\nok\z/s } @answer), 50, 'fifty times ok';
		is scalar(posted()), 50, 'fifty messages';
	};

	return $server;
}

my $fastcgi = test_door('lighttpd-fastcgi.conf');

subtest 'as FastCGI four processes serve all, and lighttpd ends them with itself' => sub {
	my @pid = doors($fastcgi);
	cmp_ok @pid, '<=', 4, 'no more than four';
	cmp_ok @pid, '>', 1, 'more than one';
	ok !grep({ !kill 0 => $_ } @pid), 'they are there';
	$fastcgi->stop;
	ok !grep({ LogStream::Test::Lighttpd::runs($_) } @pid), 'and gone';
};

my $cgi = test_door('lighttpd-cgi.conf');

subtest 'as CGI each request has a process, and none is left' => sub {
	my @pid = doors($cgi);
	cmp_ok @pid, '>', 50, 'many';
	wait_until(sub { !grep { LogStream::Test::Lighttpd::runs($_) } @pid }, 5, 'them to end');
	pass 'none is left';
	is http('GET', $cgi->url('/else'))->{status}, 404, 'another address is not the door';
};

subtest 'no secret is in the error log' => sub {
	for my $server ($fastcgi, $cgi) {
		cmp_ok length $server->errorlog, '>', 1000, 'a log';
		unlike $server->errorlog, qr/SECRET/, 'without secrets';
		unlike $server->errorlog, qr/[\x00-\x09\x0b-\x1f\x7f]/, 'or control bytes';
	}
};

done_testing;
