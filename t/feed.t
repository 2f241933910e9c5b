#!/usr/bin/perl
# log-stream-ctl feed: a file is treated like requests, and once.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use LogStream::PostgreSQL;
use LogStream::Test;
use Test::More;

my $json = JSON::PP->new->utf8->canonical;

# Slack out of reach: what is queued waits.
my $down = '/close';

sub queue_on ($kind, $slack, %env) {
	state $server = $kind eq 'postgresql' ? postgresql() : undef;
	return queue(slack => $slack, path => '/as/it', env => { SLACK_INTERVAL => '10ms', %env,
		$kind eq 'postgresql' ? (QUEUE => $server->address("fed$$")) : () });
}

sub feed ($queue, $text, @options) {
	my $file = spew($queue->dir . '/body', $text);
	return ctl($queue->env, 'feed', @options, $file);
}

sub told ($ended) { return "$ended->{exit} $ended->{out}$ended->{err}" }

sub counted ($records, $unusable, $filtered, $new, $known) {
	return "0 records: $records, unusable: $unusable, filtered out: $filtered, new: $new, known already: $known\n";
}

sub ids ($queue) { return join ' ', map { $_->{id} } $queue->rows }

#
# What is taken
#

my $event = '{"log_id":"a","type":"f","description":"event a"}';
my $record = '{"log_id":"b","data":{"type":"fu","description":"event b"}}';

for my $case (
	[ 'an array' => "[$event,$record]" ],
	[ 'lines' => "$event\n$record\n" ],
	[ 'an object with logs' => "{\"logs\":[$event,$record]}" ],
	[ 'a list of the Management API' => "{\"start\":0,\"limit\":100,\"length\":2,\"total\":2,\"logs\":[$event,$record]}" ],
) {
	my ($form, $body) = @$case;
	beside "$form is taken like a request" => sub {
		my $slack = standin();
		my $queue = queue_on('sqlite', $slack);
		is told(feed($queue, $body)), counted(2, 0, 0, 2, 0), 'it says how many there were';
		is_deeply [ sort $slack->wait_for_titles(2) ], [ 'event a [type: f]', 'event b [type: fu]' ], 'a worker sends them';
		wait_until(sub { !$queue->rows }, 10, 'that to be settled');
		is told(feed($queue, $body)), counted(2, 0, 0, 0, 2), 'a second time they are known';
		is scalar($slack->titles), 2, 'and not sent again';
		is scalar(() = $queue->log =~ / outcome=duplicate$/mg), 2, 'which the log tells of each';
		$queue->end_worker;
	};
}

beside 'the filters decide, and a bad record stops no other' => sub {
	my $slack = standin();
	my $queue = queue_on('sqlite', $slack, FILTER => 'f', SLACK_WEBHOOK_URL_ops => $slack->url("/as/ops"), FILTER_ops => 'fu');
	$slack->behave($_ => $down) for qw(it ops);
	is told(feed($queue, "[$event,$record,{},7,{\"type\":\"s\"}]")), counted(5, 2, 1, 2, 0), 'each is counted';
	is_deeply [ sort map { "$_->{id} $_->{destination}" } $queue->rows ], [ 'a default', 'b ops' ], 'each has its destination';
	$queue->configure(FILTER => '*', FILTER_ops => '*');
	is told(feed($queue, "[$event]")), counted(1, 0, 0, 1, 0), 'an event that is new to one destination is new';
	$queue->end_worker;
};

beside 'standard input, and --json' => sub {
	my $slack = standin();
	my $queue = queue_on('sqlite', $slack);
	$slack->behave(it => $down);
	is told(ctl({ %{ $queue->env }, stdin => "[$event]" }, 'feed', '-')), counted(1, 0, 0, 1, 0), 'it is read';
	is_deeply $json->decode(feed($queue, "[$event,$record,{},{\"type\":\"s\"}]", '--json')->{out}),
		{ records => 4, unusable => 1, filtered => 1, new => 1, known => 1 }, 'and told as an object';
	$queue->end_worker;
};

for my $kind (qw(sqlite postgresql)) {
	beside "a large file goes into a queue on $kind a part at a time, within its memory" => sub {
		my $slack = standin();
		my $queue = queue_on($kind, $slack, MAX_BODY => '1kB');
		$slack->behave(it => $down);
		my $away = $queue->keep_workers_away;
		my $body = join '', map { named_event($_) } 1 .. 20_000;
		my $file = spew($queue->dir . '/body', $body);
		my $ended = run(env => { %{ $queue->env }, CTL => ctl_path() },
			cmd => [ '/bin/sh', '-c', 'ulimit -v 300000; exec "$CTL" feed "$0"', $file ], timeout => 120);
		is told($ended), counted(20_000, 0, 0, 20_000, 0), 'all of it';
		is $queue->standing->{waiting}, 20_000, 'waits';
		is told(feed($queue, $body)), counted(20_000, 0, 0, 0, 20_000), 'once, however often it is fed';
	};
}

sub named_event ($n) { return qq({"log_id":"n$n","type":"f","description":"event $n","x":"@{[ 'x' x 500 ]}"}\n) }

#
# What is wrong
#

beside 'what came before a bad byte stays, and the mended file goes on from there' => sub {
	my $slack = standin();
	my $queue = queue_on('sqlite', $slack);
	$slack->behave(it => $down);
	my $away = $queue->keep_workers_away;
	my @line = map { named_event($_) } 1 .. 5000;
	my $before = join '', @line[0 .. 3999];
	my $ended = feed($queue, "$before}" . join '', @line[4000 .. 4999]);
	my ($taken) = $ended->{err} =~ /: (\d+) events were taken before that, \1 of them new$/m;
	cmp_ok $taken // 0, '>=', 3000, 'events before it are taken';
	is $ended->{err}, 'log-stream-ctl: ' . $queue->dir . '/body: the body is not the JSON that Auth0 sends: an unexpected '
		. 'character at byte ' . length($before) . "\nlog-stream-ctl: $taken events were taken before that, $taken of them new\n",
		'the place is named';
	is "$ended->{exit}$ended->{out}", 1, 'and it is an error';
	is $queue->standing->{waiting}, $taken, 'those are there';
	is told(feed($queue, join '', @line)), counted(5000, 0, 0, 5000 - $taken, $taken), 'the rest follows';
	is $queue->standing->{waiting}, 5000, 'each once';
};

beside 'killed at any moment it loses and doubles nothing' => sub {
	my $slack = standin();
	my $queue = queue_on('sqlite', $slack);
	$slack->behave(it => $down);
	my $away = $queue->keep_workers_away;
	my $body = join '', map { named_event($_) } 1 .. 10_000;
	my $file = spew($queue->dir . '/body', $body);
	for my $part (1 .. 4) {
		my $fed = process(env => $queue->env, cmd => [ ctl_path(), 'feed', $file ]);
		wait_until(sub { !$fed->alive || ($queue->standing // { waiting => 0 })->{waiting} >= 2000 * $part }, 20, 'some to be there');
		$fed->signal('KILL');
	}
	my ($there) = $queue->standing->{waiting};
	is told(feed($queue, $body)), counted(10_000, 0, 0, 10_000 - $there, $there), 'what was not there yet is new';
	is $queue->standing->{waiting}, 10_000, 'and all is, once';
};

beside 'what cannot be fed is named' => sub {
	my $slack = standin();
	my $queue = queue_on('sqlite', $slack);
	my $dir = $queue->dir;
	is told(ctl($queue->env, 'feed', "$dir/none")), "1 log-stream-ctl: $dir/none: No such file or directory\n", 'no file';
	is told(ctl($queue->env, 'feed', $dir)), "1 log-stream-ctl: $dir: cannot be read: Is a directory\n", 'a directory';
	is told(feed($queue, '')), "1 log-stream-ctl: $dir/body: the body is empty\n", 'an empty file';
	is told(feed($queue, '{}')), "1 log-stream-ctl: $dir/body: no record in the body is a log event: none has a data.type, "
		. "or a type of its own (records: 1)\n", 'no event';
	is told(feed($queue, '[{"type"')), "1 log-stream-ctl: $dir/body: the body ends in the middle of its JSON, after 8 bytes\n", 'half a file';
	like told(feed($queue, "\x1f\x8b\x08\0")), qr{^1 log-stream-ctl: \Q$dir\E/body: the body is compressed \(gzip\)}, 'a compressed one';
	is ctl($queue->env, 'feed')->{exit}, 2, 'no name';
	is ctl($queue->env, 'feed', 'a', 'b')->{exit}, 2, 'two names';
	is ctl({ %{ $queue->env }, SLACK_WEBHOOK_URL => undef }, 'feed', "$dir/body")->{exit}, 1, 'nowhere to send it';
	is scalar($slack->requests), 0, 'nothing is sent';
};

beside 'a queue that cannot be used is an error, and nothing is taken' => sub {
	my $slack = standin();
	my $queue = queue_on('sqlite', $slack);
	spew($queue->path, 'no database, and long enough to be seen as none' x 100, 0600);
	my $ended = feed($queue, "[$event]");
	is $ended->{exit}, 1, 'it fails';
	is $ended->{err}, 'log-stream-ctl: ' . $queue->dir . "/body: the queue cannot be used: the log of this program says why\n", 'and says so';
	like $queue->log, qr/ error=".*: file is not a database: move it away/, 'the log has why';
};

#
# Without a queue
#

beside 'without a queue it is posted at once, as a request is' => sub {
	my $slack = standin();
	my $queue = queue_on('sqlite', $slack, QUEUE => undef);
	is told(feed($queue, "[$event,$record]")), counted(2, 0, 0, 2, 0), 'it is taken';
	is_deeply [ $slack->titles ], [ 'event a [type: f]', 'event b [type: fu]' ], 'and sent';
	$slack->behave(it => '/status/404/no_service');
	is told(feed($queue, "[$event]")), '1 log-stream-ctl: ' . $queue->dir . "/body: Slack did not take the message: no_service\n",
		'a refusal is told with Slack\'s word';
};

#
# On a terminal
#

beside 'it tells how far it is on a terminal, and nowhere else' => sub {
	my $script = need('script');
	my $slack = standin();
	my $queue = queue_on('sqlite', $slack);
	$slack->behave(it => $down);
	my $away = $queue->keep_workers_away;
	my $file = spew($queue->dir . '/body', join '', map { named_event($_) } 1 .. 20_000);
	my $ended = run(env => { %{ $queue->env }, PATH => $ENV{PATH}, CTL => ctl_path(), BODY => $file }, timeout => 60,
		cmd => [ $script, '-qec', 'exec "$CTL" feed "$BODY"', '/dev/null' ]);
	like $ended->{out}, qr/\r[\d,]+ records, [\d,]+ events new\r/, 'the line is written again and again';
	like $ended->{out}, qr/\r\e\[K[^\e]*records: 20000, unusable: 0, filtered out: 0, new: 20000, known already: 0\r\n\z/,
		'and taken back at the end';
	is ctl($queue->env, 'feed', $file)->{err}, '', 'in a file it does not stand';
};

finish_beside;
done_testing;
