#!/usr/bin/perl
# The worker, however it is started: what it delivers, when, and what becomes
# of the rest; and the verbs of log-stream-ctl that look after it. What the
# door takes is in queue.t.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use Cwd qw(abs_path);
use File::Copy qw(copy);
use File::Basename qw(dirname);
use JSON::PP;
use LogStream::Ledger qw(copied_door);
use LogStream::Server;
use LogStream::Test;
use Test::More;
use Time::HiRes qw(time);

my $json = JSON::PP->new->utf8->canonical;

# "503 the queue ..." of an answer whose body is a line.
sub told ($answer) { return "$answer->{status} " . ($answer->{body} // '') =~ s/\n\z//r }

# Exit status, output and complaints, as one text.
sub all ($ended) { return "$ended->{exit}\n$ended->{out}--\n$ended->{err}" }

# The log_ids of the events in the messages that Slack took.
sub ids (@title) { return [ map { /^event (\S+) \[type: f\]$/ ? $1 : "? $_" } @title ] }

# The log_ids in each request to Slack, whatever it answered.
sub listed ($slack) {
	return map { ids(map { $_->{title} } @{ $_->{payload}{attachments} // [] }) } $slack->requests;
}

# What messages that Slack took say of events that it never will: "2 events
# were" each.
sub told_of ($slack) {
	return map { ($_->{payload}{text} // '') =~ /\n(.*) set aside and not sent: see log-stream-ctl list\z/ ? $1 : () }
		grep { ($_->{answer} // '') eq 'ok' } $slack->requests;
}

# Queues events while no worker may run.
sub put ($queue, $body) {
	my $away = $queue->keep_workers_away;
	is told($queue->cgi(body => $body)), '200 ok', 'queued';
}

# Dates and spans of a report, by their kind.
sub timeless ($text) {
	return $text =~ s/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/DATE/gr =~ s/\b\d+s\b/SPAN/gr;
}

# The fields of /proc/PID/stat behind the name: 0 state, 1 parent, 3 session,
# 4 terminal.
sub stat_of ($pid) { return split ' ', slurp("/proc/$pid/stat") =~ s/.*\)//sr }

sub descriptors ($pid) {
	return map { m{(\d+)$} ? ($1 => readlink($_) // '') : () } glob "/proc/$pid/fd/*";
}

#
# What takes longest is begun first.
#

beside 'drain gives up on a queue that is none, after a while' => sub {
	my $queue = queue(slack => standin());
	spew($queue->path, 'garbage' x 100, 0600);
	is all($queue->ctl('drain')), "1\n--\n", 'with 1';
	is scalar(() = $queue->log =~ /: file is not a database: move it away and a new one is made"$/mg), 1,
		'and one line in the log';
};


beside 'it leaves some seconds after the last event, and the next event starts another' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $door = $queue->fastcgi;
	is told($queue->ask($door, body => logins('a'))), '200 ok', 'an event';
	$slack->wait_for_titles(1);
	my ($first, $start) = ($queue->worker, time);
	wait_until(sub { !$queue->worker }, 15, 'it to leave');
	cmp_ok time - $start, '>', 2, 'it stays for a while';
	is told($queue->ask($door, body => logins('b'))), '200 ok', 'another event, right then';
	is_deeply ids($slack->wait_for_titles(2)), [ qw(a b) ], 'arrives';
	isnt $queue->worker, $first, 'by another worker';
	$queue->end_worker;
	wait_until(sub { !$queue->programs || "@{[$queue->programs]}" eq $door->pid }, 5, 'it to end');
};

#
# Started by the door
#

# What a worker has of the process that started it.
sub is_detached ($queue, $pid, @stranger) {
	my ($parent, $session, $terminal) = (stat_of($pid))[1, 3, 4];
	ok $parent == 1 || !grep({ $_ == $parent } $$, @stranger), 'its parent is somebody else';
	isnt $session, (stat_of($$))[3], 'its session is its own';
	is $terminal, 0, 'it has no terminal';
	my %to = descriptors($pid);
	is_deeply [ delete @to{0 .. 2} ], [ ('/dev/null') x 3 ], 'its standard descriptors lead nowhere';
	my %other = map { $_ => 1 } map { my %of = descriptors($_); values %of } $$, @stranger;
	my $dir = $queue->dir;
	is_deeply [ grep { !m{^\Q$dir\E/|^anon_inode:} && (!m{^(?:pipe|socket):} || $other{$_}) } values %to ], [],
		'the others are its own';
	my $status = slurp("/proc/$pid/status");
	like $status, qr/^SigBlk:\t0+$/m, 'no signal is blocked';
	like $status, qr/^Umask:\t0077$/m, 'its files are for nobody else';
}

beside 'the door starts a worker that has nothing of the door, and does not wait for it' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/stall', env => { SLACK_TIMEOUT => '20s' });
	my $cwd = tempdir();
	my @pipe = map { pipe my $read, my $write or die "pipe: $!"; [ $read, $write ] } 1 .. 3;
	my $pid = LogStream::Test::start(in => $pipe[0][0], out => $pipe[1][1], err => $pipe[2][1],
		cmd => [ door_path() ], cwd => $cwd, env => { %{ $queue->env }, LogStream::Test::variables(
			token => LogStream::Test::Queue::TOKEN, body => logins('a')) });
	close $_ for $pipe[0][0], $pipe[1][1], $pipe[2][1];
	print { $pipe[0][1] } logins('a');
	close $pipe[0][1];
	my ($out, $err) = map { my $in = $_->[0]; LogStream::Test::within(10, 'the end of its output',
		sub { local $/; scalar <$in> // '' }) } @pipe[1, 2];
	waitpid $pid, 0;
	like $out, qr/\r\n\r\nok\z/, 'the answer ends';
	is $err, '', 'and the log';
	$slack->wait_for(1);
	my $worker = $queue->worker;
	ok runs($worker), 'while the worker lives';
	is_detached($queue, $worker, $pid);
	is readlink("/proc/$worker/cwd"), abs_path($cwd), 'it is where the door was';
	is program_of($worker), ctl_path(), 'it is the one beside the door';
	is $queue->status->{worker_pid}, $worker, 'status knows it';
};

beside 'a FastCGI door keeps its sockets from the worker' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/stall', env => { SLACK_TIMEOUT => '20s' });
	my $door = $queue->fastcgi;
	is told($queue->ask($door, body => logins('a'))), '200 ok', 'the answer';
	$slack->wait_for(1);
	is_detached($queue, $queue->worker, $door->pid);
	$door->stop;
	ok $queue->worker, 'and the worker outlives the door';
};

beside 'a door whose server ignores its children starts one all the same, and does not complain' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $answer = $queue->cgi(body => logins('a'),
		cmd => [ $^X, '-e', '$SIG{CHLD} = "IGNORE"; exec @ARGV', door_path() ]);
	is told($answer), '200 ok', 'the answer';
	is_deeply ids($slack->wait_for_titles(1)), [ 'a' ], 'it arrives';
	unlike $queue->log, qr/ error /, 'the log';
};

for my $name (qw(lighttpd-cgi.conf lighttpd-fastcgi.conf)) {
	beside "$name: the client has its answer while the worker lives" => sub {
		need('lighttpd');
		my $slack = standin();
		my $queue = queue(slack => $slack, path => '/stall', env => { SLACK_TIMEOUT => '20s' });
		my $server = server($name, queue => $queue);
		my $body = logins('a');
		like raw_http($server->port, "POST /api/logs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			. 'Authorization: ' . LogStream::Test::Queue::TOKEN . "\r\n"
			. 'Content-Length: ' . length($body) . "\r\n\r\n$body"), qr/ 200 .*\r\n\r\nok\z/s, 'to its end';
		$slack->wait_for(1);
		ok runs($queue->worker), 'it lives';
		is_detached($queue, $queue->worker, $server->pid);
	};
}

beside 'a copy of the door under another name finds the worker beside it' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $dir = abs_path(tempdir());
	copy(door_path(), "$dir/logs.cgi") && copy(ctl_path(), "$dir/log-stream-ctl") or die "copy: $!";
	chmod 0755, glob "$dir/*";
	is told($queue->cgi(cmd => [ "$dir/logs.cgi" ], body => logins('a'))), '200 ok', 'the answer';
	$slack->wait_for_titles(1);
	is program_of($queue->worker), "$dir/log-stream-ctl", 'it runs that one';
};

beside 'where there is no worker to start, the log says so and the event waits' => sub {
	my $queue = queue(slack => standin());
	my $dir = tempdir();
	my $answer = $queue->cgi(cmd => [ copied_door("$dir/logs.cgi") ], body => logins('a'));
	is told($answer), '200 ok', 'the answer';
	like $queue->log, qr/: error error="there is no worker to start: put log-stream-ctl beside this program, or at \S+\/log-stream-ctl: events wait in \Q@{[$queue->address]}\E"$/m,
		'the log';
	is_deeply [ map { $_->{id} } $queue->rows ], [ 'a' ], 'the event';
};

beside 'many doors at once start many workers, of which one stays' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my @answer = map { my $n = $_; later(sub { $queue->cgi(body => logins("$n-a", "$n-b")) }) } 1 .. 8;
	is_deeply [ map { told($_->()) } @answer ], [ ('200 ok') x 8 ], 'all are answered ok';
	is_deeply [ sort @{ ids($slack->wait_for_titles(16)) } ], [ map { ("$_-a", "$_-b") } 1 .. 8 ],
		'all arrive, once';
	my @left;
	wait_until(sub { (@left = $queue->programs) == 1 }, 10, 'one to be left');
	is_deeply \@left, [ $queue->worker ], 'which has the lock';
	unlike $queue->log, qr/ error /, 'and nobody complains';
};

for my $name ('CGI', 'FastCGI') {
	beside "$name: when it was killed with events waiting, the next request starts another" => sub {
		my $slack = standin();
		my $queue = queue(slack => $slack, path => '/as/main');
		$slack->behave(main => '/status/503/down');
		my $door = $name eq 'CGI' ? undef : $queue->fastcgi;
		my $ask = sub (%o) { $door ? $door->request(%o) : $queue->cgi(%o) };
		my @token = (token => LogStream::Test::Queue::TOKEN);
		is told($ask->(@token, body => logins('a'))), '200 ok', 'an event';
		$slack->wait_for(1);
		$queue->end_worker('KILL');
		wait_until(sub {
			$ask->(token => 'wrong', body => '[]')->{status} == 401 or die 'not 401';
			return $queue->worker;
		}, $door ? 10 : 0.5, 'a request, whatever it holds, to start one');
		$slack->behave('main');
		is_deeply ids($slack->wait_for_titles(1)), [ 'a' ], 'and the event arrives';
		$queue->wait_until_empty;
		$queue->end_worker('KILL');
	};
}

beside 'after a reboot a door that stays starts one before anything is asked of it' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main');
	$slack->behave(main => '/status/503/down');
	is told($queue->cgi(body => logins('a'))), '200 ok', 'an event';
	$slack->wait_for(1);
	$queue->end_worker('KILL');
	$slack->behave('main');
	my $door = $queue->fastcgi;
	is_deeply ids($slack->wait_for_titles(1)), [ 'a' ], 'it arrives';
	$queue->wait_until_empty;
	$queue->end_worker;
};

beside 'when it was killed over a message, the next one tells and sends it again' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main');
	$slack->behave(main => '/stall');
	is told($queue->cgi(body => logins('a', 'b'))), '200 ok', 'two events';
	$slack->wait_for(1);
	$queue->end_worker('KILL');
	$slack->behave('main');
	is told($queue->cgi(body => '[]')), '204 ', 'a request';
	is_deeply ids($slack->wait_for_titles(2)), [ qw(a b) ], 'they arrive';
	like $queue->log, qr/: warn message="destination default: a message was on its way when the last worker ended; its events may appear twice"$/m,
		'the log';
};

for my $signal (qw(TERM INT HUP)) {
	beside "told to end by SIG$signal it settles what is on its way, and begins nothing" => sub {
		my $slack = standin();
		my $queue = queue(slack => $slack, path => '/drip/1');
		is told($queue->cgi(body => logins('a'))), '200 ok', 'one is on its way';
		$slack->wait_for(1);
		is told($queue->cgi(body => logins('b'))), '200 ok', 'another comes';
		$queue->end_worker($signal);
		is_deeply [ map { $_->{id} } $queue->rows ], [ 'b' ], 'one is settled, one waits';
		is scalar($slack->requests), 1, 'one was sent';
		is told($queue->cgi(body => '[]')), '204 ', 'the next request';
		$slack->wait_for(2);
		ok $queue->worker, 'starts another, for that one';
	};
}

beside 'told to end right after an event came, it leaves that to the next' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	is told($queue->cgi(body => logins('a'))), '200 ok', 'an event';
	$slack->wait_for_titles(1);
	$queue->wait_until_empty;
	my $worker = $queue->worker;
	kill STOP => $worker;
	is told($queue->cgi(body => logins('b'))), '200 ok', 'another, which it has not seen';
	kill $_ => $worker for qw(TERM CONT);
	wait_until(sub { !runs($worker) }, 5, 'it to end');
	is told($queue->cgi(body => '[]')), '204 ', 'a request with nothing to send';
	is eval { $slack->wait_for_titles(2, 3) }, 2, 'starts another, and it arrives';
};

beside 'a message that was on its way when the queue was made anew is not taken for one of that' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/drip/0.5');
	is told($queue->cgi(body => logins('a'))), '200 ok', 'an event';
	$slack->wait_for(1);
	spew($queue->path, 'garbage' x 1000);
	unlink $queue->path;
	is told($queue->cgi(body => logins('b'))), '200 ok', 'another, in a new file';
	is eval { $slack->wait_for_titles(2, 5) }, 2, 'it is sent too';
};

beside 'what root makes belongs to the owner of its directory' => sub {
	plan(skip_all => 'only root can') if $> != 0;
	my $slack = standin();
	my $queue = queue(slack => $slack);
	chown 65534, 65534, $queue->dir or die "chown: $!";
	# The way there is closed to others.
	my $on_the_way = $queue->dir;
	chmod 0711, $on_the_way while ($on_the_way = dirname($on_the_way)) =~ m{^/tmp/.};
	$queue->ctl('status');
	put($queue, logins('a'));
	chown 65534, 65534, $queue->path . '-worker'; # which put() has made
	is $queue->ctl('drain')->{exit}, 0, 'an event is delivered';
	my @file = glob $queue->dir . '/*';
	is_deeply { map { s{.*/}{}r => (stat)[4] } @file }, { map { s{.*/}{}r => 65534 } @file }, 'all files';
};

beside 'a configuration in the working directory is found by it too' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $cwd = tempdir();
	spew("$cwd/.env", settings_text($queue->env), 0600);
	is told(cgi(cwd => $cwd, env => { LOG_STREAM_CONFIG => undef }, body => logins('a'),
		token => LogStream::Test::Queue::TOKEN)), '200 ok', 'an event';
	is_deeply ids($slack->wait_for_titles(1)), [ 'a' ], 'arrives';
};

beside 'one search of one log file tells where an event went' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $door = $queue->fastcgi;
	$queue->ask($door, body => logins('a', 'b'));
	$slack->wait_for_titles(2);
	$queue->wait_until_empty;
	my @line = map { s/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ //r } grep { / log_id=b / } split /\n/, $queue->log;
	is_deeply \@line, [
		"log-stream-to-slack[@{[$door->pid]}]: info log_id=b type=f destination=default outcome=queued",
		"log-stream-to-slack[@{[$queue->worker]}]: info log_id=b type=f destination=default outcome=sent",
	], 'queued by the door, sent by the worker';
};

beside 'a log on standard error, which a worker does not have, does it no harm' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/status/503/down?times=1', env => { LOG => 'stderr' });
	my $answer = $queue->cgi(body => logins('a'));
	like $answer->{err}, qr/ log_id=a .* outcome=queued$/m, "the door's lines";
	is_deeply ids($slack->wait_for_titles(1)), [ 'a' ], 'it arrives';
	$queue->wait_until_empty;
	ok $queue->worker, 'the worker is there';
	is $queue->log, '', 'there is no other log';
};

#
# Started by a person
#

beside 'work stays until it is told to end, and is the only one' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	for my $signal (qw(TERM INT)) {
		my $work = $queue->work;
		is $queue->wait_for_worker, $work->pid, 'it is the worker';
		is all($queue->ctl('work', '--until-idle')), "0\n--\n"
			. "log-stream-ctl: another worker runs: see log-stream-ctl status\n", 'one that need not be';
		is all($queue->ctl('drain')), "0\n--\n", 'drain leaves it to the worker';
		is told($queue->cgi(body => logins($signal))), '200 ok', 'an event';
		is_deeply ids($slack->wait_for_titles(1)), [ $signal ], 'is sent by it';
		is_deeply [ $queue->programs ], [ $work->pid ], 'without another';
		$work->signal($signal);
		is $work->wait_exit, 0, "SIG$signal ends it well";
		is $work->err, '', 'silently';
		$slack->forget;
	}
	like all(ctl({ SLACK_WEBHOOK_URL => $slack->url('/x') }, 'work')),
		qr/\A1\n--\nlog-stream-to-slack\[\d+\]: error error="QUEUE is not set: without a queue there is nothing to work off"\n\z/,
		'without a queue it says so';
};

beside 'work that waits for another worker ends well, too, when it is told to' => sub {
	my $queue = queue(slack => standin());
	my $first = $queue->work;
	$queue->wait_for_worker;
	my $second = $queue->work;
	wait_until(sub { $queue->log =~ /another worker runs: waiting/ }, 10, 'it to wait');
	$second->signal('TERM');
	is $second->wait_exit, 0, 'its exit status';
	is $queue->worker, $first->pid, 'the other stays';
};

beside 'drain ends with 0 when all is delivered, with 3 when some must wait, and with 4 when Slack refuses' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main', env => { SLACK_RETRY_MAX => '1min' });
	is all($queue->ctl('drain')), "0\n--\n", 'nothing';
	put($queue, logins(map { "id-$_" } 1 .. 45));
	is all($queue->ctl('drain')), "0\n--\n", 'three messages';
	is_deeply ids($slack->titles), [ map { "id-$_" } 1 .. 45 ], 'arrived';
	my @request = $slack->requests;
	cmp_ok $request[$_]{time} - $request[$_ - 1]{time}, '>', 0.04, 'at their pace' for 1, 2;
	for (
		[ '/status/503/down', 3 ],
		[ '/status/429/rate_limited', 3 ],
		[ '/close', 3 ],
		[ '/status/404/no_service', 4 ],
	) {
		my ($path, $exit) = @$_;
		$slack->behave(main => $path);
		put($queue, logins($path));
		is all($queue->ctl('drain')), "$exit\n--\n", $path;
		is all($queue->ctl('drain')), "$exit\n--\n", 'and once more';
		is $queue->ctl('status')->{exit}, $exit == 4 ? 4 : 0, 'status agrees whether a person has to look';
		is scalar(grep { $_->{status} == 404 } $slack->requests), 1, 'which makes no try before its time' if $path =~ /404/;
		$slack->forget;
		is all($queue->ctl('remove', $path)), "0\n1 removed\n--\n", 'away with it';
		# A wait is for the next event as well: it is the destination's.
		$queue->ctl('retry', '--all');
		$queue->wait_for_worker;
		$queue->end_worker;
	}
	is all(ctl({ %{ $queue->env }, QUEUE => undef }, 'drain')) =~ s/--.*//sr, "1\n", 'no queue';
	is all(ctl({ %{ $queue->env }, LOG => 'x' }, 'drain')) =~ s/--.*//sr, "1\n", 'a bad configuration';
};

for my $path ('/status/400/invalid_payload', '/status/503/down', '/close') {
	beside "drain ends with 4 when Slack cannot be told of what was set aside: $path" => sub {
		my $slack = standin();
		my $queue = queue(slack => $slack, path => '/as/main', env => { SLACK_INTERVAL => '1s', SLACK_RETRY_MAX => '1min' });
		$slack->behave(main => '/status/400/invalid_attachments');
		put($queue, logins('bad'));
		my $drain = later(sub { $queue->ctl('drain') });
		$slack->wait_for(1);
		$slack->behave(main => $path);
		is all($drain->()), "4\n--\n", 'it does, and waits for no second try';
		is scalar($slack->requests), 2, 'it has tried';
		is all($queue->ctl('drain')), "4\n--\n", 'once more';
		is_deeply [ map { "$_->{id} $_->{state}" } $queue->rows ], [ 'bad set-aside' ], 'the event is set aside';
		is $queue->standing->{waiting}, 0, 'and nothing waits';
		is $queue->ctl('remove', '--all')->{exit}, 0, 'when it is removed';
		is all($queue->ctl('drain')), "0\n--\n", 'all is well';
	};
}

beside 'when Slack was told of what was set aside, all is well with drain, but not with status' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/picky/POISON');
	put($queue, logins('a', 'POISON-1', 'b', 'POISON-2'));
	is all($queue->ctl('drain')), "0\n--\n", 'drain';
	my @told = told_of($slack);
	like "@told", qr/^(?:2 events were|1 event was 1 event was)$/, 'Slack was told of each, once';
	is $queue->ctl('status')->{exit}, 4, 'status';
	is all($queue->ctl('drain')), "0\n--\n", 'drain, once more';
	is_deeply [ told_of($slack) ], \@told, 'tells nothing again';
	is $queue->ctl('remove', 'POISON-1')->{exit}, 0, 'when one is removed';
	is $queue->ctl('status')->{exit}, 4, 'status still';
	is $queue->ctl('remove', 'POISON-2')->{exit}, 0, 'when both are';
	is $queue->ctl('status')->{exit}, 0, 'all is well';
};

beside 'a lock that cannot be had is no other worker' => sub {
	my $queue = queue(slack => standin());
	mkdir $queue->path . '-worker';
	my %ended = map { $_ => $queue->ctl($_) } qw(drain work);
	is scalar(() = $queue->log =~ /: error error="\Q@{[$queue->path]}\E-worker: cannot be locked: Is a directory"$/mg), 2, 'the log says so';
	is all($ended{$_}), "1\n--\n", $_ for qw(drain work);
};

#
# Pace
#

# Seconds between the beginnings of requests that follow each other, less what
# an answer takes.
sub gaps ($took, @request) {
	return map { $request[$_]{time} - $request[$_ - 1]{time} - $took } 1 .. $#request;
}

beside 'messages keep their distance, also when each is from another process' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/drip/0.05', env => { SLACK_INTERVAL => '300ms' });
	put($queue, logins(map { "id-$_" } 1 .. 100));
	for my $count (1 .. 5) {
		my $work = $queue->work;
		$slack->wait_for($count);
		$work->signal('TERM');
		is $work->wait_exit, 0, 'it ends';
	}
	is_deeply ids($slack->titles), [ map { "id-$_" } 1 .. 100 ], 'all are sent';
	cmp_ok $_, '>', 0.29, 'after a pause' for gaps(0.1, $slack->requests);
};

beside 'messages keep their distance, also when a process dies over each' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/stall', env => { SLACK_INTERVAL => '300ms' });
	put($queue, logins('a'));
	for my $count (1 .. 4) {
		my $work = $queue->work;
		$slack->wait_for($count);
		$work->signal('KILL');
		is $work->wait_exit, 9, 'it dies';
	}
	cmp_ok $_, '>', 0.29, 'after a pause' for gaps(0, $slack->requests);
	is $queue->rows, 1, 'the event waits';
	is +($queue->rows)[0]{tries}, 4, 'its tries are counted';
};

beside 'Retry-After is obeyed, by the next process too, and whatever a person says' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/status/429/rate_limited?retry_after=2&times=1');
	put($queue, logins('a'));
	my $work = $queue->work;
	$slack->wait_for(1);
	wait_until(sub { $queue->standing->{last_error} }, 5, 'it to be settled');
	my $standing = $queue->standing;
	is $standing->{last_error}, 'rate_limited', 'status says why';
	cmp_ok $standing->{next_try_ms} - $standing->{last_error_ms}, '>', 1990, 'and until when';
	$work->stop;
	is all($queue->ctl('retry', '--all')), "0\n0 to be tried again\n--\n", 'somebody is in a hurry';
	is_deeply ids($slack->wait_for_titles(1)), [ 'a' ], 'it arrives';
	my ($gap) = gaps(0, $slack->requests);
	cmp_ok $gap, '>', 1.99, 'after that time';
	is scalar(gaps(0, $slack->requests)), 1, 'and no sooner';
};

beside 'an answer that comes while the worker is held up is not taken for none' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/drip/0.1', env => { SLACK_TIMEOUT => '400ms' });
	put($queue, logins('a'));
	my $work = $queue->work;
	$slack->wait_for(1);
	kill STOP => $work->pid;
	my $late = time + 0.6;
	wait_until(sub { time > $late }, 5, 'its time to be over');
	kill CONT => $work->pid;
	$queue->wait_until_empty;
	is scalar($slack->requests), 1, 'one message';
	is $queue->standing->{last_error}, undef, 'no error';
};

beside 'an outage delays everything and loses nothing' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main', env => { SLACK_TIMEOUT => '1s' });
	my $door = $queue->fastcgi;
	my $n = 0;
	my %blamed;
	for my $path ('/status/503/down', '/close', '/status/500/', '/stall', '/status/200/welcome', '/close/early') {
		$slack->behave(main => $path);
		$slack->forget;
		is told($queue->ask($door, body => logins(map { "id-" . ++$n } 1 .. 3))), '200 ok', $path;
		is told($queue->cgi(body => logins('id-' . ++$n))), '200 ok', 'by CGI';
		$slack->wait_for(2);
		$blamed{$_->[0]}++ for grep { @$_ == 1 } listed($slack);
	}
	is $queue->standing->{waiting}, 24, 'all wait';
	$slack->forget;
	$slack->behave('main');
	my @id = @{ ids($slack->wait_for_titles(24)) };
	$queue->wait_until_empty;
	is scalar($slack->titles), 24, 'then all arrive, once';
	# Of an answer of 5xx, or none in time, an event may be the cause: it goes
	# behind the others.
	my @behind;
	unshift @behind, pop @id while @id && $blamed{$id[-1]};
	is_deeply \@id, [ map { "id-$_" } grep { my $id = "id-$_"; !grep { $_ eq $id } @behind } 1 .. 24 ], 'in order';
	is_deeply [ (grep { @$_ } listed($slack))[-@behind .. -1] ], [ map { [ $_ ] } @behind ],
		'but for those that failed alone: they come last, each alone' if @behind;
	is $queue->standing->{failures}, 0, 'and all is forgotten';
};

beside 'an outage that is no event\'s fault keeps the order' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main');
	my $n = 0;
	for my $path ('/close', '/status/429/rate_limited', '/status/404/no_service', '/close/early') {
		$slack->behave(main => $path);
		$slack->forget;
		is told($queue->cgi(body => logins(map { 'id-' . ++$n } 1 .. 3))), '200 ok', $path;
		$slack->wait_for(4);
		is scalar(grep { @$_ == 1 } listed($slack)), 0, 'no event is suspected';
	}
	$slack->behave('main');
	is_deeply ids($slack->wait_for_titles(12)), [ map { "id-$_" } 1 .. 12 ], 'all arrive, in order';
};

beside 'an event that Slack fails over goes behind the others' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main', env => { SLACK_RETRY_MAX => '1s' });
	$slack->behave(main => '/status/503/down');
	put($queue, logins(qw(a b c)));
	my $work = $queue->work;
	wait_until(sub { grep { "@$_" =~ /^b/ } listed($slack) }, 15, 'the first to be behind the others');
	$slack->behave('main');
	is_deeply ids($slack->wait_for_titles(3)), [ qw(b c a) ], 'and arrives after them';
	is_deeply [ (listed($slack))[-1] ], [ [ 'a' ] ], 'alone';
	$work->stop;
};

beside 'a webhook that is replaced gets what the old one refused, at once' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/status/404/no_service', env => { SLACK_RETRY_MAX => '1h' });
	$queue->configure;
	is told($queue->cgi(body => logins('a'))), '200 ok', 'an event';
	wait_until(sub { $queue->standing->{refused} }, 5, 'it to be refused');
	cmp_ok $queue->standing->{next_try_ms} / 1000 - time, '>', 3000, 'the next try is in an hour';
	$queue->configure(SLACK_WEBHOOK_URL => $slack->url('/services/new'));
	is_deeply ids($slack->wait_for_titles(1)), [ 'a' ], 'it arrives';
	wait_until(sub { !$queue->standing->{refused} }, 5, 'that to be known');
};

beside 'when many wait, they are counted in one message' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, env => { DIGEST_AFTER => 5 });
	put($queue, logins(map { "id-$_" } 1 .. 1500));
	is $queue->ctl('drain')->{exit}, 0, 'delivered';
	is_deeply [ $slack->titles ], [ "1,500 \x{d7} Failed Login [type: f]" ], 'as one';
	like $queue->log, qr/ destination=default events=1500 form=digest /, 'the log says so';
	is_deeply [ map { @{ $_->{problems} } } $slack->requests ], [], 'no problems';
};

#
# Set aside
#

beside 'an event that Slack will never take is set aside, and the others go out' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/picky/POISON');
	$queue->configure;
	my @good = map { "id-$_" } 1 .. 19;
	is told($queue->cgi(body => logins(@good[0 .. 8], 'POISON', @good[9 .. 18]))), '200 ok', 'twenty';
	is_deeply [ sort @{ ids($slack->wait_for_titles(19)) } ], [ sort @good ], 'nineteen arrive';
	wait_until(sub { ($queue->rows)[0]{state} eq 'set-aside' }, 5, 'the last to be set aside');
	my ($row, @more) = $queue->rows;
	is_deeply \@more, [], 'one is left';
	is "$row->{id}: $row->{state}: $row->{reason}", 'POISON: set-aside: invalid_attachments', 'and why';
	wait_until(sub { told_of($slack) }, 5, 'Slack to be told');
	is_deeply [ told_of($slack) ], [ '1 event was' ], 'of the one';
	is timeless($queue->ctl('list')->{out}), "set-aside  POISON  f  default  SPAN  $row->{tries}  invalid_attachments\n", 'list';
	cmp_ok scalar($slack->requests), '<', 15, 'it was found by halves';
	like $queue->log, qr/: error log_id=POISON type=f destination=default outcome=set-aside$/m, 'the log';
	is told($queue->cgi(body => logins('POISON'))), '200 ok', 'when it comes again';
	is scalar($queue->rows), 1, 'it is known';

	$queue->configure(SLACK_WEBHOOK_URL => $slack->url('/services/new'));
	$slack->forget;
	is all($queue->ctl('retry', 'POISON')), "0\n1 to be tried again\n--\n", 'with a better webhook';
	is_deeply ids($slack->wait_for_titles(1)), [ 'POISON' ], 'it arrives';
	$queue->wait_until_empty;
	is all($queue->ctl('retry', 'POISON')),
		"1\n0 to be tried again\n--\nlog-stream-ctl: POISON: no such event is set aside\n", 'then there is nothing to retry';
};

beside 'what is set aside can be retried and removed while all runs' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/picky/POISON');
	$queue->configure;
	my $door = $queue->fastcgi;
	# Three in a row would be the webhook's fault.
	my @good = map { "good-$_" } 1 .. 4;
	$queue->ask($door, body => logins(map { ("POISON-$_", "good-$_") } 1 .. 4));
	$queue->ask($door, body => '[{"data":{"type":"fu","description":"POISON"}}]');
	wait_until(sub { 5 == grep { $_->{state} eq 'set-aside' } $queue->rows }, 10, 'all to be set aside');
	is_deeply ids($slack->wait_for_titles(4)), \@good, 'the others arrive';
	wait_until(sub { !grep { $_->{state} eq 'waiting' } $queue->rows and told_of($slack) }, 5, 'Slack to be told');
	$slack->forget;
	my ($nameless) = map { $_->{id} } grep { $_->{type} eq 'fu' } $queue->rows;
	like $nameless, qr/^#\d+$/, 'one without a log_id has a number';
	is all($queue->ctl('remove', $nameless, 'POISON-1')), "0\n2 removed\n--\n", 'two are removed';
	is all($queue->ctl('remove', 'POISON-1', 'POISON-2', '#9999999')), "1\n1 removed\n--\n"
		. "log-stream-ctl: POISON-1: no such event waits or is set aside\n"
		. "log-stream-ctl: #9999999: no such event waits or is set aside\n", 'two that are not there';
	is told($queue->ask($door, body => logins('POISON-1', 'id'))), '200 ok', 'a removed one comes again';
	is_deeply ids($slack->wait_for_titles(1)), [ 'id' ], 'it counts as delivered';
	is_deeply [ map { $_->{id} } $queue->rows ], [ qw(POISON-3 POISON-4) ], 'two are left';
	$queue->configure(SLACK_WEBHOOK_URL => $slack->url('/services/new'));
	is all($queue->ctl('retry', '--all')), "0\n2 to be tried again\n--\n", 'all are retried';
	is_deeply ids($slack->wait_for_titles(3)), [ qw(id POISON-3 POISON-4) ], 'and arrive';
	is all($queue->ctl('remove', '--all')), "0\n0 removed\n--\n", 'nothing is left to remove';
};

beside 'the third event in a row that Slack rejects by one word is the fault of the webhook: all wait' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/picky/POISON', env => { SLACK_RETRY_MAX => '1h' });
	$queue->configure;
	my @bad = map { "POISON-$_" } 1 .. 4;
	put($queue, logins(@bad));
	is all($queue->ctl('drain')), "4\n--\n", 'drain wants a person';
	is_deeply [ map { "$_->{id} $_->{state} $_->{reason}" } $queue->rows ], [ map { "$_ waiting invalid_attachments" } @bad ],
		'all wait, those that were set aside too';
	is $queue->standing->{refused}, JSON::PP::true, 'status says that Slack refuses';
	is $queue->ctl('status')->{exit}, 4, 'and wants a person, too';
	cmp_ok $queue->standing->{next_try_ms} / 1000 - time, '>', 3000, 'the next try is at SLACK_RETRY_MAX';
	like $queue->log, qr/: error error="destination default: Slack rejects every event with the same word, so the webhook is at fault: its events wait"$/m,
		'the log';
	is_deeply [ told_of($slack) ], [], 'Slack is told nothing';
	$queue->configure(SLACK_WEBHOOK_URL => $slack->url('/services/new'));
	is $queue->ctl('drain')->{exit}, 0, 'with a better webhook';
	is_deeply ids($slack->titles), \@bad, 'all arrive, in order';
	is_deeply [ told_of($slack) ], [], 'and none was set aside';
};

beside 'what is older than RETENTION is forgotten, and the log tells of what was set aside' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/picky/POISON', env => { RETENTION => '1s' });
	my $start = time;
	is told($queue->cgi(body => logins('a', 'POISON'))), '200 ok', 'an event, and a bad one';
	$slack->wait_for_titles(1);
	wait_until(sub { $queue->cgi(body => logins('a')); $slack->titles > 1 }, 10, 'it to be taken for new');
	cmp_ok time - $start, '>', 1, 'not before';
	$queue->wait_until_empty;
	like $queue->log, qr/: warn log_id=POISON type=f destination=default reason=invalid_attachments outcome=expired$/m, 'the log';
};

#
# Several destinations
#

beside 'each destination has its own filter, pace and fate' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main', env => { FILTER => 'failure', SLACK_RETRY_MAX => '1h' });
	$queue->configure(SLACK_WEBHOOK_URL_ops => $slack->url('/status/404/no_service'),
		FILTER_ops => 'limit', SLACK_WEBHOOK_URL_dev => $slack->url('/as/dev'), FILTER_dev => '*');
	$slack->behave(dev => '/status/429/rate_limited?retry_after=3600');
	my $body = $json->encode([ map { +{ log_id => "id-$_->[0]", data => { type => $_->[1], description => "event id-$_->[0]" } } }
		[ 1, 'f' ], [ 2, 'api_limit' ], [ 3, 's' ] ]);
	is told($queue->cgi(body => $body)), '200 ok', 'three events';
	$slack->wait_for(3);
	is told($queue->cgi(body => logins('id-4'))), '200 ok', 'and a fourth';
	wait_until(sub { !$queue->standing->{waiting} && $queue->standing('ops')->{refused}
		&& $queue->standing('dev')->{failures} }, 10, 'them to be tried');
	my @seen = map { my $request = $_; map { "$request->{path} $_->{title}" } @{ $request->{payload}{attachments} } }
		$slack->requests;
	is_deeply [ sort @seen ], [ '/as/dev event id-1 [type: f]', '/as/dev event id-2 [type: api_limit]',
		'/as/dev event id-3 [type: s]', '/as/main event id-1 [type: f]', '/as/main event id-4 [type: f]',
		'/status/404/no_service event id-2 [type: api_limit]' ], 'what Slack saw';
	is_deeply [ map { "$_->{id} $_->{type} $_->{destination} " . ($_->{reason} // '-') } $queue->rows ], [
		'id-1 f dev rate_limited', 'id-2 api_limit dev rate_limited', 'id-2 api_limit ops no_service',
		'id-3 s dev rate_limited', 'id-4 f dev rate_limited',
	], 'what waits, and why';
	my $pid = $queue->worker;
	is timeless($queue->ctl('status')->{out}), <<"END" =~ s/queue: \K/$queue->address/er, 'status';
queue: 
worker: running, process $pid
destination default: 0 waiting, 0 set aside
    last success: DATE, SPAN ago
destination dev: 4 waiting, 0 set aside
    oldest: DATE, SPAN ago
    last success: none
    last error: rate_limited, DATE, SPAN ago
    next try: in 59min
destination ops: 1 waiting, 0 set aside, refused by Slack
    oldest: DATE, SPAN ago
    last success: none
    last error: no_service, DATE, SPAN ago
    next try: in 59min
END
	is $queue->ctl('status', '--json')->{out} =~ s/_ms":\d+/_ms":N/gr, '{"queue":"' . $queue->address
		. qq(","worker":true,"worker_pid":$pid,"worker_silent_ms":N,"worker_note":null,"machines":[],"destinations":[)
		. '{"name":"default","configured":true,"waiting":0,"set_aside":0,"oldest_ms":null,"last_success_ms":N,'
		. '"last_error_ms":null,"last_error":null,"refused":false,"failures":0,"next_try_ms":null},'
		. '{"name":"dev","configured":true,"waiting":4,"set_aside":0,"oldest_ms":N,"last_success_ms":null,'
		. '"last_error_ms":N,"last_error":"rate_limited","refused":false,"failures":1,"next_try_ms":N},'
		. '{"name":"ops","configured":true,"waiting":1,"set_aside":0,"oldest_ms":N,"last_success_ms":null,'
		. '"last_error_ms":N,"last_error":"no_service","refused":true,"failures":1,"next_try_ms":N}]}' . "\n",
		'status --json';

	$queue->configure(SLACK_WEBHOOK_URL_ops => undef, FILTER_ops => undef);
	is timeless($queue->ctl('status')->{out}) =~ s/.*(?=destination ops)//sr, <<'END', 'a destination that is no more';
destination ops: 1 waiting, 0 set aside, refused by Slack
    oldest: DATE, SPAN ago
    last success: none
    last error: no_service, DATE, SPAN ago
    next try: never: the configuration has no webhook of this name
END
	is $queue->standing('ops')->{configured}, JSON::PP::false, 'and says so';
	$queue->end_worker;
	is $queue->ctl('drain')->{exit}, 4, 'what has no webhook waits, and Slack had refused it';
	like $queue->log, qr/: warn message="destination ops, which the configuration does not have, has events waiting: 1"$/m, 'and the log says so';
	is $queue->ctl('status')->{exit}, 4, 'as status does';
	is $queue->ctl('remove', 'id-2')->{out}, "2 removed\n", 'without that';
	is $queue->ctl('drain')->{exit}, 3, 'what Slack asks to wait with waits';
	is $queue->ctl('status')->{exit}, 0, 'and needs nobody';
};

#
# Reports
#

beside 'status and list show foreign text harmlessly' => sub {
	my $queue = queue(slack => standin(), env => { FILTER => '*' });
	my @record = (
		{ log_id => "a\e[2J\nb", data => { type => "f\e[31m", description => 'x' } },
		{ log_id => "\x{202e}\"quoted\\\"", data => { type => "s\x{7}\x{85}", description => 'x' } },
		{ log_id => '#1', data => { type => "caf\x{e9} <b>", description => 'x' } },
		{ data => { type => 'f' } },
	);
	my $away = $queue->keep_workers_away;
	is told($queue->cgi(body => $json->encode(\@record))), '200 ok', 'queued';
	is timeless($queue->ctl('list')->{out}) =~ s/#\d{13}/#N/r, <<'END' =~ s/<e9>/\xc3\xa9/r, 'list';
waiting    a\x1b[2J\x0ab  f\x1b[31m  default  SPAN  0  -
waiting    \xe2\x80\xae\x22quoted\x5c\x22  s\x07\xc2\x85  default  SPAN  0  -
waiting    #1  caf<e9> <b>  default  SPAN  0  -
waiting    #N  f  default  SPAN  0  -
END
	my $out = $queue->ctl('list', '--json')->{out};
	unlike $out, qr/[\x00-\x09\x0b-\x1f\x7f]/, 'list --json has no control byte';
	my @row = map { $json->decode($_) } split /\n/, $out;
	my $number = $row[3]{id};
	like $number, qr/^#\d{13}$/, 'what has no log_id goes by a number';
	is_deeply [ map { [ @$_{qw(id type)} ] } @row ], [
		(map { [ $_->{log_id}, $_->{data}{type} ] } @record[0 .. 2]), [ $number, 'f' ] ], 'and the texts as they came';
	is((split /\n/, $out)[3] =~ s/_ms":\d+/_ms":N/r,
		'{"state":"waiting","id":"' . $number . '","type":"f","destination":"default","queued_ms":N,"tries":0,"reason":null}',
		'its layout');
	is timeless($queue->ctl('status')->{out}), <<"END", 'status';
queue: @{[$queue->address]}
worker: running, process $$
destination default: 4 waiting, 0 set aside
    oldest: DATE, SPAN ago
    last success: none
    next try: now
END
	is all($queue->ctl('remove', $number, "a\e[2J\nb")), "0\n2 removed\n--\n", 'what is shown can be named';
	undef $away;
	is timeless($queue->ctl('status')->{out}) =~ s/.*(worker: .*?\n).*/$1/sr, "worker: none\n", 'no worker';
};

beside 'the verbs for a queue end with 1 and say why, when there is none' => sub {
	my $queue = queue(slack => standin());
	my @verb = ([ 'status' ], [ 'list' ], [ 'retry', '--all' ], [ 'remove', 'x' ]);
	is all(ctl({ %{ $queue->env }, QUEUE => undef }, @$_)),
		"1\n--\nlog-stream-ctl: QUEUE is not set: there is no queue\n", "@$_" for @verb;
	spew($queue->path, 'garbage' x 100, 0600);
	like all($queue->ctl(@$_)), qr/\A1\n--\nlog-stream-ctl: \Q@{[$queue->path]}\E: .*: file is not a database: move it away and a new one is made\n\z/,
		"@$_" for @verb;
};

finish_beside;
done_testing;
