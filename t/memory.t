#!/usr/bin/perl
# Memory that is not to be had: in each run one allocation fails, or all from
# one on, whoever makes it, we or a library. Whatever comes of it, no event is
# lost, changed or set aside, nothing is answered ok that was not kept, and
# nobody gets in. Out of memory ends a process, with a line that says so.
#
# FAULTS_ALL=1 fails every allocation in turn, and not a sample of them.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

# The disk's own slowness is no part of this.
BEGIN { $ENV{TMPDIR} //= '/dev/shm' if -d '/dev/shm' && -w _ }

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use File::Path qw(remove_tree);
use LogStream::Ledger;
use LogStream::Test qw(builddir cgi ctl ctl_path fastcgi need run slurp spew standin tempdir wait_until);
use Test::More;

need('sqlite3');
my $library = builddir() . '/t/preload/fail.so';
my $sample = 40;	# runs of a case, when not all

our $slack = standin();
my $place = tempdir();
my $door = lonely_door($place);
my $token = 'token-SECRETtoken-0123456789';

# Strings that have to be escaped, a NUL, a number and what is not kept.
my @body = map { <<"END" } 1, 2;
[{"log_id": "id-$_", "data": {"type": "f", "date": "2026-08-01T12:00:00.000Z", "n": 12,
  "description": "\\"quoted\\" <text>, \\u0000 and more", "client_id": "c", "client_name": "My Shop",
  "hostname": "acme.eu.auth0.com", "ip": "10.0.0.1", "details": {"x": [1, 2.5, null, "y"]}}},
 {"log_id": "other-$_", "data": {"type": "limit_wc", "user_name": "u", "n": -1}},
 {"log_id": "none-$_", "data": {"type": "s"}}]
END

#
# Runs
#

# A directory, Slack where no other run is, and the settings.
sub site (%o) {
	my $dir = tempdir();
	my $path = '/services/T0/B0/' . $dir =~ s/.*\W//r;
	copy($o{queue}, "$dir/q.db") && chmod 0600, "$dir/q.db" or die "$dir: $!" if $o{queue};
	my %env = (settings($dir, $slack->url($path)), AUTH0_LOG_STREAM_TOKEN => $token,
		SLACK_RETRY_MAX => '50ms', SHOW => 'description client user ip connection tenant organization', %{ $o{env} // {} });
	return { dir => $dir, path => $path, env => \%env };
}

# What makes the n-th allocation of a program fail; none when it is 0.
sub failing ($site, $program, $n, $for_good) {
	return (LD_PRELOAD => $library, FAIL_PROGRAM => $program, FAIL_REPORT => "$site->{dir}/report",
		FAIL_MALLOC => $n, FAIL_FOR_GOOD => $for_good);
}

# Of the report: how many allocations there were, and whether one failed.
sub allocations ($site) { return slurp("$site->{dir}/report") =~ /^allocations (\d+)$/m ? $1 : 0 }
sub has_failed ($site) { return slurp("$site->{dir}/report") =~ /^failed /m }

# The bodies that Slack got at a site's path, as they stand in the record.
sub came_to_slack ($site) {
	return map { /"path":"\Q$site->{path}\E"/ && /"body":("(?:[^"\\]|\\.)*")/ ? $1 : () } $slack->lines;
}

# The rows of the queues of all these sites: each a list of texts, "state
# log_id type record".
sub rows (@site) {
	my $script = join '', map { <<"END" } map { $site[$_]{dir} } 0 .. $#site;
.open "$_/q.db"
.print #
CREATE TABLE IF NOT EXISTS event (number, state, log_id, type, record);
SELECT state, log_id, type, quote(record) FROM event ORDER BY number;
END
	my $ended = run(cmd => [ need('sqlite3'), '-batch', '-list', '-init', '/dev/null', ':memory:' ],
		stdin => $script, timeout => 60);
	my (undef, @part) = split /^#\n/m, $ended->{out}, -1;
	return map { [ split /\n/ ] } @part;
}

# Under a sanitizer, or with another C library, it cannot be done this way.
my $try = site();
run(env => { %{ $try->{env} }, failing($try, 'log-stream-ctl', 0, 0) }, cmd => [ ctl_path(), 'types' ]);
plan skip_all => 'no library can take the place of malloc here' if !-s "$try->{dir}/report";

#
# Cases
#

# What OpenSSL 3.5 does where there is no memory for its start.
my $hung = qr/loading libcurl and its libraries takes too long, .*/;

# Before 0.17 json-c's tokener uses the copy of a name without a look at
# whether there was memory for it.
my $json_c = run(cmd => [ 'pkg-config', '--modversion', 'json-c' ])->{out};
my $crashes = $json_c =~ /^0\.(\d+)/ && $1 < 17;

# What a request was answered, or that the process ended for want of memory.
sub outcome ($answer) {
	return "$answer->{status}" if $answer->{status};
	return 'ended' if $answer->{raw} eq '' && $crashes && ($answer->{signal} // 0) == 11;
	return 'ended' if $answer->{raw} eq '' && ($answer->{exit} // 71) == 71 && !$answer->{signal}
		&& $answer->{err} =~ /^log-stream-to-slack\[\d+\]: error error="(?:out of memory|$hung)"$/m;
	return "no answer, exit @{[$answer->{exit} // '-']}, signal @{[$answer->{signal} // '-']}: "
		. "$answer->{raw}$answer->{err}";
}

# The loader and libcurl do not always say that it was memory.
my $libcurl = qr/slack="(?:libcurl\S* cannot be loaded|Slack's name cannot be resolved)/;

sub by_cgi ($site, $n, $for_good, %request) {
	return cgi(env => { %{ $site->{env} }, failing($site, 'log-stream-to-slack', $n, $for_good) },
		cmd => [ $door ], body => $body[0], token => $token, %request);
}

# One that comes in several pieces, large and deep where nobody asks.
my $large = '[{"data":{"x":"' . 'x' x 100_000 . '","y":' . '[{"":' x 200 . '1' . '}]' x 200
	. ',"description":"large","user_id":7,"type":"f"},"log_id":"large"},{"type":"s"}]';

my %setting = (queue => {}, none => { QUEUE => undef });

# A request, how it is answered when nothing fails, and which other answers are
# right when something does.
my @request = (
	# what                        queue  like                 answer  else
	[ 'a batch posted at once' => 'none', {}, 200, qr/^(?:502|503|504|ended)$/ ],
	[ 'a batch put into a queue' => 'queue', {}, 200, qr/^(?:503|ended)$/ ],
	[ 'a large and deep record' => 'queue', { body => $large }, 200, qr/^(?:503|ended)$/ ],
	[ 'a batch with nothing to send' => 'queue', { body => '[{"data":{"type":"s"}}]' }, 204, qr/^(?:503|ended)$/ ],
	[ 'a body that is no JSON' => 'queue', { body => '[{"data":{"type":"f"}},]' }, 400, qr/^(?:503|ended)$/ ],
	[ 'a wrong token' => 'queue', { token => 'wrong' }, 401, qr/^(?:503|ended)$/ ],
);

# The numbers of the allocations to fail, out of so many: [ n, for good ].
sub turns ($count) {
	return map { my $n = $_; map { [ $n, $_ ] } 0, 1 } 1 .. $count if $ENV{FAULTS_ALL};
	my $step = $count < $sample ? 1 : $count / $sample;
	my $turn = 0;
	return map { [ 1 + int($_ * $step), $turn++ % 2 ] } 0 .. ($count / $step - 1);
}

# Runs a case at each turn; $run returns { title, faults, outcome, site }. Says
# what came of them, and of which outcomes there have to be some.
sub at_each_turn ($count, $run, @wanted) {
	my @turn = turns($count);
	my @result = in_parts(4, \@turn, sub ($part, @mine) {
		local $slack = standin();
		return map {
			my $result = $run->(@$_);
			$slack->clear;
			$result->{failed} = has_failed($result->{site});
			remove_tree(delete($result->{site})->{dir});
			$result;
		} @mine;
	});
	my %outcome;
	$outcome{ $_->{outcome} =~ s/\n.*//sr }++ for @result;
	my @fault = map { my $r = $_; map { "$r->{title}: $_" } @{ $r->{faults} } } @result;
	is join("\n", @fault), '', 'the promise holds';
	is scalar(grep { $_->{failed} } @result), scalar @turn, 'an allocation failed each time';
	$outcome{$_} //= 0 for @wanted;
	is_deeply [ grep { !$outcome{$_} } @wanted ], [], 'all that may come of it did';
	note "$count allocations, ", scalar(@turn), ' runs: ', join ', ', map { "$outcome{$_} $_" } sort keys %outcome;
}

sub title ($n, $for_good) { return "allocation $n" . ($for_good ? ' and all after it' : '') }

for my $row (@request) {
	my ($what, $queue, $like, $status, $other) = @$row;
	subtest "$what is answered rightly, or not at all" => sub {
		my $new = sub { site(env => $setting{$queue}) };
		my $whole = $new->();
		is outcome(by_cgi($whole, 0, 0, %$like)), $status, 'when there is memory';
		my ($rows) = rows($whole);
		my @posted = came_to_slack($whole);
		at_each_turn(allocations($whole), sub ($n, $for_good) {
			my $site = $new->();
			my $answer = by_cgi($site, $n, $for_good, %$like);
			my $outcome = outcome($answer);
			my @fault;
			push @fault, $outcome if $outcome ne $status && $outcome !~ $other;
			push @fault, "no reason in the log: $answer->{err}"
				if $outcome =~ /^50/ && $answer->{err} !~ /memory|$libcurl/;
			my ($found) = rows($site);
			my @sent = came_to_slack($site);
			push @fault, "in the queue: @$found" if @$found && "@$found" ne "@$rows";
			push @fault, "posted: @sent" if @sent && "@sent" ne "@posted";
			push @fault, "answered $outcome: @$found @sent"
				if $outcome eq $status && ("@$found" ne "@$rows" || "@sent" ne "@posted");
			return { title => title($n, $for_good), outcome => $outcome, site => $site, faults => \@fault };
		}, 'ended');
	};
}

# One with two events in it.
my $one = site();
cgi(env => $one->{env}, cmd => [ $door ], body => $body[0], token => $token)->{status} == 200 or die 'no queue';
my $queue = "$one->{dir}/q.db";

# What is wrong after a worker ran, and then another with all the memory it
# wants: $posted is what Slack should get, $exit how it ended.
sub faults_of_worker ($site, $ended, $posted) {
	my ($rows) = rows($site);
	my @sent = came_to_slack($site);
	my @fault;
	push @fault, "it ended with $ended->{exit} $ended->{signal}: $ended->{err}"
		if $ended->{signal} || $ended->{exit} !~ /^(?:0|1|3|71)$/;
	push @fault, "it does not say why: $ended->{err}" if $ended->{exit} =~ /^(?:1|3|71)$/ && $ended->{err} !~ /memory|$libcurl/;
	push @fault, "set aside: @$rows" if grep { /^1\|/ } @$rows;
	push @fault, "settled and not sent: @$rows" if !@sent && grep { !/^0\|/ } @$rows;
	my $again;
	eval { wait_until(sub { ($again = ctl($site->{env}, 'drain'))->{exit} != 3 }, 10, 'the time of the next try') };
	push @fault, "then drain ends with $again->{exit}: $again->{err}" if $again->{exit};
	@sent = came_to_slack($site);
	push @fault, 'sent ' . @sent . ' times' if @sent < 1 || @sent > 2;
	push @fault, "not what is to be sent: $_" for grep { $_ ne $posted } @sent;
	return @fault;
}

subtest 'a worker sends an event as it is, once or at most twice, and sets none aside' => sub {
	my $drain = sub ($site, $n, $for_good) {
		my $log = spew("$site->{dir}/log", '');
		my $ended = run(env => { %{ $site->{env} }, LOG => $log, failing($site, 'log-stream-ctl', $n, $for_good) },
			cmd => [ ctl_path(), 'drain' ]);
		$ended->{in_log} = slurp($log) =~ /^\S+Z log-stream-to-slack\[\d+\]: error error="out of memory"$/m;
		$ended->{err} .= slurp($log);
		return $ended;
	};
	my $whole = site(queue => $queue);
	is $drain->($whole, 0, 0)->{exit}, 0, 'when there is memory';
	my ($posted) = came_to_slack($whole);
	ok defined $posted, 'it is sent';
	at_each_turn(allocations($whole), sub ($n, $for_good) {
		my $site = site(queue => $queue);
		my $ended = $drain->($site, $n, $for_good);
		return { title => title($n, $for_good), site => $site,
			outcome => "ended with $ended->{exit}" . ($ended->{in_log} ? ', as the log says' : ''),
			faults => [ faults_of_worker($site, $ended, $posted) ] };
	}, 'ended with 0', 'ended with 71, as the log says');
};

# How libfcgi says it, and what is left of that where there is no memory at all.
my $libfcgi = qr/: Assertion .* failed\.?$|^Unexpected error\.$/;

subtest 'a FastCGI process goes on or ends, and another takes what it did not' => sub {
	my $start = sub ($site, $n, $for_good) {
		my $process = fastcgi(cmd => [ $door ], env => { %{ $site->{env} },
			failing($site, 'log-stream-to-slack', $n, $for_good) });
		$process->close_socket; # who comes when it has ended is refused at once
		return $process;
	};
	my $ask = sub ($process, $body) {
		return eval { $process->request(body => $body, token => $token) } // { status => 0, raw => '' };
	};
	my $whole = site(queue => $queue);
	my $process = $start->($whole, 0, 0);
	is $ask->($process, $_)->{status}, 200, 'when there is memory' for @body;
	$process->stop;
	my ($rows) = rows($whole);
	is scalar(@$rows), 4, 'all are there';
	at_each_turn(allocations($whole), sub ($n, $for_good) {
		my $site = site(queue => $queue);
		my $process = $start->($site, $n, $for_good);
		my @answer = map { $ask->($process, $_) } @body;
		my $ended = (grep { $_->{status} == 0 } @answer) && eval { defined $process->wait_exit(5) };
		$process->stop;
		my @fault;
		push @fault, "it ended without a word: " . $process->stderr
			if $ended && $process->stderr !~ /error error="out of memory"$|$libfcgi/m;
		for (0, 1) {
			my $outcome = $answer[$_]{status};
			push @fault, "request $_ was answered $outcome: $answer[$_]{raw}" if $outcome !~ /^(?:0|200|503)$/;
			push @fault, "request $_ was not answered, and it went on" if $outcome == 0 && !$ended;
		}
		my ($found) = rows($site);
		my %there = map { /(?:id|other)-(\d)/ ? ($1 => 1) : () } @$found;
		push @fault, 'ok, and not there: ' . join ' ', @$found if grep { $answer[$_]{status} == 200 && !$there{$_ + 1} } 0, 1;
		my $other = fastcgi(cmd => [ $door ], env => $site->{env});
		push @fault, map { $_->{status} == 200 ? () : "another answers $_->{raw}" } map { $ask->($other, $_) } @body;
		$other->stop;
		($found) = rows($site);
		push @fault, 'in the end there is ' . join ' ', @$found if join(' ', sort @$found) ne join ' ', sort @$rows;
		return { title => title($n, $for_good), site => $site, faults => \@fault,
			outcome => join(' and ', map { $_->{status} || 'none' } @answer) . ($ended ? ', ended' : '') };
	}, 'none and none, ended', '200 and none, ended');
};

done_testing;
