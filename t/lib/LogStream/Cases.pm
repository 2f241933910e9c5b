# What must hold behind every web server: one table of cases, each run through
# the door as a client of the server sees it. What the door answers to each
# kind of request is tested in cgi.t and fastcgi.t; here, that it arrives.
package LogStream::Cases;

use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Exporter qw(import);
use IO::Compress::Gzip qw(gzip);
use IO::Socket::INET;
use JSON::PP;
use LogStream::Server;
use LogStream::Test;
use Test::More;

our @EXPORT = qw(test_cases run_cases test_without_queue);

my $token = LogStream::Test::Queue::TOKEN;
my $json = JSON::PP->new->utf8->canonical;

#
# Requests
#

# A POST with the right token, but for what is given: "status body".
sub post ($server, $body, %header) {
	my $answer = http('POST', $server->url, { 'Content-Type' => 'application/json',
		Authorization => $token, %header }, $body);
	return "$answer->{status} " . ($answer->{body} // q()) =~ s/\n\z//r;
}

sub head ($server, $length) {
	return "POST @{[$server->path]} HTTP/1.1\r\nHost: localhost\r\nAuthorization: $token\r\n"
		. "Content-Type: application/json\r\n$length\r\nConnection: close\r\n\r\n";
}

sub whole ($server, $body) { return head($server, 'Content-Length: ' . length $body) . $body }

sub connection ($server) {
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port)
		// die "port @{[$server->port]}: $@";
}

sub put ($socket, $bytes) { LogStream::Test::write_all($socket, $bytes) }

# What comes until the server closes.
sub rest ($socket, $seconds = 20) {
	return LogStream::Test::within($seconds, 'an answer', sub {
		my $all = '';
		1 while sysread $socket, $all, 65536, length $all;
		return $all;
	});
}

my $is_ok = qr/\AHTTP\/1\.1 200 .*\r\n\r\n(?:2\r\n)?ok(?:\r\n0\r\n\r\n)?\z/s;

#
# What became of it
#

# The titles that Slack took since the last look, once they are so many.
sub delivered ($h, $count) {
	my @title = $h->{slack}->wait_for_titles($count, 20);
	$h->{queue}->wait_until_empty(20);
	@title = $h->{slack}->titles;
	$h->{slack}->forget;
	return [ map { s/ \[type: f\]\z//r =~ s/^event //r } sort @title ];
}

# An event that arrives shows that nothing before it did.
sub only_this_arrives ($h, $id, $title) {
	is post($h->{server}, logins($id)), '200 ok', "$title: a good request after that";
	is_deeply delivered($h, 1), [ $id ], "$title: nothing else arrives";
}

#
# The cases
#

my $wrong = '401 wrong token: the Authorization header is not the one expected';

sub case_right ($h) {
	my $answer = http('POST', $h->{server}->url, { Authorization => $token }, logins('right'));
	is "$answer->{status} $answer->{body}", '200 ok', 'the answer';
	is $answer->{headers}{'content-type'}, 'text/plain; charset=utf-8', 'its type';
	is post($h->{server}, logins('bearer'), Authorization => "Bearer $token"), '200 ok', 'with Bearer';
	is_deeply delivered($h, 2), [ qw(bearer right) ], 'both arrive';
}

sub case_wrong ($h) {
	is post($h->{server}, logins('w'), Authorization => 'x'), $wrong, 'the answer';
	is post($h->{server}, 'x' x 2_000_000, Authorization => 'x'), $wrong, 'with 2 MB that nobody wants';
	only_this_arrives($h, 'after-wrong', 'then');
}

sub case_missing ($h) {
	my $answer = http('POST', $h->{server}->url, {}, logins('m'));
	is "$answer->{status} $answer->{body}",
		"401 no token: no Authorization header reached this program\n", 'the answer';
	is $answer->{headers}{'www-authenticate'}, 'Bearer', 'with its header';
	only_this_arrives($h, 'after-missing', 'then');
}

sub case_204 ($h) {
	is post($h->{server}, '[]'), '204 ', 'an empty batch';
	is post($h->{server}, '[{"log_id": "s", "data": {"type": "s"}}]'), '204 ', 'a success';
}

sub case_400 ($h) {
	is post($h->{server}, ''), '400 the body is empty', 'no body';
	is post($h->{server}, '[{},null]'), '400 no record in the body is a log event: none has a data.type, or a type of its own (records: 2)',
		'nothing usable';
	like post($h->{server}, $_), qr/^400 the body is not the JSON that Auth0 sends: .* at byte 0$/, "not JSON, or not of records: $_"
		for 'hello', '1', '"x"', 'null', 'log_id=1';
	like post($h->{server}, q(["x",1])), qr{^400 no record in the body is a log event: none has a data\.type, or a type of its own \(records: 2\)$},
		'an array of other things';
	gzip(\logins('packed'), \my $packed) or die;
	is post($h->{server}, $packed, @$_), '400 the body is compressed (gzip), and this program unpacks nothing: switch off '
		. 'the compression of requests where they are sent, or in the proxy that adds it', "compressed, @$_"
		for [], [ 'Content-Encoding', 'gzip' ];
	like post($h->{server}, substr(logins('cut'), 0, -3)), qr/^400 the body ends in the middle of its JSON, after \d+ bytes$/, 'cut JSON';
	like raw_http($h->{server}->port, head($h->{server}, 'Content-Length: 10x') . '[]'), qr/\AHTTP\/1\.1 400 /,
		'a length that is none';
}

sub case_formats ($h) {
	my @ids = map { ["$_-1", "$_-2"] } qw(array lines object);
	my ($array, $lines, $object) = map { [ map { $json->encode($_) } @{ $json->decode(logins(@$_)) } ] } @ids;
	my $alone = logins('alone') =~ s/\A\[|\]\z//gr;
	is post($h->{server}, '[' . join(',', @$array) . ']'), '200 ok', 'JSON Array';
	is post($h->{server}, join "\n", @$lines, ''), '200 ok', 'JSON Lines';
	is post($h->{server}, '{"logs":[' . join(',', @$object) . ']}'), '200 ok', 'JSON Object';
	is post($h->{server}, $alone), '200 ok', 'a record alone';
	is_deeply delivered($h, 7), [ 'alone', map { @$_ } @ids ], 'all arrive';
}

sub case_405 ($h) {
	my $said = "405 this address takes Auth0's log stream: POST only\n";
	my $answer = http('GET', $h->{server}->url);
	is "$answer->{status} $answer->{body}", $said, 'GET';
	is $answer->{headers}{allow}, 'POST', 'with its header';
	$answer = http('HEAD', $h->{server}->url);
	$answer->{body} //= '';
	is "$answer->{status} $answer->{body}", '405 ', 'HEAD';
	$answer = http('GET', $h->{server}->url($h->{server}->path . '?-d+allow_url_include=1'));
	is "$answer->{status} $answer->{body}", $said, 'a query with options in it';
	like http('POST', $h->{server}->url('/else'), {}, '[]')->{status}, qr/^40[345]$/,
		'another address is not the door';
}

sub case_2_mib ($h) {
	my @record = map { +{ log_id => "id-$_", data => { type => 's', description => 'x' x 1000 } } } 1 .. 1990;
	my $body = $json->encode([ @record, { log_id => 'last', data => { type => 'f', description => 'last' } } ]);
	cmp_ok length $body, '>', 2 << 20, 'so long';
	is post($h->{server}, $body), '200 ok', 'the answer';
	is_deeply delivered($h, 1), [ 'last' ], 'the event at its end';
	is post($h->{server}, '[' . ' ' x (3 << 20)), '413 the body is longer than MAX_BODY, 3145728 bytes',
		'more than MAX_BODY is refused in words';
	wait_until(sub { $h->{server}->log =~ / bytes=0 .* status=413/ }, 5, 'its line');
	pass 'and unread: its length arrives, by which a body that was cut is told';
}

sub chunks ($bytes, $size) {
	return join '', map { sprintf "%x\r\n%s\r\n", length, $_ } unpack "(a$size)*", $bytes;
}

# Each line is whole JSON: that some are missing only the server can tell.
sub half_of_the_lines ($h, $request) {
	my $title = 'a client that goes between two lines';
	my @line = map { logins("half-$_") =~ s/\A\[|\]\z//gr } 1, 2;
	my $socket = connection($h->{server});
	put($socket, $request . chunks("$line[0]\n", 1000));
	close $socket;
	return only_this_arrives($h, 'after-lines', $title) if !$h->{ends_alike};
	is post($h->{server}, join "\n", @line), '200 ok', "$title: sent again, as by a client that got no answer";
	is_deeply delivered($h, 2), [ qw(half-1 half-2) ], "$title: each event arrives once, whether the first was taken or not";
}

sub case_chunked ($h) {
	my $request = head($h->{server}, 'Transfer-Encoding: chunked');
	like raw_http($h->{server}->port, $request . chunks(logins('chunked'), 40) . "0\r\n\r\n"), $is_ok, 'a small one';
	my $long = logins('long') =~ s/\]\z/' ' x 200_000 . ']'/er;
	like raw_http($h->{server}->port, $request . chunks($long, 9000) . "0\r\n\r\n"), $is_ok, 'one of 200 kB';
	is_deeply delivered($h, 2), [ qw(chunked long) ], 'both arrive';
	like raw_http($h->{server}->port, $request . chunks('[' . ' ' x (3 << 20), 100_000) . "0\r\n\r\n", 20),
		qr/\AHTTP\/1\.1 413 .*the body is longer than MAX_BODY, 3145728 bytes\n/s, 'more than MAX_BODY is not';
	half_of_the_lines($h, $request);
	for my $length ('Content-Length: 1000', 'Transfer-Encoding: chunked') {
		my $socket = connection($h->{server});
		# Whole JSON that is too short is as bad, where it can be told.
		put($socket, head($h->{server}, $length) . ($length =~ /chunked/ ? chunks(substr(logins('broken'), 0, -1), 1000)
			: logins('broken')));
		close $socket;
		only_this_arrives($h, "after-$length", "a client that goes half-way, $length");
	}
}

# More of them than there are doors, so that a server that lets them through
# too early has none left. The order is kept by what comes back, not by time.
sub case_slow ($h) {
	my @slow = map { [ connection($h->{server}), whole($h->{server}, logins("slow-$_")) ] } 1 .. 3;
	put($_->[0], substr $_->[1], 0, length($_->[1]) / 2) for @slow;
	is post($h->{server}, logins('quick')), '200 ok', 'another is answered in the meantime';
	put($_->[0], substr $_->[1], length($_->[1]) / 2) for @slow;
	like rest($_->[0]), $is_ok, 'and so are they, in the end' for @slow;
	is_deeply delivered($h, 4), [ qw(quick slow-1 slow-2 slow-3) ], 'all arrive';
}

sub case_fifty ($h) {
	# With a second for each to start a web server would give up the last.
	my $count = watched() eq 'valgrind' ? 5 : 50;
	my @id = map { sprintf 'n%02d', $_ } 1 .. $count;
	my @socket = map { connection($h->{server}) } @id;
	my @request = map { whole($h->{server}, logins($_)) } @id;
	my @last = map { chop } @request;
	put($socket[$_], $request[$_]) for keys @id;
	put($socket[$_], $last[$_]) for keys @id;
	is scalar(grep { rest($_) =~ $is_ok } @socket), $count, "$count times ok";
	is_deeply delivered($h, $count), \@id, 'as many events';
}

# Sends events as Auth0 does, again and again until they are taken, for as
# long as the file is there. Returns the ids, and how often which status came.
sub keep_sending ($h, $name, $file) {
	my (@id, %status);
	for (my $i = 1; -e $file; $i++) {
		push @id, "$name-$i";
		for (1 .. 500) {
			my $answer = post($h->{server}, logins("$name-$i"));
			$status{ substr $answer, 0, 3 }++;
			last if $answer eq '200 ok';
			select undef, undef, undef, 0.02; # Auth0's pause, in small
		}
	}
	return { ids => \@id, status => \%status };
}

# Nothing that was answered ok is lost or doubled while $restart is done so
# many times.
sub in_flight ($h, $title, $times, $restart) {
	my $file = spew(tempdir() . '/go', '');
	my @client = map { my $name = "$title$_"; later(sub { keep_sending($h, $name, $file) }) } 1 .. 4;
	for (1 .. $times) {
		my $before = () = $h->{slack}->titles;
		$h->{slack}->wait_for_titles($before + 5, 20);
		$restart->();
	}
	$h->{slack}->wait_for_titles(5 + (() = $h->{slack}->titles), 20);
	unlink $file;
	my (@id, %status);
	for my $sent (map { $_->() } @client) {
		push @id, @{ $sent->{ids} };
		$status{$_} += $sent->{status}{$_} for keys %{ $sent->{status} };
	}
	my @other = grep { !/^(?:200|5\d\d)$/ } keys %status;
	is_deeply \@other, [], "$title: ok, or a failure after which Auth0 tries again";
	is_deeply delivered($h, scalar @id), [ sort @id ], "$title: each event arrives once";
	note "$h->{name}: $title: ", join ' ', map { "$_:$status{$_}" } sort keys %status;
	return \%status;
}

sub case_restart ($h) {
	my $server = $h->{server};
	my $status = in_flight($h, 'graceful', 2, sub { $server->restart_gracefully });
	is_deeply [ grep { $_ ne '200' } keys %$status ], [], 'a graceful one fails none'
		if !$h->{graceful_fails};
	in_flight($h, 'hard', 1, sub { $server->restart });
}

sub case_later ($h) {
	$h->{slack}->behave($h->{name} => '/status/503/down');
	is post($h->{server}, logins('later')), '200 ok', 'Slack is down: the answer';
	$h->{slack}->wait_for(1);
	$h->{server}->stop;
	$h->{slack}->behave($h->{name});
	is_deeply delivered($h, 1), [ 'later' ], 'it arrives when Slack is back, though the web server is stopped';
	$h->{server}->restart;
	is post($h->{server}, logins('once-more')), '200 ok', 'the web server is back';
	is_deeply delivered($h, 1), [ 'once-more' ], 'and so is the way';
}

# The longest that an answer may take after the last byte of the body.
use constant ANSWER_S => 25;

sub case_locked ($h) {
	$h->{queue}->end_worker; # it would hold the lock now and then
	my $unlock = $h->{queue}->lock_out;
	my $start = time;
	my $answer = http('POST', $h->{server}->url, { Authorization => $token }, logins('locked'), timeout => 2 * ANSWER_S);
	my $took = time - $start;
	$unlock->();
	is "$answer->{status} $answer->{body}", "503 the queue was locked for too long: try again\n", 'the answer';
	cmp_ok $took, '<', ANSWER_S, 'in time';
	only_this_arrives($h, 'after-locked', 'nothing half-written');
	is post($h->{server}, logins('locked')), '200 ok', 'sent again';
	is_deeply delivered($h, 1), [ 'locked' ], 'it arrives';
}

# What a server does to the programs it does not need, or they to themselves.
sub case_killed ($h) {
	my $server = $h->{server};
	is post($server, logins('before')), '200 ok', 'before';
	if ($server->is_cgi) {
		wait_until(sub { !$server->doors }, 10, 'no program to be left');
		pass 'a program a request, and none is left';
		return is_deeply delivered($h, 1), [ 'before' ], 'the event arrives all the same';
	}
	my @door = $server->doors;
	cmp_ok @door, '>', 0, 'there are doors';
	$h->{kill} ? $h->{kill}->($h) : kill KILL => @door;
	wait_until(sub { !grep { runs($_) } @door }, 20, 'the doors to end');
	if ($server->has_backend) {
		like post($server, logins('nobody')), qr/^50[23] /, 'nobody is there: Auth0 tries again';
		$server->start_backend;
	}
	wait_until(sub { post($server, logins('after')) eq '200 ok' }, 10, 'the server to start others');
	is_deeply delivered($h, 2), [ qw(after before) ], 'events before and after arrive';
}

sub case_log ($h) {
	my $log = sub { $h->{server}->log };
	# nginx breaks lines at the edges of what it reads at a time, and takes
	# away white space there.
	my $whole = sub { $log->() =~ s/" while reading (?:response header|upstream).*\n.* FastCGI sent in stderr: "//gr };
	is post($h->{server}, logins('logged')), '200 ok', 'one event';
	wait_until(sub { $log->() =~ /log-stream-to-slack\[\d+\]: info log_id=logged type=f destination=default outcome=queued/ },
		5, "its line in the server's error log");
	like $log->(), qr/log-stream-to-slack\[\d+\]: info request=\d+ method=POST bytes=@{[ length logins('logged') ]} records=1 unusable=0 kept=1 status=200/,
		"and its request's";
	# nginx answered 502 when six hundred lines came before the answer.
	my @id = map { sprintf 'line-%03d', $_ } 1 .. 700;
	is post($h->{server}, logins(@id)), '200 ok', 'seven hundred events';
	wait_until(sub { $whole->() =~ /kept=700/ }, 5, 'the last line');
	is_deeply [ $whole->() =~ /log_id=(line-\d+) ?type=f ?destination=default ?outcome=queued/g ], \@id,
		'have a line each';
	delivered($h, 701);
	unlike $log->(), qr/SECRET/, 'no secret is in it';
	unlike $log->(), qr/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/, 'and no control byte';
}

my @cases = (
	[ 'the right token is let in' => \&case_right ],
	[ 'a wrong token is not' => \&case_wrong ],
	[ 'a missing token is not' => \&case_missing ],
	[ 'every format is taken' => \&case_formats ],
	[ 'a batch with nothing to send is answered with 204' => \&case_204 ],
	[ 'a bad body is answered with 400 and why' => \&case_400 ],
	[ 'another method is answered with 405' => \&case_405 ],
	[ 'a batch of 2 MiB is taken' => \&case_2_mib ],
	[ 'a chunked body is taken, and half a body is not' => \&case_chunked ],
	[ 'a queue that is locked is answered with 503' => \&case_locked ],
	[ 'slow clients hold up nobody' => \&case_slow ],
	[ 'fifty requests at once are all served' => \&case_fifty ],
	[ 'the log lines are in the error log' => \&case_log ],
	[ 'what is answered is delivered, whatever becomes of the server' => \&case_later ],
	[ 'killed doors are replaced' => \&case_killed ],
	[ 'a restart with requests in flight loses and doubles nothing' => \&case_restart ],
);

# Runs the table: %h is the server, its queue and the stand-in that gets its
# messages as "name"; kill => what ends the doors, given %h; graceful_fails: a
# graceful restart fails requests; ends_alike: the door cannot always tell
# a chunked body that broke off.
sub run_cases (%h) {
	for (@cases) {
		my ($title, $code) = @$_;
		eval { subtest($title, sub { $code->(\%h) }) or die "it failed\n"; 1 } or return fail("$title: $@");
	}
	$h{server}->stop;
}

# Runs it through the file of conf/ with that name. Options are those of
# run_cases(), others are for server().
sub test_cases ($snippet, %o) {
	my $slack = standin();
	my $name = $snippet =~ tr/a-z//cdr;
	my $queue = queue(slack => $slack, path => "/as/$name", env => { MAX_BODY => '3MiB',
		LogStream::Server::keeps_log_of($snippet) ? (LOG => undef) : () });
	run_cases(slack => $slack, queue => $queue, name => $name, server => server($snippet, queue => $queue, %o), %o);
	$queue->end_worker;
}

# What Slack may say where there is no queue and it is part of the answer: how
# the stand-in behaves, and "status body", with Retry-After when there is one.
my @said = (
	[ '/services/T0/B0/SECRETpath' => '200 ok' ],
	[ '/status/404/no_service' => '502 Slack did not take the message: no_service' ],
	[ '/status/500/down' => '502 Slack did not take the message: down' ],
	[ '/status/429/rate_limited' => '503 Slack did not take the message: rate_limited', 30 ],
	[ '/stall' => '504 Slack did not answer in time: the log of this program says more' ],
);

# The door without a queue behind the file of conf/ with that name.
sub test_without_queue ($snippet, %o) {
	my $slack = standin();
	my $server = server($snippet, %o, env => { AUTH0_LOG_STREAM_TOKEN => $token, SLACK_TIMEOUT => '2s',
		SLACK_WEBHOOK_URL => $slack->url('/as/slack') });
	for (@said) {
		my ($behaviour, $want, $retry_after) = @$_;
		$slack->behave(slack => $behaviour);
		my $answer = http('POST', $server->url, { Authorization => $token }, logins('a'));
		is "$answer->{status} " . $answer->{body} =~ s/\n\z//r, $want, "the answer when Slack is $behaviour";
		is $answer->{headers}{'retry-after'}, $retry_after, 'and when to try again';
	}
	my ($request, @more) = $slack->requests;
	is @more, @said - 1, 'one post each, before the answer';
	is $request->{payload}{attachments}[0]{title}, 'event a [type: f]', 'its title';
	is_deeply $request->{problems}, [], 'no problems';
	if ($server->keeps_log) {
		wait_until(sub { $server->errorlog =~ /log-stream-to-slack\[\d+\]: info log_id=a type=f destination=default outcome=sent/ },
			5, "the line in the server's error log");
	}
	unlike $server->errorlog, qr/SECRET/, 'no secret is in it';
	$server->stop;
}

1;
