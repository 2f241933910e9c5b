#!/usr/bin/perl
# Moving a queue: what one queue exports another imports, and of what is in it
# everything comes to Slack once, from one of the two.
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

# Slack out of reach. No event is at fault, so that they stay in order.
my $down = '/close';

#
# Queues
#

# All that is tested on PostgreSQL is in schemas of one server, which is begun
# here. Where there is none, or no libpq, what needs it is left out by name.
my $is_built = !ctl({}, 'schema')->{exit};
my $server = $is_built && (grep { -x "$_/initdb" } glob('/usr/lib/postgresql/*/bin'), split /:/, $ENV{PATH})
	? postgresql() : undef;

my %address = (
	sqlite => sub { () },
	postgresql => sub {
		state $number = 0;
		plan(skip_all => 'this program was built without PostgreSQL') if !$is_built;
		$server //= postgresql(); # which says what is missing
		return (QUEUE => $server->address("moved$$" . '_' . ++$number));
	},
);

# A queue of this kind whose Slack is /as/$name.
sub queue_on ($kind, $slack, $name, %env) {
	my $queue = queue(slack => $slack, path => "/as/$name",
		env => { SLACK_INTERVAL => '10ms', $address{$kind}->(), %env });
	return $queue;
}

sub nameless ($text) { return $json->encode([ { data => { type => 'f', description => $text } } ]) }

# A queue with one event of each kind, whose worker has ended: "sent" is gone,
# "bad" is set aside, and "one", a nameless one and "two" wait.
sub filled ($kind, $slack) {
	my $queue = queue_on($kind, $slack, 'old');
	$slack->behave(old => '/picky/bad');
	$queue->cgi(body => logins('sent', 'bad'));
	wait_until(sub { join(' ', map { "$_->{id} $_->{state}" } $queue->rows) eq 'bad set-aside' }, 10, 'one to be set aside');
	$slack->behave(old => $down);
	$queue->cgi(body => $_) for logins('one'), nameless('event none'), logins('two');
	$queue->end_worker;
	$slack->forget;
	return $queue;
}

# Its first event is on its way, or was.
sub wait_until_tried ($queue) {
	wait_until(sub { my ($row) = $queue->rows; $row && $row->{tries} }, 10, 'an event to be tried');
}

sub import_text ($queue, $text) { return ctl({ %{ $queue->env }, stdin => $text }, 'import') }

# As a person does it.
sub move ($from, $to) {
	my $told = run(env => { %{ $to->env }, CTL => ctl_path(), FROM => $from->env->{QUEUE} },
		cmd => [ '/bin/sh', '-c', 'QUEUE=$FROM "$CTL" export | "$CTL" import' ]);
	return "$told->{err}$told->{out}";
}

# "id state reason", a line a row.
sub rows ($queue) { return [ map { "$_->{id} $_->{state} " . ($_->{reason} // '-') } $queue->rows ] }

# Titles without what all have.
sub ids (@title) { return [ map { /^event (\S+) \[type: f\]$/ ? $1 : "? $_" } @title ] }

my $aside = 'exported, for another queue to send';

#
# Moving
#

beside 'a queue is not exported while its worker stays' => sub {
	my $slack = standin();
	my $old = queue_on('sqlite', $slack, 'old');
	my $worker = $old->work;
	$old->wait_for_worker;
	my $out = $old->ctl('export');
	is_deeply [ @$out{qw(exit out err)} ], [ 1, '', 'log-stream-ctl: ' . $old->address . ': process ' . $worker->pid
		. ' delivers from it: stop it; one that the receiver started leaves when its configuration names another queue'
		. "\n" ], 'it says who is at it';
};

for my $way ([ qw(sqlite sqlite) ], [ qw(sqlite postgresql) ], [ qw(postgresql sqlite) ], [ qw(postgresql postgresql) ]) {
	my ($from, $to) = @$way;
	beside "what a queue on $from has is moved to one on $to, and sent from there, once" => sub {
		my $slack = standin();
		my $old = filled($from, $slack);
		my $new = queue_on($to, $slack, 'new');
		$slack->behave(new => $down);
		is move($old, $new), "5 rows exported; 3 of them wait, and are set aside here\n"
			. "5 rows imported; 5 of them are new here\n", 'it is moved';
		my @none = map { $_->{id} } grep { $_->{id} =~ /^#\d+\@\d+$/ } $new->rows;
		is scalar @none, 1, 'an event without a log_id gets one';
		is_deeply [ map { s/ .*//r } @{ rows($new) } ], [ 'bad', 'one', @none, 'two' ],
			'the order is kept';
		is_deeply [ map { $_->{state} } $new->rows ], [ 'set-aside', ('waiting') x 3 ], 'and what each is';
		is +($new->rows)[0]{reason}, ($old->rows)[0]{reason}, 'with its reason';
		is_deeply [ map { $_->{queued_ms} } $new->rows ], [ map { $_->{queued_ms} } $old->rows ],
			'and when it was queued';
		is move($old, $new), "5 rows exported; 3 of them wait, and are set aside here\n"
			. "5 rows imported; 0 of them are new here\n", 'a second time changes nothing';

		is_deeply [ map { s/^#\S+/#/r } @{ rows($old) } ], [ 'bad set-aside ' . ($old->rows)[0]{reason},
			map { "$_ set-aside $aside" } 'one', '#', 'two' ], 'the old queue still has it, set aside';
		$slack->behave('old');
		is $old->ctl('drain')->{exit}, 0, 'and sends none of it';

		$slack->behave('new');
		is_deeply ids($slack->wait_for_titles(3)), [ qw(one none two) ], 'the new one sends what waited';
		wait_until(sub { $new->rows == 1 }, 10, 'that to be settled');
		is_deeply ids($slack->titles), [ qw(one none two) ], 'once';
		move($old, $new);
		$new->cgi(body => logins('sent', 'one', 'bad', 'fresh'));
		is_deeply ids($slack->wait_for_titles(4)), [ qw(one none two fresh) ],
			'and knows what was moved or sent before when it comes again';
		is $new->ctl('retry', 'bad')->{out}, "1 to be tried again\n", 'what was set aside is retried there';
		is_deeply ids($slack->wait_for_titles(5)), [ qw(one none two fresh bad) ], 'with its record';
		$new->end_worker;
	};
}

for my $kind (sort keys %address) {
	beside "what was moved from $kind comes back, and may go again" => sub {
		my $slack = standin();
		my ($one, $other) = (filled($kind, $slack), queue_on('sqlite', $slack, 'new'));
		$slack->behave(new => $down);
		move($one, $other);
		$other->cgi(body => logins('three'));
		$other->end_worker;
		is move($other, $one), "6 rows exported; 4 of them wait, and are set aside here\n"
			. "6 rows imported; 4 of them are new here\n", 'all that waits there';
		is_deeply [ map { s/^#\S+/#/r } grep { / waiting / } map { s/(waiting) .*/$1 /r } @{ rows($one) } ],
			[ map { "$_ waiting " } 'one', '#', 'two', 'three' ], 'waits here again, in the old order';
		$one->end_worker;
		is move($one, $one), "6 rows exported; 4 of them wait, and are set aside here\n"
			. "6 rows imported; 4 of them are new here\n", 'a queue moved to itself is as it was';
		$slack->behave('old');
		is_deeply ids($slack->wait_for_titles(4)), [ qw(one none two three) ], 'and is sent';
		$one->end_worker;
		move($one, $other);
		$slack->behave('new');
		$other->cgi(body => logins('four'));
		is_deeply ids($slack->wait_for_titles(5)), [ qw(one none two three four) ], 'once';
		is_deeply rows($other), [ 'bad set-aside ' . ($other->rows)[0]{reason} ], 'the other queue knows that';
		$other->end_worker;
	};
}

beside 'a move ends what a door with the old configuration put in afterwards' => sub {
	my $slack = standin();
	my ($old, $new) = (filled('sqlite', $slack), queue_on('sqlite', $slack, 'new'));
	$slack->behave(new => $down);
	move($old, $new);
	$old->cgi(body => logins('late', 'two'));
	is +($old->rows)[-1]{id}, 'late', 'it waits in the old queue';
	$old->end_worker;
	is move($old, $new), "6 rows exported; 4 of them wait, and are set aside here\n"
		. "6 rows imported; 1 of them are new here\n", 'and is moved with the next move';
	$new->end_worker;
	$old->ctl('retry', '--all');
	is_deeply [ map { $_->{state} } $old->rows ], [ ('waiting') x 5 ], 'a person can have the old queue send them yet';
	$old->end_worker;
};

beside 'no event is exported that is on its way: who delivers is waited for' => sub {
	my $slack = standin();
	my ($old, $new) = map { queue_on('sqlite', $slack, $_) } qw(old new);
	$slack->behave(new => $down);
	$slack->behave(old => '/drip/0.5');
	$old->configure;
	$old->cgi(body => logins('a'));
	wait_until_tried($old);
	$old->configure(QUEUE => $new->env->{QUEUE});
	my $out = ctl({ %{ $old->env }, QUEUE => $old->address }, 'export');
	is $out->{exit}, 0, 'a worker whose configuration names another queue leaves in time';
	is_deeply [ map { $_->{state} } grep { $_->{log_id} } map { $json->decode($_) } split /\n/, $out->{out} ], [ 'gone' ],
		'with what it had on its way';
};

beside 'what another machine has on its way is waited for' => sub {
	plan skip_all => 'only root may give machines names of their own' if !may_name();
	my $slack = standin();
	my $old = queue_on('postgresql', $slack, 'old', SLACK_INTERVAL => '3s');
	$slack->behave(old => '/drip/0.5');
	$old->cgi(body => logins('a'));
	wait_until_tried($old);
	$old->cgi(body => logins('b'));
	my $out = run(env => $old->env, cmd => [ named('other', ctl_path(), 'export') ]);
	is_deeply [ map { "$_->{log_id} $_->{state}" } grep { $_->{log_id} } map { $json->decode($_) } split /\n/, $out->{out} ],
		[ 'a gone', 'b waiting' ], 'and the rest is exported, with its worker running';
	is +($old->rows)[0]{reason}, $aside, 'which sends it no more';
	$old->end_worker;
	is_deeply ids(map { $_->{title} } map { @{ $_->{payload}{attachments} } } $slack->requests), [ 'a' ], 'at all';
};

#
# The pace
#

beside 'a wait that Slack asked for is moved, too' => sub {
	my $slack = standin();
	my ($old, $new) = map { queue_on('sqlite', $slack, $_) } qw(old new);
	$slack->behave(old => '/status/429/rate_limited?retry_after=3600');
	$old->cgi(body => logins('a'));
	$slack->wait_for(1);
	wait_until(sub { $old->standing->{failures} }, 10, 'the failure to be kept');
	$old->end_worker;
	move($old, $new);
	my ($before, $after) = map { $_->standing } $old, $new;
	cmp_ok $after->{next_try_ms}, '>', time * 1000 + 3500_000, 'the new queue waits';
	is_deeply [ @$after{qw(failures last_error last_error_ms)} ], [ @$before{qw(failures last_error last_error_ms)} ],
		'and says why';
	import_text($new, $json->encode({ destination => 'default', pace => { failures => 0, suspects => 0, error => '',
		posting => JSON::PP::false, refused => JSON::PP::false, map { $_ => 1 } qw(set_ms until_ms obey_ms success_ms error_ms) } })
		. "\n{\"rows\":0}\n");
	is $new->standing->{next_try_ms} > time * 1000 + 3500_000, 1, 'a shorter one changes nothing';
	$new->end_worker;
	is scalar(my @request = $slack->requests), 1, 'nothing is sent';
};

#
# Lines
#

sub line (%change) {
	my %line = (destination => 'default', log_id => 'x', type => 'f', state => 'gone', queued_ms => time * 1000, changed_ms => time * 1000,
		tries => 3, reason => undef, record => undef, %change);
	delete @line{grep { ref $line{$_} eq 'CODE' } keys %line};
	return $json->encode(\%line) . "\n";
}

beside 'a bad line is named, and nothing of its batch is taken' => sub {
	my $queue = queue_on('sqlite', standin(), 'new');
	my $no = sub { };
	for (
		[ 'it is not a whole line of an export' => "\n" ],
		[ 'it is not a whole line of an export' => "[]\n" ],
		[ 'it is not a whole line of an export' => substr(line(), 0, 30) ],
		[ 'it is not a whole line of an export' => substr(line(), 0, -1) . "x\n" ],
		[ 'it is not a whole line of an export' => "{\"log_id\":\"\xff\"}\n" ],
		[ 'it is not a whole line of an export' => (line() x 2) =~ s/\n//r ],
		[ 'it is not a whole line of an export' => line() =~ s/"tries":3/"tries":03/r ],
		[ 'it is not a whole line of an export' => line() =~ s/"tries":3/"tries":3,/r ],
		[ 'it is not a whole line of an export' => line() =~ s/"x"/'x'/r ],
		[ 'destination is not a text' => "{}\n" ],
		[ 'destination is not a text' => line(destination => '') ],
		[ 'log_id is not a text' => line(log_id => undef) ],
		[ 'log_id is not a text' => line(log_id => "a\0b") ],
		[ 'type is not a text' => line(type => [ 'f' ]) ],
		[ 'state is not a text' => line(state => 0) ],
		[ 'state is none of waiting, set-aside and gone' => line(state => 'lost') ],
		[ 'queued_ms is not a number that may be there' => line(queued_ms => -1) ],
		[ 'changed_ms is not a number that may be there' => line(changed_ms => '1') ],
		[ 'tries is not a number that may be there' => line(tries => $no) ],
		[ 'tries is not a number that may be there' => line() =~ s/"tries":3/"tries":99999999999999999999/r ],
		[ 'reason is not a text' => line(reason => 1) ],
		[ 'record is not a text' => line(record => []) ],
		[ 'set_ms is not a number that may be there' => "{\"destination\":\"d\",\"pace\":{}}\n" ],
		[ 'set_ms is not a number that may be there' => "{\"destination\":\"d\",\"pace\":7}\n" ],
		[ '3 rows were exported, and 1 are here' => "{\"rows\":3}\n" ],
		[ 'rows is not a number that may be there' => "{\"rows\":null}\n" ],
	) {
		my ($why, $bad) = @$_;
		my $told = import_text($queue, line(log_id => 'first', state => 'waiting') . $bad . line(log_id => 'last'));
		is_deeply [ @$told{qw(exit out err)} ], [ 1, "0 rows imported; 0 of them are new here\n",
			"log-stream-ctl: line 2: $why\n" ], $why;
	}
	is_deeply rows($queue), [], 'nothing was taken';
};

beside 'what came before a bad line stays, and the mended whole goes on from there' => sub {
	my $queue = queue_on('sqlite', standin(), 'new');
	my @line = map { line(log_id => "n$_") } 1 .. 1200;
	my $told = import_text($queue, join '', @line[0 .. 1100], "{\n", @line[1101 .. 1199], "{\"rows\":1200}\n");
	is_deeply [ @$told{qw(exit out err)} ], [ 1, "1000 rows imported; 1000 of them are new here\n",
		"log-stream-ctl: line 1102: it is not a whole line of an export\n" ], 'whole batches are taken';
	$told = import_text($queue, join '', @line[0 .. 1149]);
	is_deeply [ @$told{qw(exit out err)} ], [ 1, "1150 rows imported; 150 of them are new here\n",
		"log-stream-ctl: line 1150: the export ends here, and is not whole: run both again\n" ],
		'an export that was cut is taken as far as it goes, and is an error';
	$told = import_text($queue, join '', @line, "{\"rows\":1200}\n");
	is_deeply [ @$told{qw(exit out err)} ], [ 0, "1200 rows imported; 50 of them are new here\n", '' ], 'the rest follows';
	$told = import_text($queue, '');
	is_deeply [ @$told{qw(exit err)} ], [ 1, "log-stream-ctl: line 0: the export ends here, and is not whole: run both again\n" ],
		'no line is no export';
};

beside 'what another queue had is taken above QUEUE_MAX too, and counts for what comes afterwards' => sub {
	my $slack = standin();
	my $text = join '', (map { line(log_id => "gone$_"), line(log_id => "w$_", state => 'waiting',
		record => { log_id => "w$_", data => { type => 'f', description => "event w$_" } }) } 1 .. 4), "{\"rows\":8}\n";
	for my $kind ($server ? sort keys %address : 'sqlite') {
		my ($queue, $third) = map { queue_on($kind, $slack, $_, QUEUE_MAX => 3) } qw(new third);
		$slack->behave($_ => $down) for qw(new third);
		my $told = import_text($queue, $text);
		is_deeply [ @$told{qw(exit out err)} ], [ 0, "8 rows imported; 8 of them are new here\n", '' ], "$kind: it is taken";
		$queue->cgi(body => logins('late', 'later'));
		is_deeply [ map { "$_->{id} $_->{state}" } $queue->rows ], [ map { "$_ waiting" } qw(w1 w2 w3 w4 late later) ],
			'all wait';
		$queue->end_worker;
		like move($queue, $third), qr/^10 rows imported; 10 of them are new here$/m, 'and are moved on';
		is_deeply [ map { "$_->{id} $_->{state}" } $third->rows ], [ map { "$_ waiting" } qw(w1 w2 w3 w4 late later) ],
			'those without a record, too';
		$third->end_worker;
		$slack->behave('third');
		is $third->ctl('drain')->{exit}, 0, 'all are sent';
		is_deeply [ sort $slack->titles ], [ ('Failed Login [type: f]') x 2, map { "event w$_ [type: f]" } 1 .. 4 ],
			'what was taken with its record, what came above QUEUE_MAX by the name of its type';
		$third->cgi(body => logins('late', 'w4', 'gone1'));
		is_deeply rows($third), [], 'and each is known';
		$third->end_worker;
		$slack->forget;
	}
};

beside 'an event that went behind the others is moved with them' => sub {
	my $slack = standin();
	my ($old, $new) = map { queue_on('sqlite', $slack, $_) } qw(old new);
	$slack->behave(old => '/status/503/down');
	$old->cgi(body => logins('one', 'two', 'three'));
	wait_until(sub { grep { $_->{body} =~ /event three/ && $_->{body} !~ /event one/ } $slack->requests }, 10,
		'the first to be behind the others');
	$old->end_worker;
	move($old, $new);
	is_deeply [ sort @{ ids($slack->wait_for_titles(3)) } ], [ qw(one three two) ], 'all are sent';
	wait_until(sub { !$new->rows }, 10, 'that to be settled');
	is scalar($slack->titles), 3, 'once';
	is_deeply rows($old), [ map { "$_ set-aside $aside" } qw(one two three) ], 'by the new queue';
	$new->end_worker;
};

beside 'what was set aside elsewhere and comes back is told of here' => sub {
	my $slack = standin();
	for my $kind ($server ? sort keys %address : 'sqlite') {
		my ($one, $other) = map { queue_on($kind, $slack, $_) } qw(one other);
		$slack->behave($_ => $down) for qw(one other);
		$one->cgi(body => logins('bad'));
		$one->end_worker;
		move($one, $other);
		$other->end_worker;
		$slack->behave(other => '/status/400/invalid_attachments');
		$other->ctl('retry', '--all');
		wait_until(sub { (grep { $_->{state} eq 'set-aside' } $other->rows) == 1 }, 10, 'it to be set aside');
		$other->end_worker;
		$slack->behave('one');
		$slack->forget;
		like move($other, $one), qr/^1 rows imported; 1 of them are new here$/m, "$kind: it comes back";
		$one->end_worker;
		is $one->ctl('drain')->{exit}, 0, 'nothing waits';
		is_deeply rows($one), [ 'bad set-aside invalid_attachments' ], 'it is set aside';
		is scalar(grep { ($_->{payload}{text} // '') =~ /\n1 event was set aside and not sent: see log-stream-ctl list$/ }
			grep { $_->{path} eq '/as/one' && ($_->{answer} // '') eq 'ok' } $slack->requests), 1, 'Slack is told, once';
	}
};

beside 'a row that no queue can read is moved as it is' => sub {
	my $sqlite = need('sqlite3');
	my $slack = standin();
	my ($old, $new) = (filled('sqlite', $slack), queue_on('sqlite', $slack, 'new'));
	$slack->behave(new => $down);
	is run(cmd => [ $sqlite, $old->path, q(UPDATE event SET record = '{"data":' WHERE log_id = 'one') ])->{err}, '', 'damaged';
	like move($old, $new), qr/^5 rows imported; 5 of them are new here$/m, 'moved';
	wait_until(sub { (grep { $_->{id} eq 'one' } $new->rows)[0]{state} eq 'set-aside' }, 10, 'it to be set aside');
	like +(grep { $_->{id} eq 'one' } $new->rows)[0]{reason}, qr/^the row cannot be read: /, 'where it is set aside';
	$slack->behave('new');
	is_deeply ids($slack->wait_for_titles(2)), [ qw(none two) ], 'and stops nothing';
	$new->end_worker;
};

beside 'an export that cannot be written leaves the queue whole' => sub {
	my $slack = standin();
	my ($old, $new) = (filled('sqlite', $slack), queue_on('sqlite', $slack, 'new'));
	my $told = run(env => { %{ $old->env }, CTL => ctl_path() }, cmd => [ '/bin/sh', '-c', 'exec "$CTL" export >/dev/full' ]);
	is_deeply [ @$told{qw(exit err)} ], [ 1, "log-stream-ctl: cannot write: No space left on device\n" ], 'it fails';
	is scalar(my @row = $old->rows), 4, 'nothing is lost';
	$slack->behave(new => $down);
	like move($old, $new), qr/^5 rows imported; 5 of them are new here$/m, 'and all is moved with the next';
	$new->end_worker;
};

finish_beside;
done_testing;
