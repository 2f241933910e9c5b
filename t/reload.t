#!/usr/bin/perl
# A configuration that changes, is half written or is misspelt while programs
# run by it: the token is never lost by accident, and the receiver and the
# workers it starts agree.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Test;
use Test::More;
use Time::HiRes qw(time);

my $slack = standin();
my $webhook = $slack->url('/services/T0/B0/SECRETpath');
my $token = 'token-SECRETtoken-0123456789';
my $hook = "SLACK_WEBHOOK_URL=$webhook\n";
my $secret = "AUTH0_LOG_STREAM_TOKEN=$token\n";
my $kept = 'error="the new configuration is bad: the old one stays in force"';
my $half = 'it may be half written, and counts when it is 2 s old';
my $open = 'warn message="AUTH0_LOG_STREAM_TOKEN is not set: whoever finds the address may post"';
my $bad = 'the configuration of this program is bad: its log says why, and so does log-stream-ctl check';

# A file that was left alone for long.
sub old ($file) {
	utime 1, 1, $file or die "$file: $!";
	return $file;
}

sub told ($answer) { return "$answer->{status} " . $answer->{body} =~ s/\n\z//r }

# What a program logged, but for the line of the request: "warn ...", a line each.
sub said ($answer) {
	return [ grep { !/ request=/ } map { s/^\S+\[\d+\]: //r } split /\n/, $answer->{err} ];
}

sub receiver ($file, %env) { return fastcgi(env => { LOG_STREAM_CONFIG => $file, %env }) }
sub by_cgi ($file, %o) {
	return cgi(body => '[]', %o, env => { LOG_STREAM_CONFIG => $file, %{ $o{env} // {} } });
}

# Waits for a FastCGI receiver to let everyone in; returns how it did at last.
sub wait_until_open ($door) {
	my $answer;
	wait_until(sub { ($answer = $door->request(body => '[]'))->{status} == 204 }, 10, 'a request without token');
	return $answer;
}

#
# Files that are being written
#

beside 'a file that is written in two steps never opens the receiver' => sub {
	my $file = spew(tempdir() . '/conf', "$hook$secret", 0600);
	my $door = receiver($file);
	is $door->request(body => '[]')->{status}, 401, 'before';
	is $door->request(body => '[]', token => $token)->{status}, 204, 'with the token';
	spew($file, $hook, 0600);
	my $answer = $door->request(body => '[]');
	is $answer->{status}, 401, 'in between';
	is_deeply said($answer), [ "error error=\"$file: it is less than 2 s old, and nothing gives AUTH0_LOG_STREAM_TOKEN: $half\"",
		"error $kept" ], 'the log says why';
	$answer = $door->request(body => '[]', token => $token);
	is $answer->{status}, 204, 'the token still counts';
	is_deeply said($answer), [], 'and it is said once';
	spew($file, "$hook$secret" . "FILTER=success\n", 0600);
	is $door->request(body => '[]')->{status}, 401, 'after';
	is told($door->request(body => '[{"data":{"type":"s"}}]', token => $token)), '200 ok', 'what the second step says counts at once';
};

beside 'a receiver that has a token keeps it when the file has none any more, however old that is' => sub {
	my $file = spew(tempdir() . '/conf', "$hook$secret", 0600);
	my $door = receiver($file);
	is $door->request(body => '[]')->{status}, 401, 'before';
	rename old(spew("$file.new", $hook, 0600)), $file or die "$file: $!";
	my $answer = $door->request(body => '[]');
	is $answer->{status}, 401, 'after';
	is_deeply said($answer), [ 'error error="AUTH0_LOG_STREAM_TOKEN is not set any more: this process keeps the token '
		. 'that it has; start it anew if everybody may post"', "error $kept" ], 'the log says why';
	is_deeply said($door->request(body => '[]')), [], 'once';
	is by_cgi($file)->{status}, 204, 'a process that begins takes the file as it is';
};

beside 'a CGI receiver answers 503 while a file is young and gives no token' => sub {
	my $file = spew(tempdir() . '/conf', $hook, 0600);
	my $answer = by_cgi($file);
	is told($answer), "503 $bad", 'young';
	is_deeply said($answer), [ "error error=\"$file: it is less than 2 s old, and nothing gives AUTH0_LOG_STREAM_TOKEN: $half\"" ],
		'the log says why';
	is by_cgi($file, token => $token, env => { AUTH0_LOG_STREAM_TOKEN => $token })->{status}, 204,
		'a token of the environment is one';
	is by_cgi(old($file))->{status}, 204, 'old';
	spew($file, '', 0600);
	is by_cgi($file, env => { SLACK_WEBHOOK_URL => $webhook })->{status}, 503, 'an empty file';
	spew($file, "$hook$secret", 0600);
	is by_cgi($file)->{status}, 401, 'whole';
};

beside 'a FastCGI receiver that begins with such a file is open when that is 2 s old' => sub {
	my $file = spew(tempdir() . '/conf', $hook, 0600);
	my $door = receiver($file);
	is told($door->request(body => '[]')), "503 $bad", 'at first';
	is_deeply said(wait_until_open($door)), [ $open ], 'then, with a warning';
};

beside 'a file that ends in the middle of a line may be half written' => sub {
	my $dir = tempdir();
	my $file = spew("$dir/conf", "$secret$hook" =~ s/....\n\z//r, 0600);
	my $cut = "error error=\"$file: it is less than 2 s old, and its last line has no end: $half\"";
	my $answer = by_cgi($file, token => $token);
	is told($answer), "503 $bad", 'half an address';
	is_deeply said($answer), [ $cut ], 'the log says why';
	is by_cgi(old($file), token => $token)->{status}, 204, 'when it is old, its last line needs no end';

	my $tokens = spew("$dir/tokens", substr($token, 0, 8), 0600);
	my %env = (env => { SLACK_WEBHOOK_URL => $webhook, AUTH0_LOG_STREAM_TOKEN_FILE => $tokens });
	my $none = old(spew("$dir/none", '', 0600));
	$answer = by_cgi($none, %env, token => substr $token, 0, 8);
	is told($answer), "503 $bad", 'half a token opens nothing';
	is_deeply said($answer), [ $cut =~ s/\Q$file\E/$tokens/r ], 'the log says why';
};

beside 'a token file that is truncated and written again keeps the tokens in force' => sub {
	my $dir = tempdir();
	my $none = old(spew("$dir/none", '', 0600));
	my $tokens = spew("$dir/tokens", "$token\n", 0600);
	my %env = (SLACK_WEBHOOK_URL => $webhook, AUTH0_LOG_STREAM_TOKEN_FILE => $tokens);
	my $door = receiver($none, %env);
	my $statuses = sub { join ' ', map { $door->request(body => '[]', token => $_)->{status} } $token, 'new', undef };
	is $statuses->(), '204 401 401', 'before';
	for my $text ('', "\n", 'ne') {
		spew($tokens, $text, 0600);
		is $statuses->(), '204 401 401', "FastCGI: '$text'";
		is by_cgi($none, env => \%env, token => $_)->{status}, 503, "CGI: '$text', '@{[$_ // '']}'" for $text =~ s/\n//r, undef;
	}
	spew($tokens, "new\n", 0600);
	is $statuses->(), '401 204 401', 'the new one';
	spew($tokens, 'newer', 0600);
	wait_until(sub { $door->request(body => '[]', token => 'newer')->{status} == 204 }, 10, 'one without a line end to count');
};

#
# What is misspelt
#

beside 'a misspelt variable of the token does not open the receiver' => sub {
	my $none = old(spew(tempdir() . '/none', '', 0600));
	for my $name (qw(AUTH0_LOGSTREAM_TOKEN AUTH0_LOG_STREAM_TOKENS)) {
		my %env = (SLACK_WEBHOOK_URL => $webhook, $name => $token);
		my $why = "environment: unknown variable %s$name%s: did you mean AUTH0_LOG_STREAM_TOKEN?";
		my $answer = by_cgi($none, env => \%env);
		is told($answer), "503 $bad", $name;
		is_deeply said($answer), [ 'error error="' . sprintf($why, ('\x22') x 2) . '"' ], 'the log says why';
		my $checked = ctl({ LOG_STREAM_CONFIG => $none, %env }, 'check');
		is $checked->{exit}, 1, 'so does check';
		like $checked->{out}, qr/^error: \Q@{[sprintf $why, ('"') x 2]}\E$/m, 'word for word';
		unlike "$answer->{err}$checked->{out}$checked->{err}", qr/SECRET/, 'without its value';
	}
};

beside 'what is most likely not meant is logged at the start of what stays, and with what goes wrong' => sub {
	my $file = spew(tempdir() . '/conf', "$hook$secret" =~ s/\n\z/ # prod\n/r, 0600);
	my %env = (SLACK_WEBHOOK => 'x', FILTER_BRANCH_SQUELCH_WARNING => 1);
	my @warning = ("$file:2: AUTH0_LOG_STREAM_TOKEN: the # and what follows it are part of the value: write the comment on "
			. 'a line of its own, or the value in quotes if it has a #',
		'environment: "SLACK_WEBHOOK" is no key, and has no effect',
		'environment: FILTER_BRANCH_SQUELCH_WARNING: there is no SLACK_WEBHOOK_URL_BRANCH_SQUELCH_WARNING');
	my $checked = ctl({ LOG_STREAM_CONFIG => $file, %env }, 'check');
	is $checked->{exit}, 0, 'no error';
	is_deeply [ $checked->{out} =~ /^warning: (.*)$/mg ], [ @warning, 'SLACK_WEBHOOK_URL: 127.0.0.1 is not Slack' ], 'check';

	my @logged = map { 'warn message="' . s/"/\\x22/gr . '"' } @warning;
	my $door = receiver($file, %env);
	is_deeply [ sort @{ said($door->request(body => '[]', token => "$token # prod")) } ], [ sort @logged ], 'FastCGI';
	is_deeply said($door->request(body => '[]', token => $token)), [], 'once';
	is_deeply said(by_cgi($file, env => \%env, token => "$token # prod")), [], 'CGI: not with each request';
	my $refused = by_cgi($file, env => \%env, token => $token);
	is $refused->{status}, 401, 'the comment is part of the token';
	is_deeply [ sort @{ said($refused) } ], [ sort @logged ], 'CGI: with one that is refused';
};

#
# The receiver and its workers
#

# The lines of the queue's log that have this.
sub count ($queue, $text) { return scalar(() = $queue->log =~ /\Q$text\E/g) }

beside 'a worker has the configuration of the receiver that starts it, and both take the mended one' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/services/old');
	$queue->configure;
	my $door = $queue->fastcgi;
	is $queue->ask($door, body => '[]')->{status}, 204, 'a good one';
	my $file = "$queue->{dir}/conf";
	spew($file, "CHANEL=x\n", 0600);
	for my $id (qw(a b)) {
		is told($queue->ask($door, body => logins($id))), '200 ok', "bad: event $id is kept";
		is_deeply [ map { $_->{path} } $slack->wait_for(1) ], [ '/services/old' ], 'and delivered';
		$queue->end_worker;
		$slack->forget;
	}
	is count($queue, 'unknown key'), 1, 'the receiver says it, the workers do not';
	is count($queue, $kept), 1, 'so it does what it makes of it';
	is told($queue->ask($door, body => logins('c'))), '200 ok', 'a third';
	$slack->wait_for(1);
	$slack->forget;
	my $worker = $queue->wait_for_worker;
	$queue->configure(SLACK_WEBHOOK_URL => $slack->url('/services/new'));
	is told($queue->ask($door, body => logins('d'))), '200 ok', 'mended';
	is_deeply [ map { $_->{path} } $slack->wait_for(1) ], [ '/services/new' ], 'by the new one';
	is $queue->worker, $worker, 'from the same worker';
	is count($queue, ': error '), 2, 'without another complaint';
};

beside 'so does the worker of a CGI receiver whose file becomes bad right after' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	$queue->configure;
	my $kept_away = $queue->keep_workers_away;
	is told($queue->cgi(body => logins('a'))), '200 ok', 'kept';
	undef $kept_away;
	is told($queue->cgi(body => logins('b'))), '200 ok', 'another, which starts a worker';
	spew("$queue->{dir}/conf", "CHANEL=x\n", 0600);
	is scalar($slack->wait_for_titles(2)), 2, 'both are delivered';
	cmp_ok count($queue, 'unknown key'), '<=', 1, 'at most one complaint';
	$queue->end_worker;
};

beside 'the copy of a configuration is nowhere to be seen, and taken from nobody else' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack, path => '/hang/SECRETpath', env => { SLACK_TIMEOUT => '25s' });
	$queue->configure;
	is told($queue->cgi(body => logins('a'))), '200 ok', 'an event';
	$slack->wait_for(1);
	my $worker = $queue->wait_for_worker;
	is slurp("/proc/$worker/cmdline"), "log-stream-ctl\0work\0--until-idle\0--configuration-fd\0003\0", 'the command line'
		if watched() ne 'valgrind';
	unlike slurp("/proc/$worker/environ"), qr/SECRET/, 'the environment';
	is_deeply [ grep { (readlink($_) // '') =~ /memfd|configuration/ } glob "/proc/$worker/fd/*" ], [], 'the descriptor is closed';
	$queue->end_worker('KILL');

	my $refuses = sub ($why, $number, $redirect = '') {
		my $ended = run(cmd => [ '/bin/sh', '-c', "exec \"\$0\" work --until-idle --configuration-fd $number $redirect", ctl_path() ],
			env => { %{ $queue->env }, LOG => undef }, timeout => 10);
		is $ended->{exit}, 1, $why;
		is $ended->{err} =~ s/^\S+: //r, "error error=\"--configuration-fd $number: $why: leave the option out: it is for the receiver\"\n",
			'which is said';
	};
	my $file = spew(tempdir() . '/copy', 'x', 0644);
	$refuses->('it is not a private file of this user', 4, "4<$file");
	$refuses->('it is not a private file of this user', 4, '4</dev/null');
	$refuses->('Bad file descriptor', 5);
	$refuses->('it is not the number of a descriptor', $_) for qw(0 2 x 4x 123456 -1);
	is ctl({}, 'work', '--configuration-fd')->{exit}, 2, 'it needs a number';
	is ctl({}, 'drain', '--configuration-fd', 3)->{exit}, 2, 'and no other verb has it';
};

finish_beside;
done_testing;
