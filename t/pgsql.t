#!/usr/bin/perl
# A queue on PostgreSQL, with a real server: that it keeps every promise of a
# queue, and what becomes of requests and messages when the server is stopped,
# dies, hangs, takes no changes, or is another one.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use JSON::PP;
use LogStream::Ledger;
use LogStream::PostgreSQL;
use LogStream::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $failed = '503 the queue cannot be used: the log of this program says why';
my $late = '503 the queue was locked for too long: try again';

plan skip_all => 'the programs were built without PostgreSQL'
	if ($ENV{CI} // '') ne 'true' && ctl({}, 'schema')->{exit};

# For all that do nothing to it; each has a schema or a database of its own.
my $server = postgresql(tcp => 1);
my $doors = tempdir();
my $lonely = lonely_door($doors);

# "503 the queue ..." of an answer whose body is a line.
sub told ($answer) { return "$answer->{status} " . ($answer->{body} // '') =~ s/\n\z//r }

# A queue at this address; $o{slack} is a stand-in, where there is to be one.
sub queue_at ($address, %o) {
	my %nowhere = $o{slack} ? () : (SLACK_WEBHOOK_URL => 'http://127.0.0.1:9/services/x');
	return queue(%o, env => { %nowhere, QUEUE => $address, %{ $o{env} // {} } });
}

# Doors that nobody delivers for.
sub put ($queue, @id) { return told($queue->cgi(cmd => [ $lonely ], body => logins(@id))) }
sub lonely_fastcgi ($queue) { return $queue->fastcgi(cmd => [ $lonely ]) }
sub ask ($queue, $door, @id) { return told($queue->ask($door, body => logins(@id), timeout => 30)) }

sub ids ($queue) { return join ' ', map { $_->{id} } $queue->rows }

# The same until it is answered ok; how often it was not.
sub ask_until_ok ($queue, $door, @id) {
	my $refused = 0;
	wait_until(sub { ask($queue, $door, @id) eq '200 ok' || !++$refused }, 20, 'the door to take events');
	return $refused;
}

# What came to Slack: each event once, and in which order.
sub sent ($slack) { return join ' ', map { /^event (\S+) / } $slack->titles }

# "exit, what it printed", with what differs from run to run made plain.
sub printed ($ended) { return "$ended->{exit}\n$ended->{out}$ended->{err}" }
sub errors ($ended) { return [ $ended->{out} =~ /^error: (.*)$/mg ] }

sub place ($address) { return $address =~ s/\?.*//sr =~ s{:[^/]*\@}{:********@}r }

# What takes longest is begun first.
beside 'a server that hangs holds nobody for long' => sub {
	my $own = postgresql(tcp => 1);
	my $slack = standin();
	my $queue = queue_at($own->address('hung', host => '127.0.0.1'), slack => $slack);
	my $worker = $queue->work;
	my @door = $queue->fastcgi;
	is ask($queue, $door[0], 'a'), '200 ok', 'the door takes events';
	$queue->wait_until_empty;
	$own->pause;
	push @door, $queue->fastcgi;
	my $start = time;
	my @ask = map { my $door = $_; later(sub { return { told => ask($queue, $door, 'b'), took => time - $start } }) } @door;
	my ($known, $new) = map { $_->() } @ask;
	is $known->{told}, $late, 'a door with a session answers 503';
	cmp_ok $known->{took}, '<', 15, 'in time';
	is $new->{told}, $failed, 'one without a session too';
	cmp_ok $new->{took}, '<', 8, 'and sooner';
	$own->continue;
	ask_until_ok($queue, $door[0], 'b', 'c');
	$slack->wait_for_titles(3, 20);
	$queue->wait_until_empty;
	is sent($slack), 'a b c', 'each arrived once';
	ok $worker->alive && $door[0]->alive, 'nothing was started again';
};

#
# Like any queue
#

beside 'the contract of a queue is kept' => sub {
	my $place = $server->address('contract', database => 'postgres') =~ s/&options=.*//r;
	$server->sql(join '', map { "CREATE SCHEMA contract$_;" } 1 .. 120);
	my $ended = run(cmd => [ builddir() . '/t/unit/queue' ], env => { TEST_POSTGRESQL => $place }, timeout => 200);
	is $ended->{exit}, 0, 'the program ends well' or diag $ended->{err};
	is_deeply [ $ended->{out} =~ /^(not ok .*)/mg ], [], 'nothing of it is broken';
	like $ended->{out}, qr/^# engine postgresql$/m, 'by this engine';
};

beside 'what is answered ok comes to Slack, once' => sub {
	my $slack = standin();
	for my $way ('CGI', 'FastCGI') {
		my $queue = queue_at($server->address(lc "way_$way", host => '127.0.0.1'), slack => $slack);
		my $door = $way eq 'CGI' ? undef : $queue->fastcgi;
		my $post = sub ($body) {
			return told($door ? $queue->ask($door, body => $body) : $queue->cgi(body => $body));
		};
		is $post->(logins(map { "$way-$_" } 1 .. 3)), '200 ok', "$way: new events";
		is $post->(logins(map { "$way-$_" } 2 .. 4)), '200 ok', "$way: some that are known";
		is $post->('[]'), '204 ', "$way: none";
		is $post->('[{"log_id":"s","data":{"type":"s"}}]'), '204 ', "$way: none that is wanted";
		$queue->wait_until_empty;
		is $post->(logins("$way-1")), '200 ok', "$way: one that was delivered";
		is sent($slack), join(' ', map { "$way-$_" } 1 .. 4), "$way: each arrived once";
		is scalar(() = $queue->log =~ /outcome=duplicate/g), 3, "$way: the log has the duplicates";
		$slack->forget;
		$queue->end_worker;
	}
};

# The log_ids of the rows of this schema that were put without their records.
sub bare ($schema) {
	return $server->sql("SELECT coalesce(string_agg(log_id, ' ' ORDER BY number), '') FROM $schema.log_stream_event"
		. ' WHERE record IS NULL AND state = 0');
}

beside 'above QUEUE_MAX events are kept without their records' => sub {
	my $slack = standin();
	my $queue = queue_at($server->address('max'), slack => $slack, env => { QUEUE_MAX => 3 });
	is put($queue, 'a', 'b'), '200 ok', 'below it';
	is put($queue, 'c', 'd'), '200 ok', 'beyond it';
	is ids($queue), 'a b c d', 'all are there';
	is bare('max'), 'd', 'one without its record';
	is put($queue, 'd', 'e'), '200 ok', 'which is known';
	is bare('max'), 'd e', 'as is the next';
	is $queue->ctl('drain')->{exit}, 0, 'all are delivered';
	is_deeply [ sort $slack->titles ], [ ("Failed Login [type: f]") x 2, map { "event $_ [type: f]" } qw(a b c) ],
		'those by the name of their type';
};

beside 'the verbs do what they do with any queue' => sub {
	my $slack = standin();
	my $queue = queue_at($server->address('verbs'), slack => $slack, path => '/picky/never');
	my $recent = sub ($ended) { return printed($ended)
		=~ s/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/DATE/gr =~ s/\b\d+s\b/0s/gr =~ s/[ ]+$//mgr };
	is $recent->($queue->ctl('list')), "0\n", 'list has nothing';
	is put($queue, 'a', 'never', 'b'), '200 ok', 'three events, one that Slack does not take';
	is $recent->($queue->ctl('status')), <<"END", 'status, before a worker';
0
queue: @{[ $queue->address ]}
worker: none
destination default: 3 waiting, 0 set aside
    oldest: DATE, 0s ago
    last success: none
    next try: now
END
	is printed($queue->ctl('drain')), "0\n", 'drain';
	is sent($slack), 'a b', 'the others arrive';
	is_deeply [ map { "$_->{id} $_->{state} $_->{reason}" } $queue->rows ],
		[ 'never set-aside invalid_attachments' ], 'list has the one, with the reason';
	like printed($queue->ctl('remove', 'a')), qr/^1\n0 removed\n.*no such event waits or is set aside/s, 'remove of one that is gone';
	is printed($queue->ctl('retry', 'never')), "0\n1 to be tried again\n", 'retry';
	wait_until(sub { ($queue->rows)[0]{state} eq 'set-aside' }, 10, 'it to be set aside again');
	is printed($queue->ctl('remove', '--all')), "0\n1 removed\n", 'remove';
	is ids($queue), '', 'nothing is left';
	is put($queue, 'never'), '200 ok', 'the same again';
	is ids($queue), '', 'is known';
	$queue->end_worker;
};

beside 'check looks at it as the door does' => sub {
	my $slack = standin();
	my $queue = queue_at($server->address('checked'), slack => $slack);
	my $check = $queue->ctl('check');
	is_deeply [ $check->{exit}, errors($check) ], [ 0, [] ], 'it makes the tables and finds nothing wrong';
	is $server->sql('SELECT max(version) FROM checked.log_stream_version'), 2, 'they are there';
	my $gone = queue_at($server->address('gone', host => '127.0.0.1:1'));
	is_deeply [ map { s/connection to server.*(?=Conn)//r } @{ errors($gone->ctl('check')) } ],
		[ place($gone->address) . ': Connection refused: Is the server running on that host and '
			. 'accepting TCP/IP connections?' ], 'a server that is not there';
	is put($gone, 'a'), $failed, 'which the door says too';
};

beside 'what the server remarks is printed nowhere' => sub {
	my $queue = queue_at($server->address('remarks'));
	is put($queue, 'a'), '200 ok', 'there are tables';
	$server->sql(<<'END');
CREATE FUNCTION remarks.remark() RETURNS trigger LANGUAGE plpgsql
	AS $$ BEGIN RAISE NOTICE 'a notice'; RAISE INFO 'for your information'; RETURN NEW; END $$;
CREATE TRIGGER remark BEFORE INSERT ON remarks.log_stream_event FOR EACH ROW EXECUTE FUNCTION remarks.remark();
END
	my $door = lonely_fastcgi($queue);
	is ask($queue, $door, 'b'), '200 ok', 'it makes one';
	is $queue->log =~ s/^.*\b(?:request=1|log_id=[ab]) .*\n//gmr . $door->stderr, '', 'in no log';
};

#
# Passwords
#

my $secret = 'pw-SECRET-word';

beside 'a password is shown nowhere' => sub {
	my $own = postgresql(tcp => 1);
	$own->role('app', "PASSWORD '$secret'");
	my $slack = standin();
	my $queue = queue_at($own->address('app', role => 'app', password => $secret, host => '127.0.0.1'), slack => $slack);
	$own->admit("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
	$queue->configure;
	my @said;
	my $door = $queue->fastcgi;
	is ask($queue, $door, 'a', 'b'), '200 ok', 'the door takes events';
	$slack->wait_for_titles(2);
	my $worker = $queue->wait_for_worker;
	push @said, map { slurp("/proc/$_/cmdline"), slurp("/proc/$_/environ") } $worker, $door->pid;
	push @said, map { my $ended = $queue->ctl(@$_); is $ended->{exit}, 0, "@$_"; "@$ended{qw(out err)}" }
		[ 'status' ], [ 'status', '--json' ], [ 'list' ], [ 'check' ], [ 'schema' ];
	like $said[-2], qr/^QUEUE=postgresql:\/\/app:\Q********\E\@127\.0\.0\.1/m, 'check shows the address';
	$queue->end_worker;
	$own->sql("ALTER ROLE app PASSWORD 'other'");
	$own->cut;
	is ask($queue, $door, 'c'), $failed, 'with a wrong one the door answers 503';
	push @said, map { my $ended = $queue->ctl($_); is $ended->{exit}, 1, "$_ fails"; "@$ended{qw(out err)}" }
		'status', 'check', 'list';
	like $said[-2], qr/^error: .*password authentication failed for user "app"/m, 'and check says why';
	push @said, $queue->log, $door->stderr, glob($queue->dir . '/*'), $own->log;
	is_deeply [ grep { /SECRET-word/ } @said ], [], 'none of that holds it';
	chmod 0644, $queue->dir . '/conf';
	my $check = $queue->ctl('check');
	like errors($check)->[0], qr/^$queue->{dir}\/conf: every user of this machine may read it, and it holds/, 'a file that everybody may read is refused';
	is put($queue, 'd'), '503 the configuration of this program is bad: its log says why, and so does '
		. 'log-stream-ctl check', 'by the door too';
};

# What libpq says of them quotes what it did not understand.
my %odd = (
	'a port' => 'postgresql://u:SECRET@127.0.0.1:port/db',
	'a bracket' => 'postgresql://u:SECRET@[::1/db',
	'an unknown key' => 'postgresql://u:SECRET@127.0.0.1/db?no_such_key=1',
	'no value' => 'postgresql://u:SECRET@127.0.0.1/db?sslmode',
	'a percent sign' => 'postgresql://u:SECRET%zz@127.0.0.1:1/db',
	'a slash in it' => 'postgresql://u:SEC/SECRET@127.0.0.1:1/db',
	'a question mark in it' => 'postgresql://u:SEC?SECRET@127.0.0.1:1/db',
	'an at sign in it' => 'postgresql://u:SEC@SECRET@127.0.0.1:1/db',
	'a hash in it' => 'postgresql://u:SEC#SECRET@127.0.0.1:1/db',
	'a colon in it' => 'postgresql://u:SEC:SECRET@127.0.0.1:1/db',
	'a parameter' => 'postgresql://127.0.0.1:1/db?password=SECRET%zz',
	'a key of TLS' => 'postgresql://127.0.0.1:1/db?sslpassword=SECRET&sslmode=nosuch',
	'an encoded parameter' => 'postgresql://127.0.0.1:1/db?%70assword=SECRET',
);

beside 'nor is one of an address that libpq does not take' => sub {
	for my $what (sort keys %odd) {
		my $queue = queue_at($odd{$what});
		my $check = $queue->ctl('check');
		is $check->{exit}, 1, "$what: check fails";
		is scalar(@{ errors($check) }), 1, 'for one reason';
		note errors($check)->[0];
		like put($queue, 'a'), qr/^503 /, 'the door answers 503';
		unlike join("\n", $check->{out}, $check->{err}, $queue->log), qr/SECRET/, 'and neither shows it';
		$queue->configure;
		chmod 0644, $queue->dir . '/conf';
		like "@{ errors($queue->ctl('check')) }", qr/every user of this machine may read it, and it holds \w+/, 'a file with it is for nobody else';
	}
};

#
# Tables that are not ours to make, or not as we know them
#

my @right = map { my $table = $_; map { [ $table, $_ ] } qw(DELETE INSERT SELECT UPDATE) }
	qw(log_stream_destination log_stream_event log_stream_machine);
push @right, [ 'log_stream_version', 'SELECT' ];

beside 'a role that may not make tables is told what its owner has to do' => sub {
	my $slack = standin();
	$server->role('plain');
	my $queue = queue_at($server->address('owned', role => 'postgres') =~ s/postgres@/plain@/r, slack => $slack);
	my $place = place($queue->address);
	$server->sql('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
	my $advice = 'log-stream-ctl schema prints what the owner of the database has to run, and '
		. 'log-stream-ctl check which rights are missing';
	my $check = sub { return join "\n", @{ errors($queue->ctl('check')) } };
	is $check->(), "$place: no schema has been selected to create in: $advice",
		'no schema to make them in';
	$server->sql('GRANT USAGE ON SCHEMA owned TO plain');
	is $check->(), "$place: permission denied for schema owned: $advice", 'one that it may not';
	is put($queue, 'a'), $failed, 'the door answers 503';
	like $queue->log, qr/permission denied for schema owned: \Q$advice\E/, 'with the reason in its log';

	my $schema = $queue->ctl('schema');
	is $schema->{exit}, 0, 'schema prints them';
	$server->sql("SET search_path = owned; $schema->{out}");
	is $check->(), "$place: the role lacks rights: "
		. join(', ', map { "$_->[0] ($_->[1])" } @right), 'without rights to them';
	is put($queue, 'a'), $failed, 'the door answers 503';
	$server->sql('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA owned TO plain');
	is $check->(), '', 'with all of them nothing is wrong';
	for (@right) {
		my ($table, $right) = @$_;
		$server->sql("REVOKE $right ON owned.$table FROM plain");
		is $check->(), "$place: the role lacks rights: $table ($right)", "$right on $table is missed";
		$server->sql("GRANT $right ON owned.$table TO plain");
	}
	is told($queue->cgi(body => logins('a', 'b'))), '200 ok', 'the door takes events';
	$queue->wait_until_empty;
	is sent($slack), 'a b', 'which arrive';
	$queue->end_worker;
	is $server->sql(q(SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname = 'owned')),
		'postgres', 'it made none of the tables';
};

beside 'a database of another encoding is refused' => sub {
	$server->sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
	my $queue = queue_at($server->address('', database => 'latin'));
	is_deeply errors($queue->ctl('check')), [ place($queue->address)
		. ": its encoding is LATIN1: make a database with ENCODING 'UTF8'" ], 'check says so';
	is put($queue, 'a'), $failed, 'the door answers 503';
};

beside 'tables of a newer version are left alone' => sub {
	my $queue = queue_at($server->address('newer'));
	is put($queue, 'a'), '200 ok', 'at first they are ours';
	$server->sql('UPDATE newer.log_stream_version SET version = 3');
	is_deeply errors($queue->ctl('check')), [ place($queue->address)
		. ': its tables are of a newer version of this program (3; this one knows 2)' ], 'check says so';
	is put($queue, 'b'), $failed, 'the door answers 503';
	is $server->sql('SELECT count(*) FROM newer.log_stream_event'), 1, 'and puts nothing there';
};

beside 'where libpq is missing, that is said' => sub {
	my ($soname) = slurp(ctl_path()) =~ /\0(libpq[\w.-]*\.so[\w.]*)\0/;
	my $missing = $soname =~ s/\w\z/~/r;
	my $dir = tempdir();
	for my $program (door_path(), ctl_path()) {
		my $bytes = slurp($program) =~ s/\0\K\Q$soname\E(?=\0)/$missing/r;
		spew("$dir/" . $program =~ s{.*/}{}r, $bytes, 0755);
	}
	my $queue = queue_at($server->address('away'));
	my $gone = "$missing cannot be loaded: install libpq (Debian's libpq5): $missing: cannot open shared object file: "
		. 'No such file or directory';
	my $check = run(cmd => [ "$dir/log-stream-ctl", 'check' ], env => $queue->env);
	is_deeply errors($check), [ $gone ], 'by check';
	is told($queue->cgi(cmd => [ "$dir/log-stream-to-slack" ], body => logins('a'))), $failed, 'the door answers 503';
	like $queue->log, qr/\Q$gone\E/, 'with the reason in its log';
	my $sqlite = queue(slack => standin());
	is told($sqlite->cgi(cmd => [ "$dir/log-stream-to-slack" ], body => logins('a'))), '200 ok',
		'a queue in a file does without it';
};

#
# Failing over
#

beside 'what was answered ok is there when the machine comes back' => sub {
	my $own = postgresql(fsync => 1);
	my $queue = queue_at($own->address('kept'));
	my $door = lonely_fastcgi($queue);
	for my $turn (1 .. 3) {
		is ask($queue, $door, "a$turn", "b$turn"), '200 ok', 'the door takes events';
		$own->kill;
		is ask($queue, $door, "c$turn"), $failed, 'without a server it answers 503';
		$own->start;
		is ask($queue, $door, "d$turn"), '200 ok', 'with it, the same door takes events';
	}
	is ids($queue), 'a1 b1 d1 a2 b2 d2 a3 b3 d3', 'what was answered ok is there, and nothing else';
	ok $door->alive, 'the door was never started again';
};

beside 'a server that is started anew between requests is not noticed' => sub {
	my $own = postgresql(tcp => 1);
	my $slack = standin();
	my $queue = queue_at($own->address('anew', host => '127.0.0.1'), slack => $slack);
	my $worker = $queue->work;
	my $door = $queue->fastcgi;
	for my $how ('fast', 'immediate', 'fast') {
		is ask($queue, $door, "$how-" . time), '200 ok', 'before';
		$own->stop($how);
		$own->start;
	}
	is ask($queue, $door, 'last'), '200 ok', 'after';
	$own->cut;
	is ask($queue, $door, 'cut'), '200 ok', 'nor are connections that are cut';
	$slack->wait_for_titles(5, 20);
	$queue->wait_until_empty;
	is scalar($slack->titles), 5, 'each event arrived once';
	ok $worker->alive, 'by the same worker';
};

# Posts batches, each until it is answered ok, as long as the file is there.
sub post_on ($queue, $name, $going) {
	return later(sub {
		my $door = $queue->fastcgi(env => { LOG => 'stderr' });
		my (%status, @id);
		for (my $n = 1; -e $going; $n++) {
			my @batch = map { "$name-$n-$_" } 1 .. 3;
			my $answer;
			do {
				$answer = ask($queue, $door, @batch);
				$status{ (split ' ', $answer)[0] }++;
				sleep 0.03; # Slack is to keep up
			} until $answer eq '200 ok';
			push @id, @batch;
		}
		return { id => \@id, status => \%status };
	});
}

beside 'a server that dies again and again loses and doubles nothing' => sub {
	my $own = postgresql();
	my $slack = standin();
	my $queue = queue_at($own->address('dies'), slack => $slack, env => { SLACK_INTERVAL => '20ms' });
	my $going = spew($queue->dir . '/going', '');
	my $worker = $queue->work;
	my @poster = map { post_on($queue, $_, $going) } qw(x y);
	for (1 .. 3) {
		sleep 0.5;
		$own->kill;
		sleep 0.3;
		$own->start;
		my $seen = () = $slack->lines;
		wait_until(sub { (() = $slack->lines) > $seen }, 10, 'messages to go on');
	}
	unlink $going;
	my @done = map { $_->() } @poster;
	my @id = sort map { @{ $_->{id} } } @done;
	wait_until(sub { $queue->standing->{waiting} == 0 }, 20, 'the queue to be empty');
	is join(' ', sort split / /, sent($slack)), "@id", 'each event that was answered ok arrived, once';
	is_deeply [ sort { $a <=> $b } keys %{ { map { %{ $_->{status} } } @done } } ], [ 200, 503 ],
		'the others were answered 503';
	ok $worker->alive, 'by the same worker';
	is scalar(() = $queue->log =~ /outcome=set-aside|may appear twice/g), 0, 'who knew of each message what became of it';
};

# Cuts those who wait for a lock, once there are some.
sub cut_waiting ($server) {
	wait_until(sub { $server->cut("wait_event_type = 'Lock'") }, 10, 'somebody to wait for a lock');
}

beside 'a connection that is cut in the middle of a transaction is begun again' => sub {
	my $own = postgresql();
	my $slack = standin();
	my $queue = queue_at($own->address('cut'), slack => $slack);
	my $door = lonely_fastcgi($queue);
	is ask($queue, $door, 'a'), '200 ok', 'the door takes events';
	$own->while_locked('cut.log_stream_event', sub {
		my $answer = later(sub { return { told => ask($queue, $door, 'b', 'c') } });
		cut_waiting($own);
		is $answer->()->{told}, $failed, 'cut while it puts some it answers 503';
	});
	is ids($queue), 'a', 'and they are not there';
	is ask($queue, $door, 'b', 'c'), '200 ok', 'the next time it takes them';
	my $worker;
	$own->while_locked('cut.log_stream_event', sub {
		$worker = $queue->work;
		cut_waiting($own) for 1 .. 2;
	});
	$queue->wait_until_empty;
	is sent($slack), 'a b c', 'a worker that is cut over its claim sends each once';
	$slack->behave('slow', '/drip/1');
	$queue = queue_at($queue->address, slack => $slack, path => '/as/slow');
	$worker->stop;
	$slack->forget;
	$worker = $queue->work;
	is ask($queue, $door, 'd'), '200 ok', 'one for a slow Slack';
	$slack->wait_for(1);
	$own->cut;
	$queue->wait_until_empty;
	is ask($queue, $door, 'e'), '200 ok', 'another';
	$slack->wait_for(2);
	$own->stop('immediate');
	wait_until(sub { $queue->log =~ /log_id=e .*outcome=sent/ }, 10, 'Slack to take it');
	$own->start;
	$queue->wait_until_empty;
	is ask($queue, $door, 'f'), '200 ok', 'a third';
	$slack->wait_for(3);
	$own->while_locked('cut.log_stream_event', sub { cut_waiting($own) });
	$queue->wait_until_empty;
	is sent($slack), 'd e f', 'a worker that is cut over a message, for a moment or longer, sends it once';
	ok $worker->alive && $door->alive, 'nothing was started again';
};

beside 'who lost its turn over a message does not undo what another learned' => sub {
	my $own = postgresql();
	my $slack = standin();
	$slack->behave('busy', '/drip/2');
	my %same = (slack => $slack, path => '/as/busy');
	plan skip_all => 'only root may give machines names of their own' if !may_name();
	my ($one, $two) = map { queue_at($own->address('turns'), %same) } 1, 2;
	my $door = lonely_fastcgi($one);
	my @worker = ($one->work);
	is ask($one, $door, 'a'), '200 ok', 'an event';
	$slack->wait_for(1);
	$slack->behave('busy', '/status/429/rate_limited?retry_after=60');
	$own->cut;
	push @worker, process(env => $two->env, cmd => [ named('two', ctl_path(), 'work') ]);
	$slack->wait_for(2);
	wait_until(sub { $one->log =~ /outcome=sent/ }, 10, 'the first message to be taken');
	$one->wait_until_empty;
	is ask($one, $door, 'b'), '200 ok', 'another event';
	my $next = $one->standing->{next_try_ms};
	cmp_ok $next, '>', (time + 30) * 1000, 'is to wait as long as Slack asked the other machine';
	$slack->behave('busy', undef);
	$_->stop for @worker;
	is scalar($slack->requests), 2, 'nothing else was sent';
};

beside 'a server that takes no changes is waited for' => sub {
	my $own = postgresql(tcp => 1);
	my $slack = standin();
	my $queue = queue_at($own->address('readonly', host => '127.0.0.1'), slack => $slack);
	my $worker = $queue->work;
	my $door = $queue->fastcgi;
	is ask($queue, $door, 'a'), '200 ok', 'the door takes events';
	$queue->wait_until_empty;
	my $only = sub ($what) {
		$own->sql("ALTER SYSTEM SET default_transaction_read_only = $what");
		$own->sql('SELECT pg_reload_conf()');
		wait_until(sub { $own->sql('SHOW default_transaction_read_only') eq $what }, 10, "$what");
	};
	$only->('on');
	wait_until(sub { ask($queue, $door, 'b') eq $failed }, 5, 'the door to answer 503');
	my $words = qr/cannot execute \w+ in a read-only transaction: the server takes no changes: add target_session_attrs=read-write to QUEUE/;
	like $queue->log, $words, 'with what to do in the log';
	like "@{ errors($queue->ctl('check')) }", $words, 'and from check';
	$only->('off');
	ask_until_ok($queue, $door, 'c');
	$slack->wait_for_titles(2);
	$queue->wait_until_empty;
	like sent($slack), qr/^a (?:b )?c$/, 'then it goes on';
	ok $worker->alive, 'and so does the worker';
};

beside 'another server takes over' => sub {
	my ($first, $second) = synchronous_pair();
	my $slack = standin();
	my $both = sub ($more) { return $first->address('over', more => "&target_session_attrs=$more",
		host => '127.0.0.1:' . $second->port . ',127.0.0.1:' . $first->port) };
	my $queue = queue_at($both->('read-write'), slack => $slack);
	my $worker = $queue->work;
	my $door = $queue->fastcgi;
	is ask($queue, $door, 'a'), '200 ok', 'the door finds the one that takes changes';
	my $other = queue_at($second->address('over', host => '127.0.0.1'));
	is put($other, 'b'), $failed, 'the other alone will not do';
	like $other->log, qr/target_session_attrs=read-write/, 'which is said';
	$first->kill;
	is ask($queue, $door, 'c'), $failed, 'while there is none it answers 503';
	$second->promote;
	ask_until_ok($queue, $door, 'c');
	$slack->wait_for_titles(2);
	$queue->wait_until_empty;
	is sent($slack), 'a c', 'then each event arrives once';
	ok $worker->alive && $door->alive, 'nothing was started again';
};

beside 'a password that changed is used without a new start' => sub {
	my $own = postgresql(tcp => 1);
	$own->role('app', "PASSWORD 'one'");
	my $slack = standin();
	my $pass = tempdir() . '/pass';
	my $queue = queue_at($own->address('app', role => 'app', host => '127.0.0.1', more => "&passfile=$pass"),
		slack => $slack, path => '/as/down');
	$own->admit("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
	spew($pass, "*:*:*:app:one\n", 0600);
	my $worker = $queue->work;
	my $door = $queue->fastcgi;
	is ask($queue, $door, 'a'), '200 ok', 'the door takes events';
	$queue->wait_until_empty;
	$own->sql("ALTER ROLE app PASSWORD 'two'");
	$own->cut;
	is ask($queue, $door, 'b'), $failed, 'with another it answers 503';
	like $queue->log, qr/password authentication failed for user \\x22app\\x22/, 'with the reason in its log';
	spew($pass, "*:*:*:app:two\n", 0600);
	is ask($queue, $door, 'b'), '200 ok', 'with that in the file it takes them';
	$queue->wait_until_empty;
	$own->sql("ALTER ROLE app PASSWORD 'three'");
	$queue->configure(QUEUE => $queue->address =~ s/app\@/app:three@/r =~ s/&passfile.*//r);
	ok $worker->alive, 'the worker waited';
	is sent($slack), 'a b', 'each arrived once';
};

beside 'a host that takes no connection is passed over' => sub {
	my $hole = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
	my @crowd = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $hole->sockport, Blocking => 0) } 1 .. 8;
	my $queue = queue_at($server->address('holes', host => '127.0.0.1:' . $hole->sockport . ',127.0.0.1:' . $server->port));
	my $start = time;
	is put($queue, 'a'), '200 ok', 'for the next';
	cmp_ok time - $start, '<', 8, 'soon enough';
	cmp_ok time - $start, '>', 2, 'after it was waited for';
};

#
# Numbers that are given again
#

beside 'what a standby that lagged numbers anew is not taken for what was sent' => sub {
	my $first = postgresql(tcp => 1);
	my $address = $first->address('again', host => '127.0.0.1:1');
	my $second = $first->replica;
	$address =~ s/127\.0\.0\.1:1/join ',', map { '127.0.0.1:' . $_->port } $first, $second/e;
	my $slack = standin();
	my $queue = queue_at("$address&target_session_attrs=read-write", slack => $slack, path => '/as/slow',
		env => { DIGEST_AFTER => 60, SLACK_TIMEOUT => '25s' });
	my $door = lonely_fastcgi($queue);
	is ask($queue, $door, 'first'), '200 ok', 'the standby has the tables';
	is $queue->ctl('drain')->{exit}, 0, 'and an event that was sent';
	my $has = sub ($server, $what) { $server->sql("SELECT count(*) FROM again.log_stream_event WHERE $what") };
	wait_until(sub { $has->($second, 'state = 2') == 1 }, 10, 'the standby to have it');
	$second->sql("ALTER SYSTEM SET primary_conninfo = ''");
	$second->sql('SELECT pg_reload_conf()');
	wait_until(sub { $first->sql('SELECT count(*) FROM pg_stat_replication') == 0 }, 10, 'the standby to be left behind');

	$slack->behave('slow', '/drip/4');
	$slack->forget;
	is ask($queue, $door, map { "old-$_" } 1 .. 80), '200 ok', 'events that it does not get';
	my $worker = $queue->work;
	is scalar(my @message = $slack->wait_for(1)), 1, 'are on their way, in one message';
	my $last = $first->sql('SELECT max(number) FROM again.log_stream_event WHERE state = 0');
	$first->kill;
	$second->promote;
	my @new = map { "new-$_" } 1 .. 80;
	ask_until_ok($queue, $door, @new);
	cmp_ok $second->sql('SELECT min(number) FROM again.log_stream_event WHERE state = 0'), '<=', $last,
		'the new server gives the same numbers again';
	is $has->($second, 'state = 0'), 80, 'while the message is on its way';
	wait_until(sub { $queue->log =~ /log_id=old-80 .*outcome=left-alone/ }, 20, 'the message to be settled');
	is $has->($second, "log_id LIKE 'new-%' AND tries = 0 AND state = 2"), 0, 'none is delivered that was not sent';
	$slack->behave('slow', undef);
	wait_until(sub { $has->($second, 'state = 0') == 0 }, 20, 'the queue to be empty');
	my %sent = map { $_ => 1 } $queue->log =~ /log_id=(new-\d+) .*outcome=sent/g;
	is_deeply [ grep { !$sent{$_} } @new ], [], 'all of them are sent';
	ok $worker->alive, 'by the same worker';
};

beside 'a commit that the server did not wait out is not answered ok' => sub {
	my ($first, $second) = synchronous_pair();
	my $queue = queue_at($first->address('alone', host => '127.0.0.1'));
	my $door = lonely_fastcgi($queue);
	is ask($queue, $door, 'a'), '200 ok', 'with a standby events are taken';
	$second->pause;
	my $waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'";
	my $ask = sub {
		my $answer = later(sub { return { told => ask($queue, $door, 'b') } });
		wait_until(sub { $first->sql("SELECT count(*) $waiting") }, 10, 'the commit to wait for the standby');
		return $answer;
	};
	for my $time ('first', 'second') {
		my $answer = $ask->();
		is $first->sql("SELECT pg_cancel_backend(pid) $waiting"), 't', "the $time time its wait is cancelled";
		is $answer->()->{told}, $late, 'and it is answered 503';
	}
	like $queue->log, qr/the server committed with a warning: canceling wait for synchronous replication/, 'with the reason in the log';
	is $first->sql("SELECT count(*) FROM alone.log_stream_event WHERE log_id = 'b'"), 1, 'although it is there';
	my $answer = $ask->();
	$second->continue;
	is $answer->()->{told}, '200 ok', 'Auth0 hears ok once the standby has it';
	is $second->sql("SELECT count(*) FROM alone.log_stream_event WHERE log_id = 'b'"), 1, 'which it has';
};

#
# Few connections
#

beside 'four receivers and their worker need five connections' => sub {
	my $own = postgresql();
	$own->role('few', 'CONNECTION LIMIT 5');
	my $slack = standin();
	my $queue = queue_at($own->address('few', role => 'few'), slack => $slack);
	my $worker = $queue->work;
	my $here = sub { $own->sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'few'") };
	wait_until(sub { $here->() == 1 && $own->sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'few'") }, 10, 'the worker');
	my @door = map { lonely_fastcgi($queue) } 1 .. 4;
	for my $turn (1, 2) {
		is ask($queue, $door[$_], "$turn-$_"), '200 ok', "receiver $_ takes events" for 0 .. 3;
	}
	is scalar($slack->wait_for_titles(8, 20)), 8, 'all are delivered';
	is $here->(), 5, 'over five connections';
	$worker->stop;
	$own->sql('ALTER ROLE few CONNECTION LIMIT 4');
	wait_until(sub { $here->() == 4 }, 10, 'the worker to be gone');
	my $words = qr/too many connections for role "few"/;
	$worker = $queue->work;
	wait_until(sub { $queue->log =~ /too many connections for role \\x22few\\x22/ }, 10, 'the worker to say what is wrong');
	is ask($queue, $door[0], 'c'), '200 ok', 'the receivers take events without it';
	for my $verb ('check', 'status') {
		my $ended = $queue->ctl($verb);
		is $ended->{exit}, 1, "$verb fails";
		like $ended->{out} . $ended->{err}, $words, "and prints the server's words";
	}
	$own->sql('ALTER ROLE few CONNECTION LIMIT 5');
	is scalar($slack->wait_for_titles(9, 20)), 9, 'when there is one for it, the worker delivers';
	ok $worker->alive, 'it never gave up';
	is_deeply [ glob '/tmp/log-stream*.lock /tmp/queue-*' ], [], 'nothing is made in /tmp';
};

#
# Versions
#

my $version_1 = slurp(srcdir() . '/t/data/queue/version-1.sql');
my @old_column = qw(number destination log_id known type state queued_ms changed_ms tries reason record);

sub old_rows ($schema) {
	my $columns = join ', ', @old_column;
	return $server->sql("SELECT json_agg(row_to_json(r)) FROM (SELECT $columns FROM $schema.log_stream_event ORDER BY number) AS r");
}

sub column_exists ($schema, $column) {
	return $server->sql('SELECT count(*) FROM information_schema.columns'
		. " WHERE table_schema = '$schema' AND column_name = '$column'");
}

beside 'a queue of version 1 is brought up to date in its place' => sub {
	$server->sql($version_1);
	my $before = old_rows('version_1');
	my $slack = standin();
	my $queue = queue_at($server->address('version_1', host => '127.0.0.1'), slack => $slack);
	$server->while_locked('version_1.log_stream_destination', sub {
		my $check = later(sub { return $queue->ctl('check') });
		$server->wait_for_waiting(1);
		$server->cut("query LIKE '%log_stream_destination%' AND wait_event_type = 'Lock'");
		is $check->()->{exit}, 1, 'one that is cut over it';
	});
	is column_exists('version_1', 'nonce'), 0, 'leaves it as it was';
	is $server->sql('SELECT max(version) FROM version_1.log_stream_version'), 1, 'with its version';
	is $queue->ctl('check')->{exit}, 0, 'the next one brings it up to date';
	is old_rows('version_1'), $before, 'with all rows as they were';
	is $server->sql('SELECT count(*), count(DISTINCT nonce) FROM version_1.log_stream_event WHERE state < 2 AND nonce <> 0'),
		'4|4', 'each that may be sent has a nonce of its own';
	is $server->sql("SELECT to_regclass('version_1.log_stream_turn') IS NULL, max(version) FROM version_1.log_stream_version"),
		't|2', 'for version 2';
	is $queue->standing->{failures}, 1, 'and how the destination stands';
	$server->sql('UPDATE version_1.log_stream_destination SET until_ms = 0, obey_ms = 0');
	is put($queue, 'gone-1', 'waits-1'), '200 ok', 'events that it has';
	is $queue->ctl('drain')->{exit}, 0, 'are';
	is sent($slack), 'waits-1 waits-2 waits-3', 'what waited is sent, once';
};

beside 'the owner of the tables brings them up to date for a role that may not' => sub {
	$server->sql($version_1 =~ s/\bversion_1\b/version_1_owned/gr);
	$server->role('tenant');
	my $address = $server->address('version_1_owned');
	$server->sql('GRANT USAGE ON SCHEMA version_1_owned TO tenant;'
		. ' GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA version_1_owned TO tenant');
	my $queue = queue_at($address =~ s/postgres@/tenant@/r);
	my $advice = 'log-stream-ctl schema prints what the owner of the database has to run, and '
		. 'log-stream-ctl check which rights are missing';
	is_deeply errors($queue->ctl('check')), [ place($queue->address)
		. ": permission denied for schema version_1_owned: $advice" ], 'check says what its owner has to do';
	is put($queue, 'a'), $failed, 'the door answers 503';
	is column_exists('version_1_owned', 'nonce'), 0, 'and changes nothing';
	my $step = run(cmd => [ '/bin/sh', '-c', '"$CTL" schema | "$PSQL" -X -q -v ON_ERROR_STOP=1 "$OWNER"' ], env => {
		CTL => ctl_path(), PSQL => LogStream::PostgreSQL::program('psql'), OWNER => $address });
	is $step->{exit}, 0, 'log-stream-ctl schema | psql does it' or diag $step->{err};
	is_deeply errors($queue->ctl('check')), [], 'after which nothing is wrong';
	is put($queue, 'a'), '200 ok', 'and events are taken';
	is ids($queue), 'aside-1 waits-1 waits-2 waits-3 a', 'behind what was there';
};

beside 'a program that is too old for a queue writes nothing to it' => sub {
	my $slack = standin();
	my $queue = queue_at($server->address('too_old', host => '127.0.0.1'), slack => $slack, path => '/as/down');
	$slack->behave('down', '/status/503/down');
	my $door = lonely_fastcgi($queue);
	my $worker = $queue->work;
	is ask($queue, $door, 'a'), '200 ok', 'a door that has it open, and a worker';
	$slack->wait_for(2);
	$server->sql('UPDATE too_old.log_stream_version SET version = 3');
	wait_until(sub { $queue->log =~ /of a newer version of this program \(3; this one knows 2\)/ }, 10, 'the worker to see it');
	is ask($queue, $door, 'b'), $failed, 'the door answers 503';
	is ask($queue, $door, 'b'), $failed, 'and again';
	is put($queue, 'c'), $failed, 'a new one too';
	my $rows = sub { $server->sql('SELECT log_id, tries, state FROM too_old.log_stream_event') };
	my $before = $rows->();
	like $before, qr/^a\|\d+\|0$/, 'neither is there';
	$slack->forget;
	$slack->behave('down', undef);
	my $said = () = $queue->log =~ /\n/g;
	wait_until(sub { ask($queue, $door, 'd'); (() = $queue->log =~ /\n/g) > $said + 8 }, 10, 'some time to pass');
	is $rows->(), $before, 'the worker claims nothing';
	is scalar($slack->requests), 0, 'and sends nothing';
	$server->sql('UPDATE too_old.log_stream_version SET version = 2');
	is scalar($slack->wait_for_titles(1)), 1, 'until the queue is its own again';
};

#
# A worker that hangs
#

beside 'a worker that hangs is seen, and ended by the next' => sub {
	my $slack = standin();
	my $queue = queue_at($server->address('hangs', host => '127.0.0.1'), slack => $slack);
	my $worker = $queue->work;
	$queue->wait_for_worker;
	$worker->signal('STOP');
	is put($queue, 'a'), '200 ok', 'an event for one that is stopped';
	is $queue->ctl('status')->{exit}, 0, 'which is not seen at once';
	$server->sql('UPDATE hangs.log_stream_machine SET seen_ms = seen_ms - 120000');
	my $words = qr/the worker, process @{[$worker->pid]}, has given no sign of life for [2-3]min/;
	for my $verb ('status', 'check') {
		my $ended = $queue->ctl($verb);
		is $ended->{exit}, 4, "after more than a minute $verb asks for a person";
		like $ended->{out} . $ended->{err}, $words, 'and says why';
	}
	my $drain = $queue->ctl('drain');
	is $drain->{exit}, 4, 'so does drain';
	like $drain->{err}, $words, 'which says it, too';
	is sent($slack), 'a', 'and delivers';
	ok !$worker->alive, 'it ended the one that hung';
	is $queue->ctl('status')->{exit}, 0, 'after which all is well';
};

#
# Names
#

my $names = builddir() . '/t/preload/names.so';

sub with_names ($code) {
	return sub {
		plan skip_all => 't/preload/names.so is not built' if !-e $names;
		plan skip_all => 'nothing can be preloaded into a watched program' if watched();
		$code->();
	};
}

beside 'names whose server does not answer hold nobody for long' => with_names(sub {
	my $queue = queue_at('postgresql://u@one.hangs.test,two.hangs.test/db', env => { LD_PRELOAD => $names });
	my $start = time;
	is told($queue->cgi(cmd => [ $lonely ], body => logins('a'), timeout => 60)), $failed, 'the door answers 503';
	cmp_ok time - $start, '<', 20, 'in time';
	like $queue->log, qr/could not translate host name \\x22one\.hangs\.test\\x22 to address: no answer in time: could/, 'with the reason in its log';
	my $door = lonely_fastcgi($queue);
	$start = time;
	is ask($queue, $door, 'a'), $failed, 'so does one that stays';
	cmp_ok time - $start, '<', 25, 'in time as well';
	$start = time;
	$door->stop;
	cmp_ok time - $start, '<', 4, 'and it ends when it is told to';
});

beside 'hosts that have an address are reached behind those that have none' => with_names(sub {
	my $port = $server->port;
	for my $hosts ("hangs.test:$port,db.test:$port", "none.test:$port,db.test:$port", "db.test:$port", "127.0.0.1:$port",
			"db.test:1,hangs.test:$port,db.test:$port") {
		my $queue = queue_at($server->address('named', host => $hosts), env => { LD_PRELOAD => $names });
		my $start = time;
		is put($queue, "a-$hosts"), '200 ok', $hosts;
		cmp_ok time - $start, '<', 5, 'soon';
	}
	my %env = (LD_PRELOAD => $names, PGHOST => 'none.test,db.test', PGPORT => "$port,$port", PGUSER => 'postgres', PGDATABASE => 'postgres',
		PGOPTIONS => '-csearch_path=named', PGSSLMODE => 'disable');
	my $queue = queue_at('postgresql://', env => \%env);
	is put($queue, 'environment'), '200 ok', 'the environment may name them';
	my $file = spew(tempdir() . '/service', "[queue]\nhost=none.test,db.test\nport=$port\nuser=postgres\ndbname=postgres\n");
	delete @env{qw(PGHOST PGPORT PGUSER PGDATABASE)};
	$queue = queue_at('postgresql://?service=queue', env => { %env, PGSERVICEFILE => $file });
	is put($queue, 'service'), '200 ok', 'so may a service file';
	$queue = queue_at('postgresql://?service=none', env => { %env, PGSERVICEFILE => $file });
	is_deeply errors($queue->ctl('check')), [ 'postgresql://: definition of service "none" not found' ], 'one that is not there is named';
	$queue = queue_at("postgresql://u\@none.test,gone.test/db", env => { %env });
	like errors($queue->ctl('check'))->[0], qr/: could not translate host name "none\.test" to address: Name or service not known: could not/,
		'and names that are nothing';
});

beside 'the name of the host is what its certificate has to be for' => with_names(sub {
	my $own = postgresql(tcp => 1);
	my $openssl = need('openssl');
	my ($cert, $key) = map { $own->data . "/server.$_" } qw(crt key);
	my $made = run(cmd => [ $openssl, qw(req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=db.test
		-addext subjectAltName=DNS:db.test -out), $cert, '-keyout', $key ]);
	is $made->{exit}, 0, 'a certificate' or diag $made->{err};
	chown +(stat $own->data)[4, 5], $cert, $key;
	my $root = spew(tempdir() . '/root.crt', slurp($cert), 0644);
	$own->sql('ALTER SYSTEM SET ssl = on');
	$own->stop('fast');
	$own->start;
	my $at = sub ($host) { queue_at($own->address('tls', host => "$host:" . $own->port) =~ s/disable/verify-full&sslrootcert=$root/r,
		env => { LD_PRELOAD => $names }) };
	is put($at->('db.test'), 'a'), '200 ok', 'by its name it is reached';
	is $own->sql('SELECT count(*) FROM tls.log_stream_event'), 1, 'with TLS';
	like errors($at->('127.0.0.1')->ctl('check'))->[0], qr/server certificate for "db\.test" .*does not match host name "127\.0\.0\.1"/, 'by another it is not';
});

#
# What a role, a snapshot or a pooler does to it
#

beside 'a role that is serializable by default does not make requests fail' => sub {
	my $own = postgresql();
	$own->role('strict');
	$own->sql("ALTER ROLE strict SET default_transaction_isolation = 'serializable'; ALTER ROLE strict SET client_min_messages = error");
	my $slack = standin();
	my $queue = queue_at($own->address('strict', role => 'strict'), slack => $slack, env => { SLACK_INTERVAL => '1ms' });
	my $worker = $queue->work;
	$queue->wait_for_worker;
	my @poster = map { my $name = $_; later(sub {
		my $door = lonely_fastcgi($queue);
		return [ map { ask($queue, $door, map { my $n = $_; "$name-$n" } 5 * $_ .. 5 * $_ + 4) } 1 .. 25 ];
	}) } 1 .. 8;
	my %answer;
	$answer{$_}++ for map { @{ $_->() } } @poster;
	is_deeply \%answer, { '200 ok' => 200 }, 'none of 200 requests of 8 receivers at once fails';
};

beside 'requests that put the same events in another order wait for each other' => sub {
	my $queue = queue_at($server->address('orders') . '%20-cdeadlock_timeout%3D100ms');
	is put($queue, 'first'), '200 ok', 'there are tables';
	# Each goes past its own half only when the other has come as far.
	$server->sql(<<'END');
CREATE SEQUENCE orders.seen;
CREATE FUNCTION orders.meet() RETURNS trigger LANGUAGE plpgsql AS $$
	DECLARE tries int := 0;
	BEGIN
		PERFORM nextval('orders.seen');
		WHILE NEW.log_id IN ('e10', 'e11') AND tries < 2000 AND (SELECT last_value < 20 FROM orders.seen) LOOP
			PERFORM pg_sleep(0.01);
			tries := tries + 1;
		END LOOP;
		RETURN NEW;
	END $$;
CREATE TRIGGER meet BEFORE INSERT ON orders.log_stream_event FOR EACH ROW EXECUTE FUNCTION orders.meet();
END
	my $deadlocks = sub { return scalar(() = $server->log =~ /deadlock detected/g) };
	my $before = $deadlocks->();
	my @id = map { "e$_" } 1 .. 20;
	my @answer = map { $_->()->{told} } map { my @these = @$_;
		later(sub { return { told => ask($queue, lonely_fastcgi($queue), @these) } }) } [ @id ], [ reverse @id ];
	is_deeply \@answer, [ ('200 ok') x 2 ], 'both are answered ok';
	cmp_ok $deadlocks->(), '>', $before, 'although the server had to end the wait of one';
	is $server->sql('SELECT count(*) FROM orders.log_stream_event'), 21, 'each event is there once';
};

beside 'a request does not go past all that was settled before' => sub {
	my $own = postgresql();
	my $slack = standin();
	my $queue = queue_at($own->address('low'), slack => $slack, env => { DIGEST_AFTER => 60, SLACK_INTERVAL => '1ms' });
	is put($queue, 'first'), '200 ok', 'there are tables';
	my $back = later(sub { eval { $own->sql('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; SELECT pg_sleep(60)') }; return {} });
	wait_until(sub { $own->sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()") },
		10, 'a transaction that may look back');
	for my $turn (1 .. 4) {
		is put($queue, map { "$turn-$_" } 1 .. 1000), '200 ok', 'many events';
		is $queue->ctl('drain')->{exit}, 0, 'are settled';
	}
	my $away = $queue->keep_workers_away;
	my $seen = sub { $own->sql("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = 'low'") };
	my $before = $seen->();
	my $door = lonely_fastcgi($queue);
	is ask($queue, $door, "new-$_"), '200 ok', 'another' for 1 .. 10;
	$door->stop;
	wait_until(sub { $own->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'") == 3 }, 10, 'its session to end');
	my $read = $seen->() - $before;
	cmp_ok $read, '<', 1000, 'ten more do not see their index entries';
	note "$read index entries read";
	$own->cut("query LIKE '%pg_sleep(60)%'");
	$back->();
};

beside 'QUEUE_MAX counts what waits again, and what came back' => sub {
	my $slack = standin();
	my $queue = queue_at($server->address('counted'), slack => $slack, path => '/picky/bad', env => { QUEUE_MAX => 3 });
	is put($queue, 'bad', 'a', 'b'), '200 ok', 'three events, one that Slack does not take';
	$queue->ctl('drain');
	is put($queue, 'c'), '200 ok', 'another';
	is $queue->ctl('drain')->{exit}, 0, 'is delivered';
	cmp_ok $server->sql('SELECT low FROM counted.log_stream_destination'), '>', 1, 'rows are looked for behind those';
	my $away = $queue->keep_workers_away;
	is $queue->ctl('retry', 'bad')->{out}, "1 to be tried again\n", 'the first waits again';
	is put($queue, 'd', 'e'), '200 ok', 'two more have room';
	is put($queue, 'f'), '200 ok', 'a third';
	is bare('counted'), 'f', 'has none for its record';
};

beside 'a pooler that does not keep sessions is found' => sub {
	my $own = postgresql();
	my $at = sub ($mode) {
		my ($process, $port) = pooler($own, $mode);
		$own->sql("CREATE DATABASE $mode");
		return ($process, queue_at("postgresql://postgres\@127.0.0.1:$port/$mode?sslmode=disable"));
	};
	my $slack = standin();
	my ($keeps, $good) = $at->('session');
	$good->env->{SLACK_WEBHOOK_URL} = $slack->url('/services/T0/B0/x');
	is_deeply errors($good->ctl('check')), [], 'with pool_mode=session nothing is wrong';
	my $door = lonely_fastcgi($good);
	is ask($good, $door, "a$_"), '200 ok', 'events are taken' for 1 .. 3;
	is $good->ctl('drain')->{exit}, 0, 'and delivered';
	is sent($slack), 'a1 a2 a3', 'once';
	my ($shares, $bad) = $at->('transaction');
	my $words = 'the pooler does not keep sessions: set pool_mode=session';
	for my $time (1 .. 3) {
		my $check = $bad->ctl('check');
		is $check->{exit}, 1, 'with pool_mode=transaction check fails';
		is_deeply errors($check), [ place($bad->address) . ": $words" ], 'and says what to set';
	}
	$door = lonely_fastcgi($bad);
	my $another = lonely_fastcgi($bad);
	my @answer = map { ask($bad, $_, 'a'), ask($bad, $_, 'b') } $door, $another;
	note "@answer";
	like $bad->log, qr/: \Q$words\E"$/m, 'so does the log, when a statement is not there';
};

finish_beside;
done_testing;
