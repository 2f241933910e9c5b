#!/usr/bin/perl
# The door with a queue: what it answers ok is on disk and comes to Slack once,
# and what it cannot keep it does not take. The worker itself is in worker.t.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Fcntl qw(LOCK_EX LOCK_UN);
use File::Copy qw(copy);
use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Ledger qw(journal_of lonely_door wal_shim);
use LogStream::Server;
use LogStream::Test;
use Test::More;
use Time::HiRes qw(time);

my $failed = '503 the queue cannot be used: the log of this program says why';
my $locked = '503 the queue was locked for too long: try again';

# "503 the queue ..." of an answer whose body is a line.
sub told ($answer) { return "$answer->{status} " . ($answer->{body} // '') =~ s/\n\z//r }

# The log_ids of the events in the messages that Slack took.
sub ids (@title) { return [ map { /^event (\S+) \[type: f\]$/ ? $1 : "? $_" } @title ] }

# A post to the door behind a web server.
sub post ($server, $body) {
	return http('POST', $server->url('/api/logs'), { 'Content-Type' => 'application/json',
		Authorization => LogStream::Test::Queue::TOKEN }, $body);
}

# Ways to the door: each gives a function that posts a body and returns the
# answer.
my %way = (
	'CGI' => sub ($queue) { sub ($body) { $queue->cgi(body => $body) } },
	'FastCGI' => sub ($queue) {
		my $door = $queue->fastcgi;
		return sub ($body) { $queue->ask($door, body => $body) };
	},
	map { my $name = $_; ($name => sub ($queue) {
		my $server = server($name, queue => $queue);
		return sub ($body) { post($server, $body) };
	}) } qw(lighttpd-cgi.conf lighttpd-fastcgi.conf),
);

# What sqlite3 prints.
sub sqlite ($queue, $sql) {
	my $ended = run(cmd => [ need('sqlite3'), '-cmd', '.timeout 5000', $queue->path, $sql ]);
	die $ended->{err} if $ended->{exit};
	return $ended->{out} =~ s/\n\z//r;
}

# This takes longest, and is begun first.
beside 'a queue that is locked for a moment is waited for, and for long not' => sub {
	need('sqlite3');
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $door = $queue->fastcgi;
	$queue->status;
	my $unlock = $queue->lock_out;
	my @answer = map { later($_) } sub { $queue->cgi(body => logins('a')) },
		sub { $queue->ask($door, body => logins('b'), timeout => 20) };
	select undef, undef, undef, 0.3;
	$unlock->();
	is_deeply [ map { told($_->()) } @answer ], [ ('200 ok') x 2 ], 'a moment';
	$slack->wait_for_titles(2);
	$queue->end_worker;

	$unlock = $queue->lock_out;
	my $start = time;
	@answer = map { later($_) } sub { $queue->cgi(body => logins('c')) },
		sub { $queue->ask($door, body => logins('d'), timeout => 20) };
	is_deeply [ map { told($_->()) } @answer ], [ ($locked) x 2 ], 'for long';
	cmp_ok time - $start, '>', 4, 'not sooner';
	$unlock->();
	like $queue->log, qr/: database is locked: another process has it locked"$/m, 'the log';
	is_deeply [ $queue->rows ], [], 'nothing is taken';
	is told($queue->ask($door, body => logins('d'))), '200 ok', 'the same door takes it later';
	is_deeply [ sort @{ ids($slack->wait_for_titles(3)) } ], [ qw(a b d) ], 'and it arrives';
};

# SQLite lets nobody read while a commit is synced, so that whoever opens would
# be kept out by others that write on and on. They have their turn instead.
beside 'who opens the queue waits for a turn, as those do who write' => sub {
	need('sqlite3');
	my $queue = queue(slack => standin());
	is told($queue->cgi(body => logins('a'))), '200 ok', 'one that has been written to';
	$queue->end_worker;
	my $unlock = $queue->lock_out;
	open my $turn, '+<', $queue->path . '-turn' or die "the turn: $!";
	flock $turn, LOCK_EX or die "the turn: $!";
	my $answer = later(sub { $queue->cgi(body => logins('b')) });
	select undef, undef, undef, 6; # longer than SQLite's locks are waited for
	$unlock->();
	flock $turn, LOCK_UN; # the other process has it, too
	is told($answer->()), '200 ok', 'the answer, in the end';
};

beside 'a door told to stop with a request in hand keeps what it answers ok' => sub {
	my $queue = queue(slack => standin());
	my $away = $queue->keep_workers_away;
	for my $signal (qw(TERM INT HUP USR1)) {
		my $door = $queue->fastcgi;
		my $socket = $door->connect;
		my $body = logins($signal);
		$door->begin($socket, token => LogStream::Test::Queue::TOKEN, length => length $body);
		$door->stdin($socket, substr $body, 0, 20);
		wait_until_read($socket);
		$door->signal($signal);
		$door->stdin($socket, $_) for substr($body, 20), '';
		is told($door->answer($socket)), '200 ok', "SIG$signal: the answer";
		close $socket;
		is $door->wait_exit, 0, 'it ends well';
		is((() = grep { $_->{id} eq $signal } $queue->rows), 1, 'the event is in the queue');
	}
};

for my $name (sort keys %way) {
	beside "by $name: ok is answered while Slack stalls, and the message arrives" => sub {
		need('lighttpd') if $name =~ /lighttpd/;
		my $slack = standin();
		my $queue = queue(slack => $slack, path => '/as/main');
		my $post = $way{$name}->($queue);
		$slack->behave(main => '/stall');
		is told($post->(logins('a'))), '200 ok', 'the first';
		$slack->wait_for(1);
		is told($post->(logins('b', 'c'))), '200 ok', 'the next';
		is scalar($queue->rows), 3, 'both wait, and the first stalls still';
		is told($post->(logins('b', 'c'))), '200 ok', 'what is delivered again is welcome';
		is told($post->('[]')), '204 ', 'nothing is nothing';
		is told($post->('[{}]')), '400 no record in the body is a log event: none has a data.type, or a type of its own (records: 1)',
			'a bad body is refused as ever';
		$slack->behave('main');
		is_deeply ids($slack->wait_for_titles(3)), [ qw(a b c) ], 'then all arrive';
		$queue->wait_until_empty;
		is_deeply ids($slack->titles), [ qw(a b c) ], 'once';
		is_deeply [ map { @{ $_->{problems} } } $slack->requests ], [], 'no problems';
	};
}

beside 'a batch that is delivered again makes no second message' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	for (1 .. 2) {
		is told($queue->cgi(body => logins('a', 'b'))), '200 ok', 'while it waits, perhaps';
	}
	$slack->wait_for_titles(2);
	$queue->wait_until_empty;
	is told($queue->cgi(body => logins('a', 'b'))), '200 ok', 'when Slack has it';
	is told($queue->cgi(body => logins('b', 'c'))), '200 ok', 'with a new one';
	$slack->wait_for_titles(3);
	$queue->wait_until_empty;
	is_deeply ids($slack->titles), [ qw(a b c) ], 'each once';
	my @outcome = $queue->log =~ /: info log_id=([abc]) type=f destination=default outcome=(queued|duplicate)$/mg;
	is "@outcome", 'a queued b queued a duplicate b duplicate a duplicate b duplicate b duplicate c queued',
		'the log tells which was which';
	is $queue->cgi(body => '[{"data":{"type":"f"}}]')->{status}, 200, 'without a log_id' for 1 .. 2;
	is scalar($slack->wait_for_titles(5)), 5, 'nobody can tell, and both arrive';
};

beside 'one batch in eight deliveries at once is taken as one' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my @id = map { "id-$_" } 1 .. 50;
	my $doors = $queue->fastcgi(processes => 4);
	my @answer = map { my $n = $_; later(sub {
		$n % 2 ? $queue->cgi(body => logins(@id)) : $queue->ask($doors, body => logins(@id));
	}) } 1 .. 8;
	is_deeply [ map { told($_->()) } @answer ], [ ('200 ok') x 8 ], 'all are answered ok';
	$slack->wait_for_titles(50);
	$queue->wait_until_empty;
	is_deeply ids($slack->titles), \@id, 'each event once, and in order';
};

beside 'a batch appears as a whole' => sub {
	need('sqlite3');
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/stall');
	$queue->status;
	my $looking = later(sub {
		my %seen;
		wait_until(sub { $seen{sqlite($queue, 'SELECT count(*) FROM event')}++; $seen{5000} },
			20, 'the batch');
		return [ sort keys %seen ];
	});
	is told($queue->cgi(body => logins(map { "id-$_" } 1 .. 5000))), '200 ok', 'five thousand';
	is_deeply $looking->(), [ 0, 5000 ], 'none or all of them';
	is $queue->standing->{waiting}, 5000, 'they wait';
};

beside 'a batch that holds nothing to send does not touch the disk' => sub {
	my $queue = queue(slack => standin());
	my $door = $queue->fastcgi;
	for my $body ('[]', '[{"data":{"type":"s"}}]') {
		is told($queue->cgi(body => $body)), '204 ', "$body by CGI";
		is told($queue->ask($door, body => $body)), '204 ', "$body by FastCGI";
	}
	is_deeply [ map { s{.*/}{}r } glob $queue->dir . '/*' ], [ 'log' ], 'there is no database';
	is_deeply [ $queue->programs ], [ $door->pid ], 'and no worker';
};

#
# When it cannot be kept
#

my %cause = (
	'holds something else' => {
		break => sub ($queue) { spew($queue->path, 'not a database, but long enough for one' x 100, 0600) },
		mend => sub ($queue) { unlink $queue->path },
		log => qr/: .*: file is not a database: move it away and a new one is made$/,
	},
	'is a directory' => {
		break => sub ($queue) { mkdir $queue->path },
		mend => sub ($queue) { rmdir $queue->path },
		log => qr/: is not a regular file$/,
	},
	'is a symbolic link' => {
		break => sub ($queue) { symlink '/dev/null', $queue->path },
		mend => sub ($queue) { unlink $queue->path },
		log => qr/: is not a regular file but a link: name the file itself$/,
	},
	'has no directory' => {
		settings => sub ($queue) { $queue->{path} = $queue->dir . '/sub/queue.db' },
		break => sub ($queue) { },
		mend => sub ($queue) { mkdir $queue->dir . '/sub' },
		log => qr/: cannot be opened: No such file or directory: make its directory, writable for the user of this program$/,
	},
	'is open to every user' => {
		break => sub ($queue) { spew($queue->path, '', 0644) },
		mend => sub ($queue) { chmod 0600, $queue->path },
		log => qr/: every user of this machine may read or write it: run chmod o-rwx on it$/,
	},
	'belongs to another program' => {
		break => sub ($queue) { sqlite($queue, 'CREATE TABLE event (x); PRAGMA user_version = 1');
			chmod 0600, $queue->path },
		mend => sub ($queue) { unlink $queue->path },
		log => qr/: is a database of another program$/,
	},
	'is of a later version' => {
		break => sub ($queue) { sqlite($queue, 'CREATE TABLE event (x); PRAGMA user_version = 7; PRAGMA application_id = 0x4c533253');
			chmod 0600, $queue->path },
		mend => sub ($queue) { unlink $queue->path },
		log => qr/: was made by a newer version of this program \(7; this one knows 2\)$/,
	},
);

for my $what (sort keys %cause) {
	beside "a queue that $what is answered 503 until that is mended" => sub {
		my %case = %{ $cause{$what} };
		need('sqlite3') if $what =~ /program|version/;
		my $slack = standin();
		my $queue = queue(slack => $slack);
		if ($case{settings}) {
			$case{settings}->($queue);
			$queue->env->{QUEUE} = $queue->address;
		}
		my $door = $queue->fastcgi;
		$case{break}->($queue);
		my $before = -f $queue->path ? slurp($queue->path) : '';
		for my $answer ($queue->cgi(body => logins('a')), $queue->ask($door, body => logins('a')),
			$queue->ask($door, body => logins('a'))) {
			is told($answer), $failed, 'the answer, without a place';
		}
		is -f $queue->path ? slurp($queue->path) : '', $before, 'nothing is written';
		my @line = map { s/\\x22/"/gr } $queue->log =~ /^\S+ log-stream-to-slack\[\d+\]: error error="(.*)"$/mg;
		is @line, 3, 'the log';
		like $_, qr/^\Q@{[$queue->path]}\E$case{log}/, 'names the place and the cause' for $line[0];
		is scalar(() = $queue->log =~ / log_id=a .* outcome=untaken$/mg), 3, 'and the event';
		is told($queue->ask($door, body => '[]')), '204 ', 'nothing to send needs no queue';
		$case{mend}->($queue);
		is told($queue->ask($door, body => logins('a'))), '200 ok', 'when it is mended, the same door takes it';
		is_deeply ids($slack->wait_for_titles(1)), [ 'a' ], 'and it arrives';
	};
}

beside 'a queue that is damaged while the door has it open is one as well' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $door = $queue->fastcgi;
	is told($queue->ask($door, body => logins('a'))), '200 ok', 'it works';
	$slack->wait_for_titles(1);
	$queue->wait_until_empty;
	# Of a page that the write-ahead log has, the file's is not read.
	spew($_, 'garbage' x 10000) for $queue->path, grep { -e } $queue->path . '-wal';
	is told($queue->ask($door, body => logins('b'))), $failed, 'then not';
	unlink map { $queue->path . $_ } '', qw(-wal -shm);
	is told($queue->ask($door, body => logins('b'))), '200 ok', 'then it works again';
	is_deeply ids($slack->wait_for_titles(2)), [ qw(a b) ], 'and it arrives';
};

beside 'a queue whose pages are damaged is left as it is by the door and by a worker' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $away = $queue->keep_workers_away;
	is told($queue->cgi(body => logins('a'))), '200 ok', 'it works';
	undef $away;
	my $bytes = slurp($queue->path);
	my $damaged = substr($bytes, 0, 4096) . ("\xa5" x (length($bytes) - 4096));
	spew($queue->path, $damaged);
	my $why = qr/: error error="\Q@{[$queue->path]}\E: cannot be (?:read|written to): database disk image is malformed: move it and its -journal and -wal away and a new one is made; /;
	is told($queue->cgi(body => logins('b'))), $failed, 'the door';
	is scalar(() = $queue->log =~ /$why/g), 1, 'says why';
	is $queue->ctl('drain')->{exit}, 1, 'a worker';
	is scalar(() = $queue->log =~ /$why/g), 2, 'says so, too, once';
	ok slurp($queue->path) eq $damaged, 'the file is as it was';
	rename $queue->path, $queue->path . '-damaged' or die $!;
	is told($queue->cgi(body => logins('b'))), '200 ok', 'when it is moved away a new one is made';
	is_deeply ids($slack->wait_for_titles(1)), [ 'b' ], 'and the event arrives';
};

# As a user for whom modes count.
sub humbly (@cmd) {
	return $> == 0 ? (need('setpriv'), qw(--reuid 65534 --regid 65534 --clear-groups), @cmd) : @cmd;
}

my @denied = (
	# what is denied, its mode then, and what SQLite, or we, say of it
	[ 'queue.db', 0000, qr/unable to open database file: the user of this program must be able to write to the file and its directory/ ],
	[ 'queue.db', 0400, qr/attempt to write a readonly database: the user of this program must be able to write to the file and its directory/ ],
	[ '', 0500, qr/(?:attempt to write a readonly database|unable to open database file): the user of this program must be able to write to the file and its directory/ ],
	[ '', 0000, qr/cannot be opened: Permission denied: make its directory, writable for the user of this program/ ],
);

# SQLite gives what it makes beside the file the mode that the file then has.
for (map { my $denied = $_; map { [ @$denied, $_ ] } 0, 1 } @denied) {
	my ($file, $mode, $why, $wal) = @$_;
	beside sprintf('a queue%s whose %s has mode %04o is refused with the reason, and loses nothing',
		$wal ? ' with a write-ahead log' : '', $file ? 'file' : 'directory', $mode) => sub {
		my %shim = $wal ? wal_shim() : ();
		plan skip_all => 'a write-ahead log cannot be had' if $wal && !%shim;
		my $slack = standin();
		my $place = tempdir();
		my $queue = queue(slack => $slack, env => { LOG => undef, %shim,
			LOG_STREAM_CONFIG => spew("$place/none.conf", '', 0644) });
		my $door = lonely_door($place);
		copy(ctl_path(), "$place/ctl") && chmod 0755, $place, "$place/ctl" or die "copy: $!";
		if ($> == 0) { chown 65534, 65534, $queue->dir or die "chown: $!" }
		my $put = sub ($id) { $queue->cgi(cmd => [ humbly($door) ], cwd => '/', body => logins($id)) };
		my $drain = sub { LogStream::Test::run(cmd => [ humbly("$place/ctl", 'drain') ], cwd => '/', env => $queue->env) };
		is told($put->('a')), '200 ok', 'an event';
		unlink glob $queue->dir . '/queue.db-*'; # which would be written into
		my $denied = $file ? $queue->path : $queue->dir;
		my $before = (stat $denied)[2] & 07777;
		chmod $mode, $denied or die "chmod: $!";
		my $answer = $put->('b');
		is told($answer), $failed, 'the door';
		like $answer->{err} =~ s/ \(open: [^)]*\)//r, qr/: error error="\Q@{[$queue->path]}\E: .*$why"$/m, 'says why';
		my $ended = $drain->();
		is $ended->{exit}, 1, 'a worker';
		like $ended->{err}, qr/: error error="\Q@{[$queue->path]}\E/m, 'says something, too';
		chmod $before, $denied or die "chmod: $!";
		is told($put->('b')), '200 ok', 'when it is mended the event is taken';
		is $drain->()->{exit}, 0, 'and all are sent';
		is_deeply ids($slack->titles), [ qw(a b) ], 'once';
	};
}

beside 'a worker that finds the queue locked for long says so once and sends what waits in the end' => sub {
	need('sqlite3');
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $away = $queue->keep_workers_away;
	is told($queue->cgi(body => logins('a'))), '200 ok', 'an event';
	undef $away;
	my $unlock = $queue->lock_out;
	my $drain = later(sub { $queue->ctl('drain') });
	wait_until(sub { $queue->log =~ /: database is locked: another process has it locked"$/m }, 20, 'it to say so');
	$unlock->();
	is $drain->()->{exit}, 0, 'it ends well';
	is scalar(() = $queue->log =~ /database is locked/g), 1, 'it says so once';
	is_deeply ids($slack->titles), [ 'a' ], 'it is sent';
};

beside 'a queue that is moved away gets no event that nobody would send' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $door = $queue->fastcgi;
	is told($queue->ask($door, body => logins('a'))), '200 ok', 'it works';
	$slack->wait_for_titles(1);
	$queue->end_worker;
	rename $queue->path, $queue->path . '-old' or die $!;
	wait_until(sub { $queue->ask($door, body => logins('b'))->{status} == 200 }, 5, 'it to be taken');
	is eval { $slack->wait_for_titles(2, 3) }, 2, 'and it arrives';
};

# The log_ids of the events of a destination that wait without their records.
sub bare ($queue, $destination = 'default') {
	return sqlite($queue, "SELECT ifnull(group_concat(log_id, ' '), '') FROM (SELECT log_id FROM event"
		. " WHERE destination = '$destination' AND state = 0 AND record IS NULL ORDER BY number)");
}

beside 'above QUEUE_MAX events are kept without their records, and other destinations do not notice' => sub {
	need('sqlite3');
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main', env => { QUEUE_MAX => 3, FILTER => 'failure',
		SLACK_WEBHOOK_URL_limits => $slack->url('/as/limits'), FILTER_limits => 'limit' });
	my $away = $queue->keep_workers_away;
	my $door = $queue->fastcgi;
	my $limits = '[' . join(',', map { qq({"log_id":"$_","data":{"type":"api_limit","description":"limit $_"}}) } qw(x y z)) . ']';
	is told($queue->ask($door, body => logins('a', 'b'))), '200 ok', 'two';
	is told($queue->ask($door, body => logins('c', 'd'))), '200 ok', 'two more, one of them above it';
	is bare($queue), 'd', 'which is kept without its record';
	is told($queue->cgi(body => logins('d', 'e'))), '200 ok', 'that one again, and another, by CGI';
	is bare($queue), 'd e', 'the one is known, the other kept in the same way';
	is told($queue->ask($door, body => $limits)), '200 ok', 'three for another destination';
	is bare($queue, 'limits'), '', 'have their records';
	is_deeply [ map { "$_->{id} $_->{type} $_->{destination} $_->{state}" } $queue->rows ],
		[ (map { "$_ f default waiting" } qw(a b c d e)), map { "$_ api_limit limits waiting" } qw(x y z) ],
		'all wait and are listed';
	is $queue->standing->{waiting}, 5, 'and counted';
	is $queue->ctl('remove', 'a', 'b')->{out}, "2 removed\n", 'when two are gone three wait';
	is told($queue->ask($door, body => logins('f'))), '200 ok', 'and the next';
	is bare($queue), 'd e f', 'is still above it';
	is $queue->ctl('remove', 'f', 'e')->{out}, "2 removed\n", 'when two more are gone';
	is told($queue->ask($door, body => logins('g', 'h'))), '200 ok', 'of the next two';
	is bare($queue), 'd h', 'one has room';
	undef $away;
	is $queue->ctl('drain')->{exit}, 0, 'all are delivered';
	is_deeply [ sort $slack->titles ], [ ('Failed Login [type: f]') x 2, 'event c [type: f]', 'event g [type: f]',
		map { "limit $_ [type: api_limit]" } qw(x y z) ], 'those by the name of their type';
	is told($queue->ask($door, body => logins('d', 'h'))), '200 ok', 'when they come again';
	is_deeply [ $queue->rows ], [], 'they are known';
	unlike $queue->log, qr/ (?:error|warn) /, 'and the log has no complaint';
};

beside 'a batch on both sides of QUEUE_MAX is put whole, and so is the digest that counts it' => sub {
	need('sqlite3');
	my $slack = standin();
	my $queue = queue(slack => $slack, env => { QUEUE_MAX => 1000, DIGEST_AFTER => 5 });
	my $away = $queue->keep_workers_away;
	is told($queue->cgi(body => logins(map { "id-$_" } 1 .. 3000))), '200 ok', 'three thousand';
	is $queue->standing->{waiting}, 3000, 'all wait';
	my $bare = split ' ', bare($queue);
	cmp_ok $bare, '<=', 2000, 'those above it have no record';
	cmp_ok $bare, '>=', 1990, 'but for a hundredth';
	undef $away;
	is $queue->ctl('drain')->{exit}, 0, 'delivered';
	is_deeply [ $slack->titles ], [ "3,000 \x{d7} Failed Login [type: f]" ], 'as one';
};

# A library that makes every file system NFS, and SQLite new enough for WAL.
sub network_shim () {
	my $dir = tempdir();
	spew("$dir/shim.c", <<'END');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/vfs.h>
#define SHIM(name) int name(const char *path, struct name *fs) \
{ \
	int (*real)(const char *, struct name *) = (int (*)(const char *, struct name *))dlsym(RTLD_NEXT, #name); \
	int result = real(path, fs); \
	if (getenv("ON_NETWORK")) \
		fs->f_type = 0x6969; \
	return result; \
}
SHIM(statfs)
SHIM(statfs64)
int sqlite3_libversion_number(void)
{
	return 3051003;
}
END
	my $made = run(cmd => [ need('cc'), qw(-shared -fPIC -o), "$dir/shim.so", "$dir/shim.c", '-ldl' ]);
	plan(skip_all => "cc makes no library: $made->{err}") if $made->{exit};
	return (LD_PRELOAD => "$dir/shim.so",
		ASAN_OPTIONS => join ':', grep { defined } $ENV{ASAN_OPTIONS}, 'verify_asan_link_order=0');
}

beside 'a queue on a network file system is refused, unless one insists, and never WAL' => sub {
	my %shim = network_shim();
	my $slack = standin();
	my $queue = queue(slack => $slack, env => { %shim, ON_NETWORK => 1 });
	is told($queue->cgi(body => logins('a'))), $failed, 'refused';
	like $queue->log, qr/: error error="\Q@{[$queue->path]}\E: lies on a network file system, NFS, where locks and syncs may not hold: put it on a local disk, or insist with QUEUE_ON_NETWORK=yes"$/m,
		'the log says what to do';
	ok !-e $queue->path, 'no file is made';
	$queue->env->{QUEUE_ON_NETWORK} = 'yes';
	is told($queue->cgi(body => logins('a'))), '200 ok', 'insisted';
	is_deeply ids($slack->wait_for_titles(1)), [ 'a' ], 'and it arrives';
	is journal_of($queue->path), 'journal', 'without WAL';

	my $local = queue(slack => $slack, env => { %shim });
	is told($local->cgi(body => logins('b'))), '200 ok', 'on a local disk';
	$slack->wait_for_titles(2);
	is journal_of($local->path), 'wal', 'an SQLite that is new enough has WAL';
};

#
# Configuration and secrets
#

beside 'a door whose configuration names another queue uses that from the next request on' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/as/main');
	$slack->behave(main => '/status/503/down');
	$queue->configure;
	my $door = $queue->fastcgi;
	is told($queue->ask($door, body => logins('a'))), '200 ok', 'to the first';
	$queue->wait_for_worker;
	my $second = queue(slack => $slack);
	$queue->configure(QUEUE => $second->address);
	is told($queue->ask($door, body => logins('b'))), '200 ok', 'to the second';
	is_deeply [ map { $_->{id} } $queue->rows ], [ 'b' ], 'it is there';
	wait_until(sub { !$queue->worker }, 5, 'the worker of the first to leave');
	$slack->behave('main');
	is_deeply ids($slack->wait_for_titles(1)), [ 'b' ], 'and arrives';
	$queue->configure(QUEUE => $queue->address);
	is_deeply [ map { $_->{id} } $queue->rows ], [ 'a' ], 'the first keeps what it has';
	is told($queue->ask($door, body => '[]')), '204 ', 'and when it is back';
	is_deeply ids($slack->wait_for_titles(2)), [ qw(b a) ], 'that is sent';
};

beside 'no secret is in the files of the queue, the log, or the worker as others see it' => sub {
	for my $shim (0, 1) {
		my $slack = standin();
		my $queue = queue(slack => $slack, path => '/status/503/down?SECRETpath');
		my %shim = $shim ? network_shim() : ();
		$queue->configure;
		my $answer = $queue->cgi(body => logins('a', 'b'), env => { %shim,
			HTTP_COOKIE => 'SECRETcookie', SSL_TLS_SNI => 'SECRETname', SSL_SESSION_ID => 'SECRETid', H2_STREAM_ID => 'SECRET2', HTTP_PROXY => 'http://SECRETproxy', REDIRECT_HTTP_AUTHORIZATION => 'SECRETtoken',
			QUERY_STRING => 'SECRETquery', REMOTE_USER => 'SECRETuser' });
		is told($answer), '200 ok', 'queued';
		$slack->wait_for(2);
		my $pid = $queue->wait_for_worker;
		my %text = map { $_ => slurp($_) } glob($queue->dir . '/queue.db*'), $queue->dir . '/log',
			"/proc/$pid/cmdline", "/proc/$pid/environ";
		ok exists $text{$queue->path . $_}, "there is queue.db$_" for '', '-worker', '-' . journal_of($queue->path);
		like $text{ $queue->path . (journal_of($queue->path) eq 'wal' ? '-wal' : '') }, qr/event a/, 'with the event';
		is_deeply [ grep { $text{$_} =~ /SECRET/ } sort keys %text ], [], 'without secrets';
		is $text{"/proc/$pid/cmdline"}, "log-stream-ctl\0work\0--until-idle\0--configuration-fd\0003\0", 'its command line'
			if watched() ne 'valgrind'; # whose it is then
		my @name = sort map { /^([^=]+)/ } split /\0/, $text{"/proc/$pid/environ"};
		is_deeply [ grep { /^(?:HTTP|REDIRECT|REQUEST|REMOTE|SERVER|SCRIPT|CONTENT|QUERY|GATEWAY|AUTH|SSL|H2)/ } @name ],
			[], 'its environment holds nothing of the request';
		$queue->end_worker;
	}
};

finish_beside;
done_testing;
