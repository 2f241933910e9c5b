#!/usr/bin/perl
# The Slack stand-in does what it says. A mock that lies would make every
# other test worthless.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use LogStream::Test;
use Test::More;
use Time::HiRes qw(time);

my $json = JSON::PP->new->utf8->canonical;
our $slack = standin();

sub post ($path, $body, %header) {
	$body = $json->encode($body) if ref $body;
	return http('POST', $slack->url($path),
		{ 'Content-Type' => 'application/json', %header }, $body);
}

# An attachment that is all right, but for what is given.
sub attachment (%differs) {
	return { fallback => 'x', title => 'x', %differs };
}

# "400 no_text; problem; problem" for a payload.
sub judged ($body, %header) {
	$slack->forget;
	my $answer = post('/services/T/B/X', $body, %header);
	my ($request) = $slack->requests;
	return join '; ', "$answer->{status} $answer->{body}",
		grep { !/^Slack would answer/ } @{ $request->{problems} };
}

# A connection on which $bytes were sent.
sub begin ($bytes, $port = $slack->port) {
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
		or die "connect: $@";
	syswrite $socket, $bytes;
	return $socket;
}

# $count connections on which the same $bytes end at the same time.
sub at_once ($count, $bytes) {
	my $last = chop $bytes;
	my @socket = map { begin($bytes) } 1 .. $count;
	syswrite $_, $last for @socket;
	return @socket;
}

# What comes until $want is there or the other side closes.
sub read_until ($socket, $want) {
	my $all = '';
	wait_until(sub {
		vec(my $ready = '', fileno $socket, 1) = 1;
		return 0 if !select $ready, undef, undef, 0;
		return 1 if !sysread $socket, $all, 65536, length $all;
		return $all =~ $want;
	}, 5, "$want");
	return $all;
}

# Nothing to read, not even an end, for a while.
sub still_open ($socket) {
	vec(my $ready = '', fileno $socket, 1) = 1;
	return !select $ready, undef, undef, 0.05;
}

sub request_bytes ($path, $body = '{"text":"x"}', $more = '') {
	return "POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		. $more . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}

subtest 'a good message is answered ok and recorded whole' => sub {
	$slack->forget;
	my $body = $json->encode({ text => "caf\x{e9} \x{2026}", attachments => [
		attachment(title_link => 'https://manage.auth0.com/#/logs/1', color => '#d00000',
			ts => 1714567896, fields => [ { title => 'a', value => 'b', short => \1 } ]) ] });
	my $answer = post('/services/T/B/X?a=b', $body, 'X-Thing' => 'one');
	is "$answer->{status} $answer->{body}", '200 ok', 'status and body';

	my ($request) = $slack->requests;
	is $request->{method}, 'POST', 'method';
	is $request->{path}, '/services/T/B/X', 'path';
	is $request->{query}, 'a=b', 'query';
	is $request->{headers}{'x-thing'}, 'one', 'header';
	is $request->{body}, $body, 'the body as bytes';
	is $request->{payload}{text}, "caf\x{e9} \x{2026}", 'the payload as characters';
	is $request->{payload}{attachments}[0]{ts}, 1714567896, 'a number in it';
	is "$request->{status} $request->{answer}", '200 ok', 'what was answered';
	is_deeply $request->{problems}, [], 'no problems';
	cmp_ok abs($request->{time} - time), '<', 10, 'when it came';
};

subtest 'a payload Slack would not take is refused with its word' => sub {
	my $full = attachment();
	my @case = (
		'not JSON' => '{"text":', '400 invalid_payload',
		'an empty body' => '', '400 invalid_payload',
		'an array' => '[]', '400 invalid_payload',
		'a string' => '"text"', '400 invalid_payload',
		'something after the object' => '{"text":"x"} x', '400 invalid_payload',
		'a null' => '{"text":null}', '400 invalid_payload',
		'an empty text' => '{"text":""}', '400 invalid_payload',
		'no attachment in the array' => '{"text":"x","attachments":[]}', '400 invalid_payload',
		'an empty value far inside' => { attachments => [
			attachment(fields => [ { title => 'a', value => '' } ]) ] }, '400 invalid_payload',
		'an empty object in an array' => '{"text":"x","a":[{}]}', '400 invalid_payload',
		'a text that is a number' => '{"text":1}', '400 invalid_payload',
		'attachments that are an object' => '{"attachments":{"a":"b"}}', '400 invalid_payload',
		'an empty object' => '{}', '400 no_text',
		'neither text nor attachments' => '{"foo":"x"}', '400 no_text',
		'101 attachments' => { attachments => [ ($full) x 101 ] },
			'400 too_many_attachments; 101 attachments',
		'an attachment that is a string' => '{"attachments":["x"]}', '400 invalid_attachments',
		'no fallback' => { attachments => [ { title => 'x' } ] }, '400 invalid_attachments',
		'no title' => { attachments => [ { fallback => 'x' } ] }, '400 invalid_attachments',
		'a ts in a string' => { attachments => [ attachment(ts => '1714567896') ] },
			'400 invalid_attachments',
		'a ts with a fraction' => { attachments => [ attachment(ts => 1.5) ] },
			'400 invalid_attachments',
		'a field without value' => { attachments => [
			attachment(fields => [ { title => 'x' } ]) ] }, '400 invalid_attachments',
		'a field value that is a number' => { attachments => [
			attachment(fields => [ { title => 'x', value => 1 } ]) ] },
			'400 invalid_attachments',
	);
	while (my ($what, $body, $verdict) = splice @case, 0, 3) {
		is judged($body), $verdict, $what;
	}
	is judged('{"text":"x"}', 'Content-Type' => 'text/plain'), '400 invalid_payload',
		'another Content-Type';
	is judged('{"text":"x"}', 'Content-Type' => 'application/json; charset=utf-8'),
		'200 ok', 'a Content-Type with a charset is all right';
	is judged('{"attachments":[{"fallback":"x","title":"x"}]}'), '200 ok',
		'attachments without a text are all right';
	is http('GET', $slack->url('/services/T/B/X'))->{status}, 405, 'not a POST';

	$slack->forget;
	post('/status/200/ok', { attachments => [ attachment(text => '') ] });
	is_deeply [ map { @{ $_->{problems} } } $slack->requests ],
		[ 'Slack would answer 400 invalid_payload: attachments[0].text is empty' ],
		'the reason is recorded as a problem, whatever the path answers';
};

subtest 'what breaks our own rules is accepted, and recorded as a problem' => sub {
	my @case = (
		'20 attachments' => { attachments => [ (attachment()) x 20 ] }, '',
		'21 attachments' => { attachments => [ (attachment()) x 21 ] }, '21 attachments',
		'100,000 bytes' => '{"text":"x"}' . ' ' x 99_988, '',
		'100,001 bytes' => '{"text":"x"}' . ' ' x 99_989, 'the body has 100001 bytes',
		'a title of 1,024 characters' =>
			{ attachments => [ attachment(title => "\x{e9}" x 1024) ] }, '',
		'a title of 1,025' => { attachments => [ attachment(title => 'x' x 1025) ] },
			'attachments[0].title has 1025 characters',
		'a field value of 2,001' => { attachments => [ attachment(), attachment(
			fields => [ { title => 'x', value => 'x' x 2001 } ]) ] },
			'attachments[1].fields[0].value has 2001 characters',
		'a text of 4,001' => { text => 'x' x 4001 }, 'text has 4001 characters',
		'the three entities' => { text => '&amp;&lt;&gt;&amp;lt;' }, '',
		'<!channel>' => { text => 'a <!channel>' }, 'text has a bare <',
		'a bare >' => { attachments => [ attachment(fallback => 'a > b') ] },
			'attachments[0].fallback has a bare >',
		'a bare &' => { text => 'a & b' }, 'text has a bare &',
		'another entity' => { text => '&quot;' }, 'text has a bare &',
		'an address with &' => { attachments => [
			attachment(title_link => 'https://x/?a&b') ] }, '',
		'an address that is none' => { attachments => [
			attachment(title_link => 'javascript:x') ] },
			'attachments[0].title_link is not an http or https address',
		'a colour that is none' => { attachments => [ attachment(color => 'red') ] },
			'attachments[0].color is not a colour',
		'link_names' => { text => 'x', link_names => 1 }, 'link_names is never sent',
		'channel' => { text => 'x', channel => '#x' }, 'channel is never sent',
	);
	while (my ($what, $body, $problem) = splice @case, 0, 3) {
		is judged($body), join('; ', '200 ok', grep { $_ } $problem), $what;
	}
	is judged("{\"text\":\"\xff\"}"), '400 invalid_payload; the body is not valid UTF-8',
		'invalid UTF-8';
	like judged("{\"text\":\"\xed\xa0\x80\"}"), qr/the body is not valid UTF-8/,
		'half a surrogate pair';
};

subtest '/status answers what the path says' => sub {
	$slack->forget;
	my $answer = post('/status/404/no_service', { text => 'x' });
	is "$answer->{status} $answer->{body}", '404 no_service', 'status and word';
	$answer = post('/status/200/nope', { text => 'x' });
	is "$answer->{status} $answer->{body}", '200 nope', 'a 200 that is not ok';
	is post('/status/500/', { text => 'x' })->{body}, '', 'no word';
	is post('/status/500/a%0a%1bb', { text => 'x' })->{body}, "a\n\eb", 'a word in %XX';
	$answer = post('/status/429/rate_limited?retry_after=3&json=1', { text => 'x' });
	is $answer->{headers}{'retry-after'}, 3, 'Retry-After';
	is_deeply decode_json($answer->{body}), { ok => JSON::PP::false, error => 'rate_limited' },
		'JSON';
	$answer = post('/status/429/rate_limited?json=1&wait=1.5', { text => 'x' });
	is_deeply decode_json($answer->{body}),
		{ ok => JSON::PP::false, error => 'rate_limited', retry_after => 1.5 }, 'JSON with a wait';
	is $answer->{headers}{'retry-after'}, undef, 'which needs no header';
	is post('/status/429/x?retry_after=a%20b', { text => 'x' })->{headers}{'retry-after'}, 'a b',
		'a header in %XX';
	$answer = post('/status/400/no_text?bytes=100000', { text => 'x' });
	is length $answer->{body}, 100_000, 'padded';
	like $answer->{body}, qr/^no_text +\z/, 'with spaces';
	is_deeply [ ($slack->requests)[0]->@{qw(status answer)} ], [ 404, 'no_service' ], 'recorded';
	is post('/else', { text => 'x' })->{status}, 404, 'an unknown path is not found';
};

subtest '/picky refuses what holds its word' => sub {
	my $answer = post('/picky/POISON', { text => 'a POISON b' });
	is "$answer->{status} $answer->{body}", '400 invalid_attachments', 'held';
	is post('/picky/POISON', { text => 'x' })->{body}, 'ok', 'not held';
	is post('/picky/POISON', '{}')->{body}, 'no_text', 'it is strict otherwise';
};

subtest '/as is what the test says at the time' => sub {
	is post('/as/main', { text => 'x' })->{body}, 'ok', 'Slack, when it says nothing';
	$slack->behave(main => '/status/503/down?retry_after=7');
	my $answer = post('/as/main', { text => 'x' });
	is "$answer->{status} $answer->{body} $answer->{headers}{'retry-after'}", '503 down 7', 'with a query';
	is post('/as/other', { text => 'x' })->{body}, 'ok', 'another name is not that one';
	$slack->behave(main => '/picky/x?times=1');
	is post('/as/main', { text => 'x' })->{status}, 400, 'another behaviour';
	is post('/as/main', { text => 'x' })->{status}, 200, 'as often as it says';
	$slack->behave('main');
	is post('/as/main', '{}')->{body}, 'no_text', 'and Slack again';
	is +($slack->requests)[-1]{path}, '/as/main', 'the record has the path that was asked for';
};

subtest 'times=K is over after K requests for that very path' => sub {
	is join(' ', map { post('/status/503/down?times=2', { text => 'x' })->{body} } 1 .. 4),
		'down down ok ok', 'down twice, then Slack';
	is post('/status/503/down?times=2&other', { text => 'x' })->{body}, 'down',
		'another query counts for itself';
	is post('/status/503/down?times=0', { text => 'x' })->{body}, 'ok', 'never';
	is join(' ', map { post('/close?times=1', { text => 'x' })->{status} } 1 .. 2),
		'599 200', 'works for the other paths too';

	my @socket = at_once(20, request_bytes('/status/503/busy?times=10'));
	my @busy = grep { read_until($_, qr/(?:busy|ok)$/) =~ /busy$/ } @socket;
	is @busy, 10, 'of twenty at the same time, ten';
};

subtest '/stall takes the request and never answers, and holds up nobody' => sub {
	$slack->forget;
	my $socket = begin(request_bytes('/stall'));
	my ($request) = $slack->wait_for(1);
	is $request->{body}, '{"text":"x"}', 'it was read';
	is $request->{status}, undef, 'no status';
	is post('/services/T/B/X', { text => 'x' })->{body}, 'ok', 'another is served meanwhile';
	ok still_open($socket), 'nothing comes, and it stays open';
};

subtest '/stall/body sends half of what it promises' => sub {
	my $socket = begin(request_bytes('/stall/body'));
	my $got = read_until($socket, qr/\r\n\r\no/);
	like $got, qr/^HTTP\/1\.1 200 .*Content-Length: 2\r\n.*\r\n\r\no\z/s, 'two announced, one sent';
	ok still_open($socket), 'nothing more comes, and it stays open';
};

subtest '/close takes the request and goes, /close/early goes before the body' => sub {
	$slack->forget;
	is raw_http($slack->port, request_bytes('/close')), '', 'no answer';
	is raw_http($slack->port, "POST /close/early HTTP/1.1\r\nContent-Length: 1000\r\n\r\n"), '',
		'no answer, though the body was never sent';
	my ($close, $early) = $slack->wait_for(2);
	is $close->{body}, '{"text":"x"}', 'the first read the body';
	is $early->{body}, '', 'the second did not';
	is_deeply [ map { $_->{status} } $close, $early ], [ undef, undef ], 'no status';
};

subtest '/close/second is Slack once for each connection' => sub {
	$slack->forget;
	for (1 .. 2) {
		like raw_http($slack->port, request_bytes('/close/second') x 2), qr/\A.* 200 .*\r\n\r\nok\z/s,
			'one answer, and then the end';
	}
	is_deeply [ map { $_->{status} } $slack->wait_for(4) ], [ 200, undef, 200, undef ], 'both were read';
};

subtest '/other answers as others do who take such messages' => sub {
	my %want = (mattermost => '200 ok', discord => '200 ok', rocketchat => '200 {"success":true}',
		zulip => '200 {"result":"success","msg":"","ok":true}', accepted => '202 ok', empty => '204 ');
	for my $name (sort keys %want) {
		my $answer = post("/other/$name", { text => 'x' });
		is "$answer->{status} " . ($answer->{body} // ''), $want{$name}, $name;
	}
	is post('/other/none', { text => 'x' })->{status}, 404, 'another is not found';
};

subtest '/page and /portal are pages' => sub {
	my $answer = post('/page/413', { text => 'x' });
	is "$answer->{status} $answer->{headers}{'content-type'}", '413 text/html', "a proxy's";
	like $answer->{body}, qr/^<html>.*413/, 'with its status in it';
	$answer = post('/portal', { text => 'x' });
	is $answer->{status}, 200, "a portal's";
	like $answer->{body}, qr/^<html>/, 'which is one as well';
};

subtest '/redirect points to another port' => sub {
	my $answer = post('/redirect/12345', { text => 'x' });
	is $answer->{status}, 302, 'status';
	is $answer->{headers}{location}, 'http://127.0.0.1:12345/services/redirected', 'place';
};

subtest '/drip answers a byte at a time' => sub {
	my $start = time;
	my $socket = begin(request_bytes('/drip/0.2'));
	like read_until($socket, qr/\r\n\r\no/), qr/\r\n\r\no\z/, 'the first byte comes alone';
	is read_until($socket, qr/k/), 'k', 'then the second';
	cmp_ok time - $start, '>=', 0.4, 'each after its time';
};

subtest 'a connection is kept, and known by its number' => sub {
	$slack->forget;
	my $tiny = HTTP::Tiny->new(keep_alive => 1);
	my %json = (headers => { 'Content-Type' => 'application/json' }, content => '{"text":"x"}');
	is $tiny->request('POST', $slack->url($_), \%json)->{status}, substr($_, -3), $_
		for qw(/services/200 /status/500/500 /services/200);
	post('/services/x', { text => 'x' });
	my ($first, @other) = map { $_->{connection} } $slack->requests;
	is_deeply \@other, [ $first, $first, $first + 1 ], 'three on one, the fourth on the next';

	like raw_http($slack->port, request_bytes('/services/a') . request_bytes('/services/b',
		'{"text":"x"}', "Connection: close\r\n")), qr/ok.*ok\z/s,
		'two that come together are both answered; Connection: close ends it';
	like raw_http($slack->port, "GET /services/a HTTP/1.0\r\n\r\n"), qr/ 405 /,
		'HTTP/1.0 ends it too';
};

subtest 'a body that must be asked for is asked for' => sub {
	my $socket = begin("POST /services/a HTTP/1.1\r\nContent-Type: application/json\r\n"
		. "Expect: 100-continue\r\nContent-Length: 12\r\n\r\n");
	is read_until($socket, qr/\r\n\r\n/), "HTTP/1.1 100 Continue\r\n\r\n", '100 Continue';
	syswrite $socket, '{"text":"x"}';
	like read_until($socket, qr/ok$/), qr/^HTTP\/1\.1 200 .*\r\n\r\nok\z/s, 'then the answer';
};

subtest 'a body that is cut is not taken for a whole one' => sub {
	$slack->forget;
	is raw_http($slack->port, sub ($socket) {
		syswrite $socket, "POST /services/a HTTP/1.1\r\nContent-Length: 13\r\n\r\n{\"text\":\"x\"}";
		shutdown $socket, 1;
	}), '', 'no answer';
	my ($request) = $slack->wait_for(1);
	is $request->{body}, '{"text":"x"}', 'what came is recorded';
	like "@{ $request->{problems} }", qr/the body is cut/, 'with the problem';
};

subtest 'connections at the same time do not mix their records' => sub {
	$slack->forget;
	my $body = $json->encode({ text => 'x' x 3000 });
	my @socket = at_once(20, request_bytes('/services/a', $body));
	my @request = $slack->wait_for(20);
	is_deeply [ grep { $_->{body} ne $body } @request ], [], 'every body is whole';
	my %serial = map { $_->{connection} => 1 } @request;
	is keys %serial, 20, 'every connection has its own number';
};

subtest 'waiting for requests that do not come says what did' => sub {
	$slack->forget;
	post('/services/T/B/X', '{"text":"only this"}');
	ok !eval { $slack->wait_for(2, 0.1) }, 'it gives up';
	like $@, qr{^waited 0\.1 s for 2 requests, Slack got 1\n  POST /services/T/B/X: .*only this},
		'and tells';
};

subtest '--show prints accepted messages as Slack lays them out' => sub {
	local $ENV{TZ} = 'UTC';
	local $slack = standin(show => 1);
	post('/services/x', { text => '*Auth0 log alert* (a*b, 2 * 3, *c d*)', attachments => [
		attachment(title => "caf\x{e9} *not bold* [type: f]", color => '#d00000',
			title_link => 'https://manage.auth0.com/#/logs/1',
			fields => [ { title => 'Application', value => '*shop*' } ], ts => 1714567896),
		attachment(title => 'second', mrkdwn_in => [ 'fields' ],
			fields => [ { title => 'a', value => "*b*\nc" } ]),
	] });
	post('/services/x', { attachments => [ { fallback => 'x' } ] });
	post('/status/500/ok', { text => 'refused' });
	post('/status/200/no', { text => 'refused' });
	post('/services/x', { text => "&lt;b&gt; &amp;lt; \e[2J\a\t\x{9b}31m\x{7f}\nsecond line" });
	is $slack->shown, <<"END", 'plain, when there is no terminal';
Auth0 log alert (a*b, 2 * 3, c d)
| caf\xc3\xa9 *not bold* [type: f]
| https://manage.auth0.com/#/logs/1
| Application: *shop*
| 2024-05-01 12:51:36
| second
| a: b
| c

<b> &lt; \xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd31m\xef\xbf\xbd
second line

END
};

subtest '--show on a terminal has bold type and coloured bars' => sub {
	my $script = need('script');
	open my $terminals, '+<', '/dev/ptmx' or plan skip_all => "no pseudo-terminals here: $!";
	my $dir = tempdir();
	my $got = run(timeout => 10, stdin => sub ($terminal) {
		wait_until(sub { -e "$dir/port" }, 5, 'the stand-in to listen');
		my $port = 0 + slurp("$dir/port");
		http('POST', "http://127.0.0.1:$port/services/x",
			{ 'Content-Type' => 'application/json' }, $json->encode({ text => '*a* b',
			attachments => [ attachment(color => '#d00000'), attachment(color => 'good') ] }));
		syswrite $terminal, "\x03";
		return $terminal;
	}, cmd => [ $script, '-qec', "exec $^X '@{[srcdir()]}/t/slack-standin' --show --port-file $dir/port",
		'/dev/null' ]);
	$got->{out} =~ s/\^C|\r//g;
	is $got->{out}, "\e[1ma\e[22m b\n\e[38;2;208;0;0m\xe2\x96\x8c\e[39m x\n"
		. "\e[38;2;46;184;134m\xe2\x96\x8c\e[39m x\n\n", 'bold text, red bar, green bar';
	is $got->{exit}, 0, 'Ctrl-C ends it well';
};

subtest 'over TLS it is Slack too, for those who trust its certificate' => sub {
	local $slack = standin(tls => 1);
	like $slack->url('/services/x'), qr{^https://127\.0\.0\.1:\d+/services/x$}, 'an https address';
	my @call = ('POST', $slack->url('/services/x'), { 'Content-Type' => 'application/json' },
		'{"text":"x"}');
	my $answer = http(@call, verify_SSL => 1, SSL_options => { SSL_ca_file => $slack->cert });
	is "$answer->{status} $answer->{body}", '200 ok', 'trusted';
	is http(@call, verify_SSL => 1)->{status}, 599, 'not trusted by others';
	is scalar($slack->wait_for(1)), 1, 'only the first became a request';
};

subtest 'told to stop it ends well, at once, and takes its connections along' => sub {
	for my $signal (qw(TERM INT)) {
		my $mine = standin();
		my $socket = begin(request_bytes('/stall'), $mine->port);
		$mine->wait_for(1);
		$mine->signal($signal);
		is $mine->wait_exit(2), 0, "exit 0 after SIG$signal";
		is read_until($socket, qr/x/), '', 'the stalled connection is closed';
	}
};

subtest 'a port can be chosen, and one that is taken is said to be' => sub {
	my $port = standin()->port;
	my $mine = standin(port => $port);
	is $mine->port, $port, 'a port that was in use a moment ago';
	my $second = run(cmd => [ $^X, srcdir() . '/t/slack-standin', '--port', $port ]);
	isnt $second->{exit}, 0, 'the second one fails';
	like $second->{err}, qr/^slack-standin: cannot listen on 127\.0\.0\.1:$port: /, 'and says why';
	is run(cmd => [ $^X, srcdir() . '/t/slack-standin', '--foo' ])->{exit}, 2,
		'an unknown option is an error';
};

done_testing;
