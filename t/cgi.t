#!/usr/bin/perl
# The door as a CGI program, driven by environment variables: what it promises
# for each request, and what it takes for configuration. Slack's side is in
# post.t, FastCGI's in fastcgi.t.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(basename);
use IO::Compress::Deflate qw(deflate);
use IO::Compress::Gzip qw(gzip);
use Fcntl qw(F_GETFL O_NONBLOCK);
use IO::Handle;
use JSON::PP;
use LogStream::Test;
use Socket;
use Test::More;
use Time::HiRes qw(sleep time);

my $json = JSON::PP->new->utf8->canonical;
my $slack = standin();
my $token = 'token-SECRETtoken-0123456789';
my $path = '/services/T0/B0/SECRETpath';
my %env = (SLACK_WEBHOOK_URL => $slack->url($path), AUTH0_LOG_STREAM_TOKEN => $token);
my $seed = '[{"data": {"type": "f", "description": "Test failure", "client_id": "TestClientId", '
	. '"client_name": "Test Client Name", "log_id": "abc1234567890"}}]';

# All that the door ever wrote, for the last test.
my @written;

sub note_answer ($answer) {
	push @written, $answer->{raw}, $answer->{err};
	return $answer;
}

# The door with a good configuration and the right token, but for what is given.
sub raw_door (%o) {
	return cgi(token => $token, %o, env => { %env, %{ $o{env} // {} } });
}

sub door (%o) { return note_answer(raw_door(%o)) }

# One that takes long, or waits: a function that returns the answer.
sub door_later (%o) {
	my $result = later(sub { raw_door(%o) });
	return sub { note_answer($result->()) };
}

# "413 the body ..." of an answer whose body is a line.
sub told ($answer) { return "$answer->{status} " . $answer->{body} =~ s/\n\z//r }

# The line of the log that tells of the whole request.
sub request_line ($answer) {
	my ($line) = $answer->{err} =~ /^log-stream-to-slack\[\d+\]: \w+ (request=1 .*)$/m;
	return $line // "no such line in: $answer->{err}";
}

# A record of this type; members of its data, given in pairs.
sub record ($type, %data) {
	return { log_id => "id-$type", data => { type => $type, %data } };
}

# What Slack got since the last look.
sub posted () {
	my @request = $slack->requests;
	$slack->forget;
	return @request;
}

sub titles (@request) {
	return [ map { map { $_->{title} } @{ $_->{payload}{attachments} } } @request ];
}

# Bytes that a program has been given and has not read yet.
sub unread ($handle) {
	my $count = pack 'i', 0;
	ioctl $handle, 0x541b, $count or die "FIONREAD: $!";
	return unpack 'i', $count;
}

sub wait_until_taken ($handle) {
	wait_until(sub { unread($handle) == 0 }, 5, 'the door to read what there is');
}

# The stalls take ten seconds each: all of them run while the rest is tested.
my %stalled = (
	'with a Content-Length' => [
		door_later(length => 100, body => sub ($in) { syswrite $in, '[{'; $in }),
		'400 the body stalled after 2 bytes of 100' ],
	'without one' => [
		door_later(length => undef, body => sub ($in) { syswrite $in, $seed; $in }),
		'400 the body stalled after ' . length($seed) . ' bytes' ],
	'before its first byte' => [
		door_later(length => 5, body => sub ($in) { $in }),
		'400 the body stalled after 0 bytes of 5' ],
	'and a wrong token' => [
		door_later(token => 'x', length => 5, body => sub ($in) { syswrite $in, '['; $in }),
		'401 wrong token: the Authorization header is not the one expected' ],
);

subtest 'the seed case is answered ok and becomes one message' => sub {
	my $answer = door(body => $seed);
	is $answer->{raw}, "Status: 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
		. "Content-Length: 2\r\n\r\nok", 'the answer';
	is $answer->{exit}, 0, 'exit status';
	my ($request, @more) = posted();
	is_deeply \@more, [], 'one post';
	is "$request->{method} $request->{path}", "POST $path", 'to the webhook';
	is $request->{headers}{'content-type'}, 'application/json', 'as JSON';
	is_deeply $request->{payload}, { text => '*Auth0 log alert*', attachments => [ {
		fallback => 'Test failure [type: f]',
		color => '#d1242f',
		title => 'Test failure [type: f]',
		title_link => 'https://manage.auth0.com/#/logs/abc1234567890',
		fields => [ { title => 'Client', value => 'Test Client Name (TestClientId)',
			short => JSON::PP::true } ],
		footer => 'Failed Login',
	} ] }, 'what it says';
	is_deeply $request->{problems}, [], 'no problems';
	my ($pid) = $answer->{err} =~ /\[(\d+)\]/;
	is $answer->{err} =~ s/ ms=\d+ / ms=N /r, <<"END" =~ s/\[PID\]/[$pid]/gr, 'the log';
log-stream-to-slack[PID]: info destination=default events=1 slack_status=200 slack=ok ms=N outcome=sent
log-stream-to-slack[PID]: info log_id=abc1234567890 type=f destination=default outcome=sent
log-stream-to-slack[PID]: info request=1 method=POST bytes=@{[length $seed]} records=1 unusable=0 kept=1 status=200
END
};

#
# The table of promises
#

subtest 'whatever is not a POST is answered 405 and told so' => sub {
	my $why = "this address takes Auth0's log stream: POST only";
	for my $method (qw(GET PUT DELETE OPTIONS PATCH post)) {
		my $answer = door(method => $method, token => undef, body => $seed);
		is told($answer), "405 $why", $method;
		is $answer->{headers}{allow}, 'POST', 'Allow';
		is request_line($answer), "request=1 method=$method bytes=0 records=0 unusable=0 kept=0 "
			. "reason=\"$why\" status=405", 'the log';
	}
	my $head = door(method => 'HEAD');
	is $head->{status}, 405, 'HEAD';
	is $head->{headers}{allow}, 'POST', 'Allow';
	is $head->{body}, '', 'HEAD has no body (RFC 3875 section 4.3.3)';
	my $start = time;
	is door(method => 'GET', length => undef, body => sub ($in) { $in })->{status}, 405,
		'a GET whose input is left open';
	cmp_ok time - $start, '<', 5, 'is not waited for';
	is scalar(posted()), 0, 'Slack heard nothing';
};

subtest 'a request without the token is answered 401, and its body read away unparsed' => sub {
	my $missing = 'no token: no Authorization header reached this program';
	my $wrong = 'wrong token: the Authorization header is not the one expected';
	my @case = (
		'no header' => undef, $missing,
		'an empty header' => '', $missing,
		'Bearer and nothing' => 'Bearer ', $missing,
		'Bearer alone' => 'Bearer', $wrong,
		'another token' => 'else', $wrong,
		'the beginning of the token' => substr($token, 0, -1), $wrong,
		'the token and more' => "${token}x", $wrong,
		'the token in capitals' => uc $token, $wrong,
		'the token twice' => "$token, $token", $wrong,
		'another scheme' => "Basic $token", $wrong,
	);
	while (my ($what, $given, $why) = splice @case, 0, 3) {
		my $answer = door(token => $given, body => $seed);
		is told($answer), "401 $why", $what;
		is $answer->{headers}{'www-authenticate'}, 'Bearer', 'names the scheme';
		is request_line($answer), 'request=1 method=POST bytes=0 records=0 unusable=0 kept=0 '
			. "reason=\"$why\" status=401", 'the log';
	}
	is told(door(token => 'x', body => 'not JSON')), "401 $wrong", 'a body that is not JSON';
	is told(door(token => 'x', body => '')), "401 $wrong", 'no body';
	is told(door(token => 'x', body => $seed, length => 'abc')), "401 $wrong", 'no length';
	is scalar(posted()), 0, 'Slack heard nothing';
};

# Writes 20 MiB; true when the reader took them all.
sub wrote ($in, $byte) {
	my $part = $byte x 1048576;
	return 20 == grep { LogStream::Test::write_all($in, $part) } 1 .. 20;
}

subtest 'a large body is read to its end before any refusal' => sub {
	my $size = 20 << 20;
	my @case = (
		'wrong token' => 401, ' ', { token => 'x' },
		'too long by its length' => 413, ' ', { length => $size },
		'too long, without a length' => 413, ' ', { length => undef },
		'not JSON' => 400, 'x', { length => $size, env => { MAX_BODY => '1GiB' } },
		'no good length' => 400, ' ', { length => 'x' },
		'not a POST' => 405, ' ', { method => 'PUT', length => $size },
		'bad configuration' => 503, ' ', { env => { FILTER => '!' }, length => $size },
	);
	while (my ($what, $status, $byte, $options) = splice @case, 0, 4) {
		my $all = 0;
		my $answer = door(%$options, body => sub ($in) { $all = wrote($in, $byte) });
		is $answer->{status}, $status, "$what: $status";
		ok $all, 'the server could write it all';
	}
};

subtest 'a body over MAX_BODY is answered 413, whether the length tells or not' => sub {
	my %small = (env => { MAX_BODY => '1kB' });
	my $why = '413 the body is longer than MAX_BODY, 1000 bytes';
	my $good = $seed . ' ' x (1000 - length $seed);
	is told(door(%small, body => $good)), '200 ok', '1,000 bytes pass';
	is told(door(%small, body => "$good ")), $why, '1,001 do not';
	is told(door(%small, body => "$good ", length => undef)), $why, 'nor without a length';
	is told(door(%small, body => $good, length => undef)), '200 ok', '1,000 without one pass';
	is told(door(%small, body => $seed, length => 1001)), $why, 'a length that lies';
	is told(door(%small, body => $seed, length => '9' x 30)), $why, 'a length of 30 digits';
	is told(door(%small, body => $seed, length => '9223372036854775807')), $why, 'of 2^63 - 1';
	is told(door(body => $seed, length => 16777217)),
		'413 the body is longer than MAX_BODY, 16777216 bytes', '16 MiB if nothing is set';
	is request_line(door(%small, body => "$good ")), 'request=1 method=POST bytes=0 records=0 '
		. 'unusable=0 kept=0 reason="the body is longer than MAX_BODY, 1000 bytes" status=413',
		'the log';
	is scalar(posted()), 2, 'Slack heard of the good ones only';
};

# No client can do that, but a filter of the server.
my $filter = '; if the web server unpacks requests (Apache: SetInputFilter DEFLATE), switch that off';

subtest 'a body that is not as long as its Content-Length is answered 400' => sub {
	my $length = length $seed;
	my $not = '400 Content-Length is not a number';
	my @case = (
		'one byte short' => $length + 1,
			"400 the body ended after $length bytes of " . ($length + 1),
		'one byte long' => $length - 1,
			'400 the body is longer than its Content-Length, ' . ($length - 1) . $filter,
		'announced empty' => 0, "400 the body is longer than its Content-Length, 0$filter",
		'zeros before' => "000$length", '200 ok',
		'not a number' => 'abc', $not,
		'unknown, as Caddy and IIS say it' => '-1', '200 ok',
		'negative' => '-2', $not,
		'negative, of digits that begin as -1' => "-1$length", $not,
		'unknown, with a zero' => '-01', $not,
		'a plus' => "+$length", $not,
		'a space before' => " $length", $not,
		'a space after' => "$length ", $not,
		'hexadecimal' => '0x9f', $not,
		'a fraction' => "$length.0", $not,
		'an exponent' => '1e3', $not,
		'two of them' => "$length, $length", $not,
		'a line end' => "$length\n", $not,
	);
	while (my ($what, $given, $want) = splice @case, 0, 3) {
		is told(door(length => $given, body => $seed)), $want, $what;
	}
	is told(door(length => undef, body => $seed)), '200 ok', 'none at all is all right';
	is told(door(length => '', body => $seed)), '200 ok', 'so is an empty one';
	is scalar(posted()), 4, 'Slack heard of the good ones only';
};

subtest 'a body without its end is never taken, wherever it is cut' => sub {
	my $lines = join "\n", map { $json->encode(record($_)) } qw(fa fb fc);
	my $cut = substr $lines, 0, index $lines, "\n";
	is told(door(length => length $lines, body => $cut)),
		'400 the body ended after ' . length($cut) . ' bytes of ' . length $lines,
		'JSON Lines cut between two lines';
	is told(door(length => undef, body => substr $seed, 0, -1)),
		'400 the body ends in the middle of its JSON, after ' . (length($seed) - 1) . ' bytes',
		'an array without its bracket, and no length';
	is scalar(posted()), 0, 'Slack heard nothing';
};

my %packed = do {
	my $event = '[{"data":{"type":"f","description":"packed"}}]';
	gzip(\$event, \my $gzip) or die;
	deflate(\$event, \my $zlib) or die;
	deflate(\$event, \my $fast, -Level => 1) or die;
	(gzip => $gzip, zlib => $zlib, 'zlib, fast' => $fast, zstd => "\x28\xb5\x2f\xfd\x20\x2d\x69\x01\x00$event");
};
my $is_packed = sub ($how) { "400 the body is compressed ($how), and this program unpacks nothing: switch off "
	. 'the compression of requests where they are sent, or in the proxy that adds it' };

subtest 'a compressed body is answered 400 and what to switch off' => sub {
	for my $how (sort keys %packed) {
		my $want = $is_packed->($how =~ s/,.*//r);
		is told(door(body => $packed{$how})), $want, "$how, which nothing says";
		is told(door(body => $packed{$how}, env => { HTTP_CONTENT_ENCODING => 'x' })), $want, "$how, called another";
		is told(door(length => undef, body => sub ($in) {
			for (split //, $packed{$how}) { syswrite $in, $_; wait_until_taken($in) }
		})), $want, "$how, byte by byte";
	}
	my $brotli = pack 'H*', '8b16805b7b2264617461223a7b2274797065223a2266227d7d5d03';
	for my $name (qw(HTTP_CONTENT_ENCODING CONTENT_ENCODING)) {
		is told(door(body => $_, env => { $name => 'br' })), $is_packed->('br'), "what only $name tells"
			for $brotli, "[$brotli", "{\"\xff\xfe";
	}
	is told(door(body => $brotli, env => { HTTP_CONTENT_ENCODING => "br\x01\"\xff" . 'x' x 100 })),
		$is_packed->('br\x01\x22\xff' . 'x' x 15), 'a coding is foreign text';
	is request_line(door(body => $packed{gzip})), 'request=1 method=POST bytes=0 records=0 unusable=0 kept=0 reason="'
		. $is_packed->('gzip') =~ s/^400 //r . '" status=400', 'the log';
	is scalar(posted()), 0, 'Slack heard nothing';
};

# mod_fcgid and mod_proxy_fcgi leave the header when SetInputFilter has unpacked
# the body.
subtest 'a body that the web server has unpacked is taken' => sub {
	for my $coding ('gzip', 'deflate', 'br', 'identity', '') {
		is told(door(body => $seed, env => { $_ => $coding })), '200 ok', "$_: $coding"
			for qw(HTTP_CONTENT_ENCODING CONTENT_ENCODING);
	}
	is scalar(posted()), 10, 'Slack has them';
	my $broken = substr $seed, 0, 60;
	is told(door(body => $broken, env => { HTTP_CONTENT_ENCODING => 'gzip' })),
		'400 the body ends in the middle of its JSON, after 60 bytes', 'when it is not whole, that is what is said';
	is told(door(body => 'hello', env => { HTTP_CONTENT_ENCODING => 'identity' })),
		'400 the body is not the JSON that Auth0 sends: an unexpected character at byte 0', 'and of other text that it is other text';
	is told(door(body => "x\xda\x9c", env => {})) =~ s/ at .*//r,
		'400 the body is not the JSON that Auth0 sends: an unexpected character', 'even of text that looks like zlib';
};

# mod_cgid gives the length of what was sent with the body that a filter has made
# of it.
subtest 'a length that is that of the compressed body is refused, and the filter named' => sub {
	my %sent = (env => { HTTP_CONTENT_ENCODING => 'gzip' });
	is told(door(%sent, length => 20, body => $seed)),
		"400 the body is longer than its Content-Length, 20$filter", 'longer';
	is told(door(%sent, length => 22, body => '[]')), "400 the body ended after 2 bytes of 22$filter", 'shorter';
	is told(door(env => { HTTP_CONTENT_ENCODING => 'identity' }, length => 22, body => '[]')),
		'400 the body ended after 2 bytes of 22', 'one that was not compressed has no such hint';
	is scalar(posted()), 0, 'Slack heard nothing';
};

subtest 'a body with nothing to send is answered 204' => sub {
	my $answer = door(body => $json->encode([ record('s'), record('slo') ]));
	is $answer->{raw}, "Status: 204 No Content\r\n\r\n", 'successes';
	like request_line($answer), qr/ records=2 unusable=0 kept=0 status=204$/, 'the log';
	is door(body => '[]')->{status}, 204, 'an empty array';
	is door(body => '{"logs":[]}')->{status}, 204, 'an empty object';
	is scalar(posted()), 0, 'Slack heard nothing';
};

subtest 'all of the formats are read, whatever the Content-Type says' => sub {
	my @record = map { $json->encode(record($_)) } qw(fu fp);
	my @case = (
		'JSON Array' => "[$record[0],$record[1]]", 2,
		'JSON Array of one' => "[$record[0]]", 1,
		'JSON Lines' => "$record[0]\n$record[1]\n", 2,
		'JSON Lines without the last line feed' => "$record[0]\n$record[1]", 2,
		'JSON Lines ended by CR LF' => "$record[0]\r\n$record[1]\r\n", 2,
		'JSON Object' => "{\"logs\":[$record[0],$record[1]]}", 2,
		'a record alone' => $record[0], 1,
	);
	while (my ($what, $body, $count) = splice @case, 0, 3) {
		for my $type ('application/json', 'application/x-ndjson', 'text/plain', undef) {
			is told(door(body => $body, env => { CONTENT_TYPE => $type })), '200 ok',
				"$what as " . ($type // 'nothing');
			is @{ titles(posted()) }, $count, 'all its records';
		}
	}
};

subtest 'Content-Length may be absent, and the server may leave the input open' => sub {
	my $start = time;
	my $answer = door(length => length $seed, body => sub ($in) { syswrite $in, $seed; $in });
	my $took = time - $start;
	is told($answer), '200 ok', 'answered';
	cmp_ok $took, '<', 4, 'about a second after the last byte';
	is told(door(length => undef, body => $seed)), '200 ok', 'no Content-Length';

	$start = time;
	for my $length (2, 'x') {
		is door(length => $length, body => sub ($in) { syswrite $in, $seed; $in })->{status}, 400,
			"Content-Length: $length";
	}
	is door(method => 'GET', length => 2, body => sub ($in) { syswrite $in, $seed; $in })->{status},
		405, 'not a POST';
	cmp_ok time - $start, '<', LogStream::Test::watched() ? 27 : 9, 'about a second each';
	posted();
};

subtest 'the unusable among usable records are counted and lost, the others not' => sub {
	my $answer = door(body => $json->encode([ {}, undef, 1, 'x', [], { data => {} },
		{ data => { type => 1 } }, { data => { type => '' } }, record('fu'), record('s') ]));
	is told($answer), '200 ok', 'answered';
	like request_line($answer), qr/ records=10 unusable=8 kept=1 status=200$/, 'the log';
	is @{ titles(posted()) }, 1, 'one event';
};

subtest 'bodies kept in t/data are answered as the file beside each says' => sub {
	my @body = glob "$FindBin::Bin/data/bodies/*.json";
	ok @body, 'there are some';
	for my $body (@body) {
		my ($want) = slurp($body =~ s/\.json$/.expect/r) =~ /^(.*)/;
		my $answer = door(body => slurp($body), env => { LOG_LEVEL => 'debug' });
		my @request = posted();
		if (my ($kept) = $want =~ /^200 (\d+)$/) {
			is told($answer), '200 ok', basename($body);
			like request_line($answer), qr/ kept=$kept status=200$/, "$kept kept";
			is @{ titles(@request) }, $kept, 'as many in Slack';
		} else {
			is told($answer) =~ s/ \z//r, $want, basename($body);
			is @request, 0, 'Slack heard nothing';
		}
		is_deeply [ map { @{ $_->{problems} } } @request ], [], 'no problems';
		is $answer->{exit}, 0, 'exit status';
		unlike $answer->{body}, qr/[^\n]\n./, 'one line';
	}
};

#
# The token
#

subtest 'the token is taken from either header, with or without Bearer' => sub {
	my @case = (
		'as it is' => { HTTP_AUTHORIZATION => $token }, $token,
		'Bearer in the header' => { HTTP_AUTHORIZATION => "Bearer $token" }, $token,
		'Bearer in the configuration' => { HTTP_AUTHORIZATION => $token }, "Bearer $token",
		'Bearer in both' => { HTTP_AUTHORIZATION => "Bearer $token" }, "Bearer $token",
		'in any case' => { HTTP_AUTHORIZATION => "bEARER $token" }, "BEARER $token",
		'the other name' => { HTTP_AUTHORIZATION => undef,
			REDIRECT_HTTP_AUTHORIZATION => "Bearer $token" }, $token,
		'the other name, the first empty' => { HTTP_AUTHORIZATION => '',
			REDIRECT_HTTP_AUTHORIZATION => $token }, $token,
		'one of several' => { HTTP_AUTHORIZATION => $token }, "other-0123456789\n$token\n",
	);
	while (my ($what, $header, $configured) = splice @case, 0, 3) {
		my $answer = door(body => $seed,
			env => { %$header, AUTH0_LOG_STREAM_TOKEN => $configured });
		is told($answer), '200 ok', $what;
	}
	is told(door(body => $seed, env => { HTTP_AUTHORIZATION => 'x',
		REDIRECT_HTTP_AUTHORIZATION => $token })),
		'401 wrong token: the Authorization header is not the one expected',
		'a wrong first header is not mended by a second';
	is told(door(body => $seed, token => undef, env => { AUTH0_LOG_STREAM_TOKEN => undef })),
		'200 ok', 'without a token in the configuration everyone may post';
	posted();
};

#
# How it is started
#

subtest 'arguments mean nothing, since a server may make them from the query' => sub {
	for my $argument ('-d+allow_url_include=1', '--help', '--version', '-s', '-', 'x') {
		my $answer = door(cmd => [ door_path(), $argument, $argument ], body => $seed,
			env => { QUERY_STRING => $argument });
		is told($answer), '200 ok', $argument;
	}
	posted();
};

subtest 'without a web server it says so and ends with 2' => sub {
	my $answer = door(env => { REQUEST_METHOD => undef }, body => $seed);
	is $answer->{exit}, 2, 'exit status';
	is $answer->{raw}, '', 'no answer';
	like $answer->{err}, qr/\Alog-stream-to-slack\[\d+\]: error error="a web server starts this program, by CGI or FastCGI: see log-stream-to-slack\(1\)"\n\z/,
		'the line';
	is_deeply [ posted() ], [], 'Slack heard nothing';
};

subtest 'a signal during the request does not disturb it' => sub {
	my $dir = tempdir();
	my @cmd = ('/bin/sh', '-c', 'echo $$ >"$0.new" && mv "$0.new" "$0" && exec "$1"');
	for my $signal (qw(TERM INT HUP USR1)) {
		my $file = "$dir/$signal";
		my $body = sub ($in) {
			syswrite $in, substr $seed, 0, 50;
			wait_until_taken($in);
			# Several, apart: one may hit a poll, the next the read after it.
			for (1 .. 10) {
				kill $signal => 0 + slurp($file);
				sleep 0.01;
			}
			syswrite $in, substr $seed, 50;
		};
		my $answer = door(cmd => [ @cmd, $file, door_path() ], length => length $seed,
			body => $body);
		is told($answer) . ", exit $answer->{exit}, signal $answer->{signal}",
			'200 ok, exit 0, signal 0', "SIG$signal in the middle of the body";
		is scalar(posted()), 1, 'one message';
	}

	my $late = door_later(cmd => [ @cmd, "$dir/late", door_path() ], body => $seed,
		env => { SLACK_WEBHOOK_URL => $slack->url('/drip/0.3') });
	$slack->wait_for(1);
	kill TERM => 0 + slurp("$dir/late");
	my $answer = $late->();
	is told($answer) . ", exit $answer->{exit}", '200 ok, exit 0', 'SIGTERM while Slack answers';
	is scalar(posted()), 1, 'one message';
};

subtest 'a server that closes standard error or standard output does no harm' => sub {
	for my $closed ('2>&-', '2>&- >&-') {
		my $answer = cgi(body => $seed, token => $token, env => \%env,
			cmd => [ '/bin/sh', '-c', "exec \"\$0\" $closed", door_path() ]);
		my @request = posted();
		is $answer->{exit}, 0, "exit status with $closed";
		is_deeply [ map { ($_->{body} =~ /^\{"text"/, @{ $_->{problems} }) } @request ], [ 1 ],
			'one message, and nothing else to Slack';
		is $answer->{raw} =~ s/.*\r\n\r\n//sr, $closed =~ />&- >&-/ ? '' : 'ok', 'the answer';
	}
};

# It reads the body first, so that the answer is what it waits with.
subtest 'a server that does not read the answer is waited for no longer than ten seconds' => sub {
	my %full = (pipe => sub { pipe my $read, my $write or die $!; ($read, $write) },
		socket => sub { socketpair my $read, my $write, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die $!; ($read, $write) });
	my %door = map {
		my ($read, $write) = $full{$_}->();
		$write->blocking(0);
		1 while syswrite $write, 'x' x 4096;
		1 while syswrite $write, 'x';
		$write->blocking(1);
		my $queue = queue(slack => $slack);
		my $in = spew(tempdir() . '/body', $seed);
		open my $body, '<', $in or die $!;
		my $start = time;
		my $door = bless {}, 'LogStream::Test::Process';
		$door->launch(1, cmd => [ door_path() ], in => $body, out => $write, env => { %{ $queue->env },
			LogStream::Test::variables(token => LogStream::Test::Queue::TOKEN, body => $seed) });
		($_ => { read => $read, write => $write, queue => $queue, door => $door, start => $start })
	} sort keys %full;
	for (sort keys %door) {
		my $h = $door{$_};
		is $h->{door}->wait_exit(20), 0, "$_: it ends";
		cmp_ok time - $h->{start}, '>', 5, 'after some time';
		my $flags = fcntl $h->{write}, F_GETFL, 0;
		ok !($flags & O_NONBLOCK), 'the descriptor is as it was';
		like $h->{queue}->log, qr/ outcome=queued\n/, 'what it took is queued';
	}
	is scalar($slack->wait_for_titles(2)), 2, 'and sent, by the workers that they started';
	posted();
	$_->{queue}->end_worker for values %door;
};

#
# Configuration
#

# "503" and the reasons in the log, when that is all there is to say.
sub complaint ($answer) {
	return told($answer) if $answer->{status} != 503;
	is $answer->{body}, 'the configuration of this program is bad: its log says why, and so does '
		. "log-stream-ctl check\n", 'the answer does not say what';
	return join '; ', 503, $answer->{err} =~ /: error error="(.*)"$/mg;
}

subtest 'a bad configuration is answered 503, and the log says what is wrong' => sub {
	my @case = (
		'no destination' => { SLACK_WEBHOOK_URL => undef },
			'SLACK_WEBHOOK_URL is not set: give it the address of a Slack incoming webhook',
		'an empty destination' => { SLACK_WEBHOOK_URL => '' },
			'environment: SLACK_WEBHOOK_URL: it is empty: give it a value or remove it',
		'not a URL' => { SLACK_WEBHOOK_URL => 'SECRETpath' },
			'environment: SLACK_WEBHOOK_URL: it is not a URL such as '
			. 'https://hooks.slack.com/services/...',
		'http to another machine' => { SLACK_WEBHOOK_URL => "http://192.0.2.1$path" },
			'environment: SLACK_WEBHOOK_URL: it must begin with https:// (http:// is for '
			. 'addresses of this machine alone)',
		'http to Slack' => { SLACK_WEBHOOK_URL => "http://hooks.slack.com$path" },
			'environment: SLACK_WEBHOOK_URL: it must begin with https:// (http:// is for '
			. 'addresses of this machine alone)',
		'a workflow' => { SLACK_WEBHOOK_URL => 'https://hooks.slack.com/triggers/T0/SECRETpath' },
			'environment: SLACK_WEBHOOK_URL: it is a workflow\'s trigger, which takes no such '
			. 'messages: make an incoming webhook',
		'an empty token' => { AUTH0_LOG_STREAM_TOKEN => '' },
			'environment: AUTH0_LOG_STREAM_TOKEN: it is empty: give it a value or remove it',
		'a blank token' => { AUTH0_LOG_STREAM_TOKEN => ' ' },
			'environment: AUTH0_LOG_STREAM_TOKEN: it holds no token',
		'Bearer alone as token' => { AUTH0_LOG_STREAM_TOKEN => 'Bearer ' }, undef,
		'a token twice' => { AUTH0_LOG_STREAM_TOKEN_FILE => '/SECRETno' },
			'environment: AUTH0_LOG_STREAM_TOKEN and AUTH0_LOG_STREAM_TOKEN_FILE are both set: '
			. 'keep one',
		'a token file that is not there' => { AUTH0_LOG_STREAM_TOKEN => undef,
			AUTH0_LOG_STREAM_TOKEN_FILE => '/nowhere/token' },
			'environment: AUTH0_LOG_STREAM_TOKEN_FILE: /nowhere/token: cannot be read: '
			. 'No such file or directory',
		'a filter' => { FILTER => 'failure !' },
			'environment: FILTER: \x22!\x22 is not a filter term: it is neither a class '
			. '(failure limit anomaly warning notice success) nor a type code or glob such as f*',
		'a word that is no filter' => { FILTER => 'on' },
			'environment: FILTER: \x22on\x22 is not a filter term: write * for every event',
		'a filter that keeps nothing' => { FILTER => 'failure -*' },
			'environment: FILTER: no event can pass it: its terms exclude all that they include',
		'a thing to show' => { SHOW => 'client all' },
			'environment: SHOW: \x22all\x22 cannot be shown: choose from '
			. 'description client user ip connection tenant organization',
		'a duration' => { SLACK_TIMEOUT => '10' },
			'environment: SLACK_TIMEOUT: \x2210\x22 is not a duration: write a number and '
			. 'ms, s, min, h or d, such as 10s',
		'too long a duration' => { SLACK_TIMEOUT => '61s' },
			'environment: SLACK_TIMEOUT: 61s is out of range: from 100ms to 25s',
		'a size' => { MAX_BODY => '16M' },
			'environment: MAX_BODY: \x2216M\x22 is not a size: write a number and '
			. 'B, kB, MB, KiB, MiB or GiB, such as 16MiB',
		'too small a size' => { MAX_BODY => '999B' },
			'environment: MAX_BODY: 999B is out of range: from 1kB to 1GiB',
		'a number of 30 digits' => { MAX_BODY => '9' x 30 . 'B' },
			'environment: MAX_BODY: ' . '9' x 30 . 'B is out of range: from 1kB to 1GiB',
		'a dashboard' => { DASHBOARD_URL => 'manage.auth0.com' },
			'environment: DASHBOARD_URL: \x22manage.auth0.com\x22 is not a URL such as '
			. 'https://manage.auth0.com',
		'a log' => { LOG => 'var/log/x' },
			'environment: LOG: \x22var/log/x\x22 is neither stderr nor syslog nor the path of a file (/...)',
		'a log level' => { LOG_LEVEL => 'all' },
			'environment: LOG_LEVEL: \x22all\x22 is not a level: choose from error warn info debug',
		'two things' => { LOG => 'x', LOG_LEVEL => 'y' },
			'environment: LOG: \x22x\x22 is neither stderr nor syslog nor the path of a file (/...); '
			. 'environment: LOG_LEVEL: \x22y\x22 is not a level: choose from error warn info debug',
	);
	while (my ($what, $changed, $why) = splice @case, 0, 3) {
		if (!defined $why) {
			unlike told(door(env => $changed, body => $seed, token => undef)), qr/^2/,
				"$what: does not open the door to everybody";
			next;
		}
		is complaint(door(env => $changed, body => $seed)), "503; $why", $what;
	}
	is told(door(env => { LOG => 'x' }, body => $seed, token => undef)) =~ s/ .*//sr, 503,
		'it comes before the token';
	is door(env => { LOG => 'x' }, method => 'GET')->{status}, 405, 'and after the method';
	is scalar(posted()), 0, 'Slack heard nothing';
};

subtest 'the configuration is read from .env in the working directory' => sub {
	my $dir = tempdir();
	my %none = map { $_ => undef } keys %env, 'LOG_STREAM_CONFIG';
	my $file = settings_text(\%env);

	spew("$dir/.env", $file, 0600);
	is told(door(cwd => $dir, env => \%none, body => $seed)), '200 ok', 'there';
	spew("$dir/.env", "$file\nFILTER=s\n", 0600);
	is door(cwd => $dir, env => \%none, body => $seed)->{status}, 204, 'its other keys count';
	is told(door(cwd => $dir, env => { %none, FILTER => 'f' }, body => $seed)), '200 ok',
		'the environment wins';
	is told(door(cwd => $dir, env => { %none, HTTP_FILTER => 'f', REDIRECT_FILTER => 'f' },
		body => $seed)) =~ s/ .*//r, 204, 'what a client or a rewrite may set does not';
	spew("$dir/other", "LOG=x\n", 0600);
	is complaint(door(cwd => $dir, env => { LOG_STREAM_CONFIG => "$dir/other" }, body => $seed)),
		"503; $dir/other:1: LOG: \\x22x\\x22 is neither stderr nor syslog nor the path of a file (/...)",
		'LOG_STREAM_CONFIG names another one';
	is complaint(door(cwd => $dir, env => { LOG_STREAM_CONFIG => "$dir/none" }, body => $seed)),
		"503; $dir/none: cannot be read: No such file or directory", 'which has to be there';
	posted();
};

subtest 'a configuration file is checked line by line' => sub {
	my $dir = tempdir();
	my $in = "$dir/conf";
	my %file = (LOG_STREAM_CONFIG => $in);
	my @case = (
		'an unknown key' => "FILTER=f\nCHANEL=SECRETpath\n", "$in:2: unknown key \\x22CHANEL\\x22",
		'no setting' => "# x\n\nSECRETpath\n", "$in:3: the line is not KEY=value",
		'a space before =' => "FILTER =f\n", "$in:1: the line is not KEY=value",
		'a key twice' => "FILTER=f\n;\nFILTER=s\n", "$in:3: FILTER was already set at $in:1",
		'an open quote' => "FILTER=\"f\n", "$in:1: FILTER: the closing quote is missing",
		'text after a quote' => "FILTER='f' s\n",
			"$in:1: FILTER: there is text after the closing quote",
		'a value that goes on' => "FILTER=f \\\n s\n",
			"$in:1: FILTER: it holds a backslash: put it in single quotes; "
			. "$in:2: the line is not KEY=value",
		'a control character' => "FILTER=a\ab\n", "$in:1: FILTER: it holds a control character",
		'a NUL byte' => "FILTER=f\0\n", "$in: cannot be read: it holds a NUL byte",
		'a bad value' => "LOG=x\n", "$in:1: LOG: \\x22x\\x22 is neither stderr nor syslog nor the path of a file (/...)",
		'all at once' => "A=1\nLOG=x\n", "$in:1: unknown key \\x22A\\x22; "
			. "$in:2: LOG: \\x22x\\x22 is neither stderr nor syslog nor the path of a file (/...)",
	);
	while (my ($what, $text, $why) = splice @case, 0, 3) {
		spew($in, $text, 0600);
		is complaint(door(env => \%file, body => $seed)), "503; $why", $what;
	}
	spew($in, "\xef\xbb\xbf# x\r\n;\r\n\r\n  FILTER=\t\"f\" \r\nSHOW='user, ip'\r\nLOG_LEVEL=", 0600);
	utime 1, 1, $in; # else its last line may be half written
	is told(door(env => \%file, body => $seed)), '200 ok',
		'quotes, white space, CR LF, a byte order mark and an empty value are all right';
	unlink $in;
	mkdir $in;
	is complaint(door(env => \%file, body => $seed)), "503; $in: cannot be read: it is not a file",
		'a directory';
	posted();
};

subtest 'a file with a secret that everybody may read is refused' => sub {
	my $dir = tempdir();
	my $in = "$dir/conf";
	my %file = (LOG_STREAM_CONFIG => $in, SLACK_WEBHOOK_URL => undef);
	my $open = sub ($name, $key) {
		return "503; $name: every user of this machine may read it, and it holds $key: "
			. 'run chmod o-r on it';
	};
	spew($in, "SLACK_WEBHOOK_URL=$env{SLACK_WEBHOOK_URL}\n", 0604);
	is complaint(door(env => \%file, body => $seed)), $open->($in, 'SLACK_WEBHOOK_URL'),
		'readable';
	chmod 0602, $in;
	is complaint(door(env => \%file, body => $seed)),
		"503; $in: every user of this machine may write to it: run chmod o-w on it", 'writable';
	chmod 0640, $in;
	is told(door(env => \%file, body => $seed)), '200 ok', 'the group may';
	spew($in, "FILTER=f\n", 0644);
	is told(door(env => { LOG_STREAM_CONFIG => $in }, body => $seed)), '200 ok',
		'without a secret everybody may';
	my %token = (AUTH0_LOG_STREAM_TOKEN => undef, AUTH0_LOG_STREAM_TOKEN_FILE => "$dir/token");
	spew("$dir/token", "$token\n", 0644);
	is complaint(door(env => \%token, body => $seed)),
		$open->("$dir/token", 'AUTH0_LOG_STREAM_TOKEN'), 'a token file';
	posted();
};

subtest 'secrets can be kept in files, a token file may have several' => sub {
	my $dir = tempdir();
	my %file = map { $_ => undef, "${_}_FILE" => "$dir/$_" } keys %env;
	spew("$dir/SLACK_WEBHOOK_URL", "$env{SLACK_WEBHOOK_URL}\r\nsecond line\n", 0600);
	spew("$dir/AUTH0_LOG_STREAM_TOKEN", "old-SECRETtoken-0123456789\n\n  Bearer $token  \r\n", 0600);
	is told(door(env => \%file, body => $seed)), '200 ok', 'the second token';
	is told(door(env => \%file, body => $seed, token => 'old-SECRETtoken-0123456789')), '200 ok',
		'the first';
	is door(env => \%file, body => $seed, token => 'x')->{status}, 401, 'another';
	spew("$dir/AUTH0_LOG_STREAM_TOKEN", "\n \n", 0600);
	is complaint(door(env => \%file, body => $seed)), "503; environment, in "
		. "$dir/AUTH0_LOG_STREAM_TOKEN: AUTH0_LOG_STREAM_TOKEN: it holds no token", 'none';
	spew("$dir/AUTH0_LOG_STREAM_TOKEN", '', 0600);
	is complaint(door(env => \%file, body => $seed)), "503; environment, in "
		. "$dir/AUTH0_LOG_STREAM_TOKEN: AUTH0_LOG_STREAM_TOKEN: it is empty: "
		. 'give it a value or remove it', 'an empty file';
	posted();
};

subtest 'what a client sends is never configuration' => sub {
	my $other = standin();
	my %header = (SLACK_WEBHOOK_URL => $other->url('/services/x'), FILTER => 's',
		AUTH0_LOG_STREAM_TOKEN => 'x', LOG_STREAM_CONFIG => '/nowhere', LOG => 'x');
	my $answer = door(body => $seed, env => {
		map { ("HTTP_$_" => $header{$_}, "REDIRECT_$_" => $header{$_}) } keys %header });
	is told($answer), '200 ok', 'headers';
	is told(door(body => $seed, env => {
		QUERY_STRING => join '&', map { "$_=$header{$_}" } keys %header })), '200 ok', 'the query';
	is scalar(posted()), 2, 'they reached the one Slack';
	is scalar($other->requests), 0, 'and not the other';
};

#
# Events and messages
#

subtest 'events are sent oldest first, 20 a message, over one connection' => sub {
	my @minute = map { ($_ * 7) % 45 } 0 .. 44;
	my @record = map { record('f', description => "event $_",
		date => sprintf '2026-08-01T12:%02d:00.000Z', $_) } @minute;
	my $answer = door(body => $json->encode([ record('s'), @record ]));
	is told($answer), '200 ok', 'answered';
	like request_line($answer), qr/ records=46 unusable=0 kept=45 status=200$/, 'the log';
	my @request = posted();
	is_deeply [ map { scalar @{ $_->{payload}{attachments} } } @request ], [ 20, 20, 5 ],
		'three messages';
	is_deeply titles(@request), [ map { "event $_ [type: f]" } 0 .. 44 ], 'in their order';
	is_deeply [ map { $_->{payload}{text} } @request ],
		[ ('*Auth0 log alert*, 20 events') x 2, '*Auth0 log alert*, 5 events' ], 'counted';
	my %connection = map { $_->{connection} => 1 } @request;
	is keys %connection, 1, 'one connection';
	is_deeply [ map { @{ $_->{problems} } } @request ], [], 'no problems';
	is scalar(() = $answer->{err} =~ / outcome=sent$/mg), 48, 'a log line an event and a message';
};

subtest 'FILTER and SHOW decide what is sent and what it tells' => sub {
	my $body = $json->encode([ record('fu', client_id => 'load-1', user_name => 'u', ip => '192.0.2.7'),
		record('fp', client_id => 'shop', user_name => 'u', ip => '192.0.2.7'), record('s') ]);
	is told(door(body => $body, env => { FILTER => 'failure -client_id=load*', SHOW => 'user,ip' })),
		'200 ok', 'answered';
	my ($request) = posted();
	like "@{ titles($request) }", qr/\A[^\[]+ \[type: fp\]\z/, 'one event';
	is_deeply [ map { "$_->{title}: $_->{value}" } @{ $request->{payload}{attachments}[0]{fields} } ],
		[ 'User: u', 'IP address: 192.0.2.7' ], 'its fields';

	my $answer = door(body => $body, env => { LOG_LEVEL => 'debug', FILTER => 'limit' });
	is scalar(() = $answer->{err} =~ /: debug log_id=\S+ type=\w+ outcome=filtered$/mg), 3,
		'LOG_LEVEL=debug tells of each that is not sent';
	$answer = door(body => '[{"log_id":"outer","data":{"type":"s"}}]', env => { LOG_LEVEL => 'debug' });
	like $answer->{err}, qr/: debug log_id=outer type=s outcome=filtered$/m, 'by whichever id it has';
	my $quiet = door(body => $body, env => { LOG_LEVEL => 'error' });
	is $quiet->{err}, '', 'LOG_LEVEL=error tells of nothing that went well';
	posted();
};

subtest 'neither the size nor the depth of what nobody asks for costs an event' => sub {
	my $deep = '[{"type":' x 50_000 . '"s"' . '}]' x 50_000;
	my $wide = '[' . join(',', ('{"type":"s"}') x 200_000) . ']';
	my %body = (
		array => sub (@record) { '[' . join(',', @record) . ']' },
		lines => sub (@record) { join '', map { "$_\n" } @record },
		logs => sub (@record) { '{"logs":[' . join(',', @record) . ']}' },
	);
	for my $format (sort keys %body) {
		for my $details ($deep, $wide, '"' . 'x' x 5_000_000 . '"', '1' . '0' x 5_000_000) {
			my $answer = door(body => $body{$format}->(
				'{"log_id":"1","data":{"type":"f","description":"first"}}',
				qq({"log_id":"2","x":$details,"data":{"details":$details,"type":"f","description":"second"}}),
				qq({"log_id":"3","type":"f","description":"third","x":$details}),
				'{"log_id":"4","data":{"type":"f","description":"last"}}'));
			my $what = "$format, " . substr($details, 0, 10);
			is told($answer), '200 ok', "$what: answered";
			like request_line($answer), qr/ records=4 unusable=0 kept=4 status=200$/, 'the log';
			is_deeply titles(posted()), [ map { "$_ [type: f]" } qw(first second third last) ], 'all are sent';
		}
	}
	my $answer = door(body => "[$deep,{\"type\":\"f\",\"description\":$deep},{\"data\":$deep}]");
	is told($answer), '200 ok', 'what is wanted and deep is nothing';
	like request_line($answer), qr/ records=3 unusable=2 kept=1 status=200$/, 'the log';
	unlike "@{ titles(posted()) }", qr/\[\{/, 'and not shown';
};

subtest 'a description of 10 MB is cut where Slack would, with a mark' => sub {
	for my $text ('x' x 10_000_000, '\u00fc' x 1_600_000, '\n' x 4000 . 'x' x 10_000_000) {
		is told(door(body => qq([{"data":{"type":"f","description":"$text"}}]))), '200 ok', 'answered';
		my ($request) = posted();
		is_deeply $request->{problems}, [], 'no problems';
		my $title = titles($request)->[0];
		cmp_ok length $title, '<=', 1024, 'the title';
		like $title, qr/\A(?:x+|\x{fc}+)\x{2026} \[type: f\]\z/, 'is a beginning';
	}
};

subtest 'ids too long to be kept never make one event of two' => sub {
	my $dir = tempdir();
	my $end = 'x';
	my $id = sub { '9' x 300_000 . $end++ };
	my @record = map { my $n = $_; map { $json->encode($_) }
		{ log_id => $id->(), data => { type => 'f', description => "outer $n" } },
		{ log_id => $id->(), type => 'f', description => "bare $n" },
		{ data => { log_id => $id->(), type => 'f', description => "inner $n" } } } 1, 2;
	my $answer = door(body => '[' . join(',', @record) . ']', env => { QUEUE => "sqlite:$dir/q.db" });
	is told($answer), '200 ok', 'answered';
	my @request;
	wait_until(sub { @request = $slack->requests }, 20, 'the worker');
	is_deeply [ sort @{ titles(posted()) } ],
		[ map { my $what = $_; map { "$what $_ [type: f]" } 1, 2 } qw(bare inner outer) ], 'all are sent';
};

subtest 'bare events, as the Management API lists them, are events in every format' => sub {
	my @event = map { { _id => $_, log_id => $_, type => $_ == 2 ? 's' : 'f', description => "event $_",
		details => { type => 's' } } } 1 .. 3;
	my $list = join ',', map { $json->encode($_) } @event;
	my %body = (
		'an array' => "[$list]",
		'lines' => join("\n", map { $json->encode($_) } @event),
		'logs' => "{\"logs\":[$list]}",
		'a page with totals' => "{\"start\":0,\"limit\":50,\"length\":3,\"logs\":[$list],\"total\":3}",
	);
	for my $what (sort keys %body) {
		my $answer = door(body => $body{$what});
		is told($answer), '200 ok', "$what: answered";
		like request_line($answer), qr/ records=3 unusable=0 kept=2 status=200$/, 'the log';
		my ($request) = posted();
		is_deeply titles($request), [ 'event 1 [type: f]', 'event 3 [type: f]' ], 'sent';
		like $request->{payload}{attachments}[1]{title_link}, qr{/3\z}, 'with their links';
	}
	is told(door(body => $json->encode($event[0]))), '200 ok', 'one alone';
	is_deeply titles(posted()), [ 'event 1 [type: f]' ], 'sent';
	my $other = '{"id":"a","time":"2026-11-20T09:30:11Z","source":"https://manage.auth0.com","data":'
		. '{"id":"m","tenant":"acme","evaluated_metric":"failed_logins","state":"ALERT"}}';
	is told(door(body => $other)), '400 no record in the body is a log event: none has a data.type, '
		. 'or a type of its own (records: 1)', 'what the Security Center sends is no event';
	is scalar(posted()), 0, 'and not sent';
};

subtest 'numbers and truths are shown, and filtered by, as they were sent' => sub {
	my %show = (SHOW => 'description,user,connection');
	my $answer = door(env => { %show, LOG_LEVEL => 'debug' }, body => '[{"log_id":90020261120093011424106000000001,'
		. '"data":{"type":"fp","user_id":9007199254740993,"user_name":"","connection":-1.50e+7}}]');
	is told($answer), '200 ok', 'answered';
	my ($request) = posted();
	is_deeply [ map { "$_->{title}: $_->{value}" } @{ $request->{payload}{attachments}[0]{fields} } ],
		[ 'User: 9007199254740993', 'Connection: -1.50e+7' ], 'digit by digit';
	like $request->{payload}{attachments}[0]{title_link}, qr{/90020261120093011424106000000001\z}, 'an id too';
	like $answer->{err}, qr/ log_id=90020261120093011424106000000001 type=fp .*outcome=sent$/m, 'in the log as well';
	my $body = $json->encode([ record('fu', is_mobile => JSON::PP::true), record('fp', is_mobile => JSON::PP::false),
		record('f', is_mobile => 'true'), record('fn') ]);
	my %want = (
		'failure -is_mobile=true' => 'fp fn',
		'is_mobile=true' => 'fu f',
		'is_mobile=*' => 'fu fp f',
	);
	for my $filter (sort keys %want) {
		is told(door(body => $body, env => { FILTER => $filter })), '200 ok', "FILTER=$filter";
		is join(' ', map { /\[type: (\w+)\]/ } @{ titles(posted()) }), $want{$filter}, 'sent';
	}
	is told(door(body => '[{"data":{"type":"fp","n":10}},{"data":{"type":"fu","n":1.0}}]',
		env => { FILTER => 'n=1?' })), '200 ok', 'a glob over digits';
	is_deeply [ map { /\[type: (\w+)\]/ } @{ titles(posted()) } ], [ 'fp' ], 'matches them as text';
};

subtest 'a time is shown that is sensible, and none otherwise' => sub {
	my $at = 1795167011; # 2026-11-20 09:30:11
	my @date = (
		'"2026-11-20T09:30:11.424Z"' => $at,
		'"2026-11-20 09:30:11.424000000"' => $at,
		'"2026-11-20T09:30:11"' => $at,
		'"2026-11-20T11:30:11.424+0200"' => $at,
		'"2026-11-20T04:30:11-05:00"' => $at,
		$at => $at,
		"\"$at\"" => $at,
		"${at}424" => $at,
		"$at.424" => $at,
		'"0001-01-01T00:00:00.000Z"' => undef,
		'"9999-12-31T23:59:59Z"' => undef,
		0 => undef,
		-1 => undef,
		20261120093011 => undef,
		"${at}424000" => undef,
		'"20 November"' => undef,
		'true' => undef,
		'{}' => undef,
	);
	while (my ($date, $ts) = splice @date, 0, 2) {
		is told(door(body => "[{\"data\":{\"type\":\"f\",\"date\":$date}}]")), '200 ok', "$date: answered";
		my ($request) = posted();
		is $request->{payload}{attachments}[0]{ts}, $ts, $ts ? 'the time' : 'no time';
	}
};

# A text of a message, entities taken back, as t/data/messages/README says.
my %entity = (lt => '<', gt => '>', amp => '&');
sub shown ($text) {
	return $text =~ s/&(lt|gt|amp);/$entity{$1}/gr =~ s/([^\x00-\x7f])/sprintf '{U+%04X}', ord $1/ger;
}

# The lines of a message's attachments, each a kind and its words.
sub attachment_lines ($attachment) {
	return ([ title => $attachment->{title} ],
		(map { [ link => $_ ] } grep { defined } $attachment->{title_link}),
		(map { [ field => "$_->{title}: $_->{value}" ] } @{ $attachment->{fields} // [] }),
		(map { [ footer => $_ ] } grep { defined } $attachment->{footer}));
}

sub message_lines ($message) {
	return map { "$_->[0] " . shown($_->[1]) . "\n" }
		[ text => $message->{text} ], map { attachment_lines($_) } @{ $message->{attachments} };
}

# What try prints about such a message: for a terminal, without times, and
# without what only Slack needs to show it as it is.
sub preview_lines (@line) {
	return map { s/^text (.*)/$1/r =~ s/^(?:title|link|field|footer) /| /r =~ s/\*//gr
		=~ s/\{U\+2060\}//gr } @line;
}

subtest 'messages are those kept in t/data, by way of a queue too, and try shows the same' => sub {
	my @body = glob "$FindBin::Bin/data/messages/*.json";
	cmp_ok scalar(@body), '>', 10, 'there are some';
	for my $body (@body) {
		my ($name, @line) = (basename($body), slurp($body =~ s/\.json$/.expect/r) =~ /^(.*\n)/mg);
		my %set = map { /^([A-Z_]+)=(.*)\n/ } @line;
		my $want = join '', grep { !/^[A-Z_]+=/ } @line;

		is told(door(body => slurp($body), env => \%set)), '200 ok', $name;
		my @request = posted();
		is join('', map { message_lines($_->{payload}) } @request), $want, 'at once';
		is_deeply [ map { @{ $_->{problems} } } @request ], [], 'no problems';

		my $queue = queue(slack => $slack, path => $path, env => \%set);
		is told($queue->cgi(body => slurp($body))), '200 ok', 'to the queue';
		$queue->wait_until_empty;
		is join('', map { message_lines($_->{payload}) } posted()), $want, 'from the queue';
		$queue->end_worker;

		my $tried = ctl({ %env, %set }, 'try', $body)->{out};
		utf8::decode($tried);
		is join('', grep { /\S/ && !/^\| \d{4}-\d\d-\d\d .* UTC$/ } map { "$_\n" } split /\n/, shown($tried)),
			join('', preview_lines($want =~ /^(.*\n)/mg)), 'as try lays it out';
	}
};

subtest 'foreign text can neither forge a log line nor drive a terminal' => sub {
	my $forged = "log-stream-to-slack[1]: info log_id=x outcome=sent";
	for my $evil ("a\n$forged", "a\r\n$forged", "\e]0;x\a\e[2J", "\x{9b}31m\x{85}x", "\x{0}$forged",
		"\x{2028}$forged", "\x{202e}turned", "\x{7f}\b\b", 'a" outcome=sent b="', 'a\\') {
		my $text = JSON::PP->new->ascii->allow_nonref->encode($evil);
		my $raw = JSON::PP->new->utf8->allow_nonref->encode($evil);
		for my $string ($text, $raw) {
			my $answer = door(body => "[{\"log_id\":$string,\"data\":{\"type\":$string,"
				. "\"description\":$string,\"client_id\":$string}}]",
				env => { FILTER => '-success', LOG_LEVEL => 'debug' });
			unlike $answer->{err}, qr/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]/,
				"no control byte for $text";
			unlike $answer->{err}, qr/^(?!log-stream-to-slack\[\d+\]: \w+ \w+=)/m, 'no other line';
			unlike $answer->{err}, qr/^log-stream-to-slack\[1\]/m, 'no forged line';
			is scalar(() = $answer->{err} =~ /\n/g), 3, 'three lines';
			is scalar(() = $answer->{err} =~ / (?=outcome=sent$)/mg), 2, 'two outcomes';
		}
	}
	my $answer = door(method => "PO\nST\e[2J\x80", env => { CONTENT_TYPE => "\n" });
	is $answer->{status}, 405, 'a method with control bytes';
	like $answer->{err}, qr/\A[^\n]* method="PO\\x0aST\\x1b\[2J\\x80" [^\n]*\n\z/, 'is escaped';
	is_deeply [ map { @{ $_->{problems} } } posted() ], [], 'no problems in Slack';
};

subtest 'a client that stalls is answered after ten seconds at the latest' => sub {
	for my $what (sort keys %stalled) {
		my ($answer, $want) = @{ $stalled{$what} };
		my $got = $answer->();
		is told($got), $want, $what;
		is $got->{exit}, 0, 'exit status';
	}
	is scalar(posted()), 0, 'Slack heard nothing';
};

subtest 'no secret was ever written' => sub {
	cmp_ok scalar(@written), '>', 300, 'of many answers and logs';
	is_deeply [ grep { /SECRET/ } @written ], [], 'none has one';
};

done_testing;
