#!/usr/bin/perl
# What becomes of a message that Slack, the network or a proxy does not take:
# the whole way through the door. Each word and each failure has its answer to
# Auth0 and its outcome in the log.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use JSON::PP;
use LogStream::Test;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

my $slack = standin();
my $seed = '[{"log_id":"id-1","data":{"type":"f"}}]';
my @written;

# A request to the door whose webhook is this address.
sub raw_to ($url, %env) {
	return cgi(body => $seed, timeout => 40, env => { SLACK_WEBHOOK_URL => $url, %env });
}

sub note_answer ($answer) {
	push @written, $answer->{raw}, $answer->{err};
	return $answer;
}

sub to ($url, %env) { return note_answer(raw_to($url, %env)) }

# "404 sent" of the log: Slack's status and the outcome of the message; the
# outcome of the event must be the same.
sub outcome ($answer) {
	my ($status, $outcome) = $answer->{err}
		=~ /^log-stream-to-slack\[\d+\]: \w+ destination=default events=1 slack_status=(\d+) slack=.* ms=\d+(?: retry_after_s=\d+)? outcome=(\w+)$/m
		or return "no such line in: $answer->{err}";
	my ($event) = $answer->{err} =~ / log_id=id-1 type=f destination=default outcome=(\w+)$/m;
	return $status if !defined $event;
	return $event eq $outcome ? "$status $outcome" : "$status $outcome, but the event $event";
}

# "502 Slack did not take the message: no_service", Retry-After and outcome.
sub all ($answer) {
	return join ' | ', "$answer->{status} " . $answer->{body} =~ s/\n\z//r,
		(map { "Retry-After $_" } $answer->{headers}{'retry-after'} // ()), outcome($answer);
}

# What a stranger is told of a failure that is not in an answer.
my %told = (502 => 'Slack cannot be reached: the log of this program says why',
	504 => 'Slack did not answer in time: the log of this program says more');

# Such a failure: the answer says no more, and the log has the reason.
sub failed ($answer, $status, $reason, $what) {
	is all($answer), "$status $told{$status} | 0 later", "$what: the answer";
	my ($said) = $answer->{err} =~ / slack_status=0 slack="(.*?)" ms=/;
	is $said, $reason, "$what: the log";
}

sub refusal ($status, $word, $outcome, $retry_after = undef) {
	return join ' | ', "$status Slack did not take the message: $word",
		(map { "Retry-After $_" } $retry_after // ()), $outcome;
}

# What Slack got since the last look.
sub posted () {
	my @request = $slack->requests;
	$slack->forget;
	return @request;
}

# A port that refuses connections for as long as the socket lives.
my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp') or die $@;
my $nobody = '127.0.0.1:' . $closed->sockport;

# All messages of a request have 25 seconds together: begun now, seen later.
# Each of three takes Slack eleven.
my $slow_slack = standin();
my $slow = later(sub {
	my $start = time;
	my $answer = cgi(body => '[' . join(',', ('{"data":{"type":"f"}}') x 45) . ']', timeout => 40,
		env => { SLACK_WEBHOOK_URL => $slow_slack->url('/drip/5.5'), SLACK_TIMEOUT => '25s' });
	return { %$answer, took => time - $start };
});

# A listener whose queue is full: what connects to it waits.
my $full = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my @queue = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport,
	Blocking => 0) } 1 .. 8;
my $unconnected = later(sub {
	my $start = time;
	my $answer = raw_to('http://127.0.0.1:' . $full->sockport . '/', SLACK_TIMEOUT => '20s');
	return { %$answer, took => time - $start };
});

#
# Slack's table of errors
#

subtest 'a message that will never pass is told as 502 with its word' => sub {
	for my $word (qw(invalid_payload no_text missing_text_or_fallback_or_attachments
		invalid_attachments invalid_blocks too_many_attachments)) {
		is all(to($slack->url("/status/400/$word"))), refusal(502, $word, '400 never'), $word;
	}
};

subtest 'a destination that refuses is told as 502 with its word' => sub {
	my @case = (
		400 => [ qw(user_not_found) ],
		403 => [ qw(invalid_token action_prohibited posting_to_general_channel_denied) ],
		404 => [ qw(channel_not_found no_service no_active_hooks no_service_id no_team
			team_disabled) ],
		410 => [ qw(channel_is_archived) ],
	);
	while (my ($status, $words) = splice @case, 0, 2) {
		for (@$words) {
			is all(to($slack->url("/status/$status/$_"))), refusal(502, $_, "$status refused"), $_;
		}
	}
};

subtest 'a failure that passes is told as 502, for Auth0 to try again' => sub {
	is all(to($slack->url('/status/500/rollup_error'))), refusal(502, 'rollup_error', '500 later'),
		'rollup_error';
	is all(to($slack->url("/status/$_/fatal_error"))), refusal(502, 'fatal_error', "$_ later"), "status $_"
		for 500, 502, 503, 504;
};

subtest 'a limit is told as 503 with Retry-After' => sub {
	is all(to($slack->url('/status/429/rate_limited?json=1&retry_after=7'))),
		refusal(503, 'rate_limited', '429 later', 7), 'as Slack said';
	is all(to($slack->url('/status/429/rate_limited'))),
		refusal(503, 'rate_limited', '429 later', 30), 'half a minute when Slack did not';
	is all(to($slack->url('/status/429/message_limit_exceeded'))),
		refusal(503, 'message_limit_exceeded', '429 later', 300), 'minutes for the slow limit';
	like to($slack->url('/status/429/rate_limited?retry_after=7'))->{err},
		qr/ slack=rate_limited ms=\d+ retry_after_s=7 outcome=later$/m, 'the log has it too';
};

subtest 'a wait may be in the header or in the body, have a fraction, or be a date' => sub {
	my @case = ('retry_after=1.5' => 2, 'retry_after=0.2' => 1, 'retry_after=7.0' => 7, 'json=1&wait=4' => 4,
		'json=1&wait=1.2' => 2, 'json=1&wait=4&retry_after=2' => 4, 'json=1&wait=2&retry_after=4.5' => 5,
		'retry_after=soon' => 30, 'retry_after=-5' => 30);
	while (my ($query, $wait) = splice @case, 0, 2) {
		is all(to($slack->url("/status/429/rate_limited?$query"))),
			refusal(503, 'rate_limited', '429 later', $wait), $query;
	}
	my $date = strftime('%a,%%20%d%%20%b%%20%Y%%20%H:%M:%S%%20GMT', gmtime time + 100);
	my ($wait) = all(to($slack->url("/status/429/rate_limited?retry_after=$date")))
		=~ /^503 .* \| Retry-After (\d+) \| 429 later$/;
	cmp_ok abs(($wait // 0) - 95), '<=', 6, 'a date in 100 s';
};

subtest 'an unknown word is judged by its status' => sub {
	my @case = (400 => 'never', 413 => 'never', 401 => 'refused', 403 => 'refused', 404 => 'refused',
		410 => 'refused', 408 => 'later', 500 => 'later', 503 => 'later', 599 => 'later',
		300 => 'refused', 302 => 'refused', 307 => 'refused', 308 => 'refused', 418 => 'later');
	while (my ($status, $outcome) = splice @case, 0, 2) {
		is all(to($slack->url("/status/$status/a_new_word"))),
			refusal(502, 'a_new_word', "$status $outcome"), "$status: $outcome";
	}
	is all(to($slack->url('/status/429/a_new_word'))),
		refusal(503, 'a_new_word', '429 later', 30), '429: later';
	is all(to($slack->url('/status/500/invalid_token'))),
		refusal(502, 'invalid_token', '500 refused'), 'the word counts before the status';
};

subtest 'the word is found in plain and in JSON answers' => sub {
	for my $body ('{"ok":false,"error":"no_service"}', '{"error":"no_service","ok":false}',
		'{ "ok" : false , "error" : "no_service" }', " no_service\r\n", 'no_service') {
		my $path = $body =~ s/([^\w])/sprintf '%%%02x', ord $1/ger;
		is all(to($slack->url("/status/404/$path"))), refusal(502, 'no_service', '404 refused'),
			$body =~ s/\s/ /gr;
	}
};

# What the log has of an answer that is not Slack's.
sub foreign ($status) { return refusal(502, "status $status, but the body is not Slack's", "$status later") }

subtest 'only a 2xx that says ok is success' => sub {
	my $no = refusal(502, 'status 200, but the body is not ok', '200 later');
	is all(to($slack->url('/status/200/ok'))), '200 ok | 200 sent', '200 ok';
	is all(to($slack->url('/status/200/OK'))), $no, '200 OK';
	is all(to($slack->url('/status/200/okay'))), $no, '200 okay';
	is all(to($slack->url('/status/200/'))), $no, 'no body';
	is all(to($slack->url('/portal'))), $no, "a portal's page";
	is all(to($slack->url('/page/200'))), $no, "a proxy's page";
	unlike all(to($slack->url('/status/200/ok%00no'))), qr/^200|sent/, 'ok, NUL and more';
	is all(to($slack->url('/status/200/no_service'))),
		refusal(502, 'no_service', '200 refused'), 'the word of an error';
	is all(to($slack->url('/status/200/no_service?json=1'))),
		refusal(502, 'no_service', '200 refused'), 'in JSON, too';
	is all(to($slack->url('/status/201/ok'))), '200 ok | 201 sent', '201 ok';
	is all(to($slack->url('/status/500/ok'))), refusal(502, 'ok', '500 later'), '500 ok';
	is all(to($slack->url('/status/200/ok?bytes=100000'))), $no, 'ok and 100 kB of spaces';
	posted();
};

subtest 'others who take such messages are understood' => sub {
	is all(to($slack->url("/other/$_"))), '200 ok | 200 sent', $_ for qw(mattermost discord rocketchat zulip);
	is all(to($slack->url('/other/accepted'))), '200 ok | 202 sent', '202 ok';
	is all(to($slack->url('/other/empty'))), '200 ok | 204 sent', '204 without a body';
	posted();
};

subtest "a proxy's page is neither about the message nor about the webhook" => sub {
	is all(to($slack->url("/page/$_"))), foreign($_), "status $_" for 400, 403, 404, 410, 413, 500, 502;
	is all(to($slack->url("/status/$_/"))), refusal(502, "status $_, but the body is empty", "$_ later"),
		"status $_ without a body" for 400, 404;
};

subtest 'what is no plain word is not passed on' => sub {
	for my $word ('%1b%5b2Jno_service', 'no_service%0aforged%20line', 'a%00b', '%c2%9b31m', 'x' x 65,
		'%3cscript%3ealert%281%29%3c%2fscript%3e', 'see%20http%3a%2f%2fexample', '%ff%fe',
		'%7b%22error%22%3a%22%1b%5b2J%22%7d', '%7b%22error%22%3a%7b%22error%22%3a%22no_service%22%7d%7d') {
		my $answer = to($slack->url("/status/404/$word"));
		is all($answer), foreign(404),
			length $word > 60 ? 'a word of 65 letters' : $word;
		unlike $answer->{raw} . $answer->{err}, qr/[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\xff]|script|forged/,
			'nothing of it anywhere';
	}
};

subtest 'a long answer is not read to its end, or into memory' => sub {
	my $start = time;
	is all(to($slack->url('/status/400/invalid_payload?bytes=10000000'))),
		refusal(502, 'invalid_payload', '400 never'), '10 MB';
	is all(to($slack->url('/status/500/' . 'x' x 1000 . '?bytes=10000000'))),
		foreign(500), '10 MB without a word';
	cmp_ok time - $start, '<', 5, 'soon';
};

subtest 'a redirect is not followed' => sub {
	my $other = standin();
	is all(to($slack->url('/redirect/' . $other->port))),
		refusal(502, 'status 302, but the body is empty', '302 later'), 'it is no answer';
	is scalar($other->requests), 0, 'nobody there got the message';
	is scalar(grep { $_->{path} =~ /^.redirect/ } posted()), 1, 'it was posted once';
};

#
# The network
#

subtest 'Slack that does not answer within SLACK_TIMEOUT is told as 504' => sub {
	for my $path ('/stall', '/stall/body', '/drip/9') {
		my $start = time;
		my $answer = to($slack->url("$path?SECRET"), SLACK_TIMEOUT => '300ms');
		failed($answer, 504, 'timed out: no answer within 300 ms', $path);
		cmp_ok time - $start, '<', 3, 'in time';
	}
	is all(to($slack->url('/drip/0.1'), SLACK_TIMEOUT => '5s')), '200 ok | 200 sent',
		'one that is slow but in time is all right';
};

my $refused = "no connection: Connection refused";
my $unknown = "Slack's name cannot be resolved: see the webhook's address, and this machine's name servers";
my $unanswered = 'the connection was closed without an answer';

subtest 'a connection that fails is told as 502' => sub {
	failed(to($slack->url('/close?SECRET')), 502, $unanswered, 'closed without an answer');
	my $early = to($slack->url('/close/early?SECRET'));
	is $early->{body}, "$told{502}\n", 'closed before the message was read: the answer';
	like $early->{err}, qr/ slack="the connection (?:was closed without an answer|broke off[^"]*)" /, 'and the log';
	failed(to("http://$nobody/SECRET"), 502, $refused, 'refused');
	failed(to('http://localhost:' . $closed->sockport . '/SECRET'), 502, $refused, 'refused by name');
	failed(to('https://slack.invalid/services/SECRET'), 502, $unknown, 'a name that is none');
};

# libcurl posts again by itself where it may.
sub posts_once ($slack, %env) {
	my $door = fastcgi(env => { SLACK_WEBHOOK_URL => $slack->url('/close/second?SECRET'), %env });
	is $door->request(body => $seed)->{status}, 200, 'a first message is taken';
	my $answer = note_answer($door->request(body => $seed));
	is "$answer->{status} $answer->{body}", "502 $told{502}\n", 'the second is not';
	like $door->stderr . $answer->{err}, qr/ slack="$unanswered" .* outcome=later$/m, 'which the log says';
	is_deeply [ map { $_->{status} } $slack->requests ], [ 200, undef ], 'and was posted once';
	is $door->request(body => $seed)->{status}, 200, 'a third is taken';
	my @connection = map { $_->{connection} } $slack->requests;
	is $connection[1], $connection[0], 'the second by the kept connection';
	isnt $connection[2], $connection[0], 'the third by another';
}

subtest 'a message is posted once, though a kept connection ends without an answer' => sub {
	posts_once(standin());
};

subtest 'so it is over TLS' => sub {
	need('IO::Socket::SSL');
	my $tls = standin(tls => 1);
	posts_once($tls, SSL_CERT_FILE => $tls->cert);
};

subtest 'when a message is not taken the rest of the batch is not tried' => sub {
	posted();
	my $body = '[' . join(',', ('{"data":{"type":"f"}}') x 45) . ']';
	my $answer = note_answer(cgi(body => $body,
		env => { SLACK_WEBHOOK_URL => $slack->url('/status/500/rollup_error') }));
	is $answer->{status}, 502, 'the answer';
	is scalar(posted()), 1, 'one post';
	my %outcome;
	$outcome{$_}++ for $answer->{err} =~ / log_id=.* outcome=(\w+)$/mg;
	is_deeply \%outcome, { later => 20, untried => 25 }, 'the log tells of every event';
	$answer = note_answer(cgi(body => $body,
		env => { SLACK_WEBHOOK_URL => $slack->url('/status/500/rollup_error?times=0') }));
	is $answer->{status}, 200, 'when Slack takes them';
	is scalar(posted()), 3, 'three';
};

#
# TLS and proxies
#

sub untrusted ($answer, $why, $what) {
	failed($answer, 502, "TLS: the certificate is not trusted: $why", $what);
}

my $self_signed = 'nobody but its owner has signed it: name it by SSL_CERT_FILE if it is to be trusted';
my $unreadable = 'TLS: the certificate authorities cannot be read: correct CURL_CA_BUNDLE, SSL_CERT_FILE or SSL_CERT_DIR';

subtest 'TLS is verified: the authority' => sub {
	need('IO::Socket::SSL');
	my $tls = standin(tls => 1);
	my $url = $tls->url('/services/SECRET');
	untrusted(to($url), $self_signed, 'an unknown authority is refused');
	is scalar($tls->requests), 0, 'before anything is sent';
	is all(to($url, SSL_CERT_FILE => $tls->cert)), '200 ok | 200 sent', 'SSL_CERT_FILE names it';
	is all(to($url, CURL_CA_BUNDLE => $tls->cert)), '200 ok | 200 sent', 'CURL_CA_BUNDLE names it';
	is all(to($url, CURL_CA_BUNDLE => $tls->cert, SSL_CERT_FILE => '/nowhere')), '200 ok | 200 sent',
		'CURL_CA_BUNDLE counts before SSL_CERT_FILE';
	is all(to($url, CURL_CA_BUNDLE => '', SSL_CERT_FILE => $tls->cert)), '200 ok | 200 sent',
		'unless it is empty';
	untrusted(to($url, HTTP_SSL_CERT_FILE => $tls->cert), $self_signed, "a client's header does not");
	failed(to($url, SSL_CERT_FILE => '/nowhere'), 502, $unreadable, 'a file that is not there');
	untrusted(to($url, SSL_CERT_FILE => standin(tls => 1)->cert), $self_signed, 'another one');
	is scalar($tls->requests), 4, 'Slack heard of the good ones only';
};

subtest 'TLS is verified: the name' => sub {
	need('IO::Socket::SSL');
	my $tls = standin(tls => 1, names => 'DNS:other.example');
	untrusted(to($tls->url('/services/SECRET'), SSL_CERT_FILE => $tls->cert),
		"it is another host's, or its chain is broken", 'a certificate of another name is refused');
	is scalar($tls->requests), 0, 'before anything is sent';
};

subtest 'a proxy is used for https, never for this machine over http' => sub {
	need('IO::Socket::SSL');
	my $tls = standin(tls => 1);
	my %tls = (SSL_CERT_FILE => $tls->cert);
	my $url = $tls->url('/services/SECRET');
	my $proxy = "http://proxyuser:SECRETproxy\@$nobody";
	for my $name (qw(https_proxy HTTPS_PROXY all_proxy)) {
		failed(to($url, %tls, $name => $proxy), 502, $refused, "$name names a proxy that is not there");
	}
	is all(to($url, %tls, https_proxy => $proxy, no_proxy => '127.0.0.1')), '200 ok | 200 sent',
		'no_proxy keeps it out';
	posted();
	is all(to($slack->url('/services/x'), $_ => $proxy)), '200 ok | 200 sent', "$_ is not for loopback"
		for qw(http_proxy HTTP_PROXY all_proxy ALL_PROXY https_proxy);
	is all(to($url, %tls, HTTP_PROXY => $proxy)), '200 ok | 200 sent',
		"HTTP_PROXY, which may be a client's header, is not for https";
	is scalar(posted()), 5, 'Slack heard of all';
};

subtest "a proxy's password is told to nobody, however bad its address is" => sub {
	my $bad = 'the proxy\'s address is bad or its name cannot be resolved: correct https_proxy or all_proxy';
	my @proxy = ('http://me:SECRET/proxy@127.0.0.1:9', 'http://me:SECRETproxy@127.0.0.1:port',
		'http://me:SECRETproxy@127.0.0.1:99999', 'gopher://me:SECRETproxy@127.0.0.1:9',
		'http://me:SECRET proxy@127.0.0.1:9', 'http://me:SECRETproxy@[::1', 'http://me:SECRETproxy@proxy.invalid:9');
	for my $proxy (@proxy) {
		my $answer = to('https://hooks.slack.com/services/SECRET', https_proxy => $proxy);
		is "$answer->{status} $answer->{body}", "502 $told{502}\n", 'the answer';
		like $answer->{err}, qr/ slack="(?:\Q$bad\E|no connection[^"]*)" /, 'and the log' or diag $proxy;
	}
};

subtest 'a proxy is asked to connect, and learns the host but not the path' => sub {
	need('IO::Socket::SSL');
	my $proxy = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die $@;
	my $asked = later(sub {
		my $client = LogStream::Test::within(10, 'a proxy request', sub { $proxy->accept });
		my $got = '';
		while ($got !~ /\r\n\r\n/) { sysread $client, $got, 4096, length $got or last }
		syswrite $client, "HTTP/1.1 403 Forbidden\r\n\r\n";
		return \$got;
	});
	failed(to('https://hooks.slack.com/services/SECRET', https_proxy => 'http://127.0.0.1:' . $proxy->sockport),
		502, 'the proxy does not connect: status 403', 'its refusal is told');
	my $request = ${ $asked->() };
	like $request, qr{^CONNECT hooks\.slack\.com:443 HTTP/1\.1\r\n}, 'the host';
	unlike $request, qr/SECRET/, 'not the path';
};

subtest 'http to another machine is a configuration error' => sub {
	for my $url ('http://hooks.slack.com/services/SECRET', 'http://192.0.2.1/SECRET',
		'http://localhost.example/SECRET', 'http://127.0.0.1.example/SECRET',
		'http://127.0.0.1@192.0.2.1/SECRET', 'http://192.0.2.1#@127.0.0.1/SECRET',
		'ftp://127.0.0.1/SECRET', 'file:///SECRET', 'HTTP://127.0.0.1/SECRET') {
		my $answer = to($url);
		is $answer->{status}, 503, $url;
		like $answer->{err}, qr/error="environment: SLACK_WEBHOOK_URL: it /, 'the log says why';
	}
};

subtest 'a connection may take five seconds of SLACK_TIMEOUT' => sub {
	my $answer = note_answer($unconnected->());
	failed($answer, 504, 'timed out: no connection within 5000 ms', 'it has no more');
	cmp_ok $answer->{took}, '<', 12, 'in time';
};

subtest 'all messages of a request have 25 seconds together' => sub {
	my $answer = note_answer($slow->());
	is $answer->{status}, 504, 'the third message is not waited for';
	is $answer->{body}, "$told{504}\n", 'and it says so';
	is scalar($slow_slack->requests), 3, 'after two that were taken';
	cmp_ok $answer->{took}, '<', 25, 'in time';
};

subtest 'no secret was ever written' => sub {
	cmp_ok scalar(@written), '>', 150, 'of many answers and logs';
	is_deeply [ grep { /SECRET/ } @written ], [], 'none has one';
};

done_testing;
