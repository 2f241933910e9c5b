#!/usr/bin/perl
# log-stream-ctl: what it prints, where, and its exit status.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use JSON::PP;
use LogStream::Test;
use Test::More;

my $json = JSON::PP->new->utf8->canonical;
my $slack = standin();
my $url = $slack->url('/services/T0/B0/SECRETpath');
my $token = 'token-SECRETtoken-0123456789';
my %env = (SLACK_WEBHOOK_URL => $url, AUTH0_LOG_STREAM_TOKEN => $token);
my $seed = '[{"data": {"type": "f", "description": "Test failure", "client_id": "TestClientId", '
	. '"client_name": "Test Client Name", "log_id": "abc1234567890"}}]';
my $hint = "Try 'log-stream-ctl --help'.\n";
my @written;

# The program with a good configuration, but for what is given first.
sub tool ($changed, @args) {
	my $ended = ctl({ %env, %$changed }, @args);
	push @written, @$ended{qw(out err)};
	return $ended;
}

# Exit status, output and complaints, as one text.
sub all ($ended) { return "$ended->{exit}\n$ended->{out}--\n$ended->{err}" }

# The lines of check that begin so.
sub lines ($ended, $label) { return [ $ended->{out} =~ /^$label: (.*)$/mg ] }

#
# check
#

subtest 'check lists every key, its value with secrets masked, and where it is from' => sub {
	my $dir = tempdir();
	spew("$dir/conf", "# mine\nSLACK_WEBHOOK_URL=https://hooks.slack.com/services/T0/B0/SECRETpath\n"
		. "AUTH0_LOG_STREAM_TOKEN_FILE=$dir/token\nFILTER='failure,limit'\nLOG_LEVEL=warn\n"
		. "SLACK_TIMEOUT=\n", 0600);
	spew("$dir/token", "one-SECRETtoken-012345\ntwo-SECRETtoken-012345\n", 0600);
	my $checked = tool({ SLACK_WEBHOOK_URL => undef, AUTH0_LOG_STREAM_TOKEN => undef,
		LOG_STREAM_CONFIG => "$dir/conf", LOG_LEVEL => 'debug' }, 'check');
	is all($checked), <<"END", 'all is well';
0
file: $dir/conf
file: $dir/token
# the Slack incoming webhook that messages go to
SLACK_WEBHOOK_URL=https://hooks.slack.com/********    ($dir/conf:2)
# the secret that Auth0 sends
AUTH0_LOG_STREAM_TOKEN=******** (2 tokens)    ($dir/conf:3, in $dir/token)
# which events are sent
FILTER=failure,limit    ($dir/conf:4)
# what a message tells: description client user ip connection tenant organization
SHOW=description client    (default)
# where events wait for delivery: sqlite:/path or postgresql://...
QUEUE=    (not set)
# whether the queue may be on a network file system: no yes
QUEUE_ON_NETWORK=no    (default)
# least time between messages to one webhook
SLACK_INTERVAL=1s    (default)
# longest a post to Slack may take
SLACK_TIMEOUT=10s    (default)
# longest wait between tries
SLACK_RETRY_MAX=5min    (default)
# events above which a message counts them; 0: never
DIGEST_AFTER=60    (default)
# how long the queue remembers what it is done with
RETENTION=7d    (default)
# waiting events above which no more are taken
QUEUE_MAX=1000000    (default)
# largest request body
MAX_BODY=16MiB    (default)
# base of the links to log entries
DASHBOARD_URL=https://manage.auth0.com    (default)
# where log lines go: stderr syslog /path
LOG=stderr    (default)
# how much is logged: error warn info debug
LOG_LEVEL=debug    (environment)
all is well
--
END
};

subtest 'check lists the keys of each destination, and says of each what is unwise' => sub {
	my $file = spew(tempdir() . '/conf', "SLACK_WEBHOOK_URL_ops=$url\nFILTER_ops=failure -q\n", 0600);
	my $checked = tool({ LOG_STREAM_CONFIG => $file, SLACK_WEBHOOK_URL => undef,
		SLACK_WEBHOOK_URL_dev => 'https://hooks.slack.com/services/T0/B0/SECRETpath' }, 'check');
	is $checked->{exit}, 0, 'any of them is enough';
	like $checked->{out}, qr{^SLACK_WEBHOOK_URL=    \(not set\)
SLACK_WEBHOOK_URL_dev=https://hooks\.slack\.com/\*{8}    \(environment\)
SLACK_WEBHOOK_URL_ops=http://127\.0\.0\.1/\*{8}    \(\Q$file\E:1\)
# }m, 'the webhooks';
	like $checked->{out}, qr{^FILTER=failure limit anomaly    \(default\)
FILTER_dev=failure limit anomaly    \(default\)
FILTER_ops=failure -q    \(\Q$file\E:2\)
# }m, 'the filters';
	is_deeply lines($checked, 'warning'), [
		'SLACK_WEBHOOK_URL_ops: 127.0.0.1 is not Slack',
		'FILTER_ops: "q" is no event type of the catalogue: it is right only if Auth0 has it new',
	], 'the warnings';

	spew($file, "FILTER_ops=f\n", 0600);
	my $stray = tool({ LOG_STREAM_CONFIG => $file }, 'check');
	is $stray->{exit}, 1, 'a filter without its webhook';
	is_deeply lines($stray, 'error'), [ "$file:1: FILTER_ops: there is no SLACK_WEBHOOK_URL_ops" ], 'it says so';
	$stray = tool({ FILTER_ops => 'f' }, 'check');
	is $stray->{exit}, 0, 'in the environment it may be of another program';
	is_deeply lines($stray, 'warning'), [ 'environment: FILTER_ops: there is no SLACK_WEBHOOK_URL_ops',
		'SLACK_WEBHOOK_URL: 127.0.0.1 is not Slack' ], 'it says so';

	my $hook = 'https://hooks.slack.com/services/T0/B0/SECRETpath';
	my $twins = tool({ SLACK_WEBHOOK_URL => undef, SLACK_WEBHOOK_URL_b => $hook,
		SLACK_WEBHOOK_URL_a => $hook =~ s/hooks/HOOKS/r }, 'check');
	is $twins->{exit}, 0, 'two with one webhook';
	is_deeply lines($twins, 'warning'), [ 'destinations a and b have the same webhook: they share one rate limit' ],
		'it says so';
};

# Whoever can name a file, or has a person look for an event, is not to reach
# that person's terminal.
subtest 'nothing that it is given comes out as more than text' => sub {
	my $evil = "\e]0;x\a\e[2J\x{9b}m\x{c2}\x{9b}m\x{e2}\x{80}\x{ae}\x7f\r\nerror: forged";
	my $dir = tempdir() . "/$evil";
	mkdir $dir or die "$dir: $!";
	my $shown = sub ($title, $changed, @args) {
		my $ended = tool($changed, @args);
		my $text = "$ended->{out}$ended->{err}";
		like $text, qr/x1b\]0;x/, "$title: it is told";
		unlike $text, qr/[\x00-\x09\x0b-\x1f\x7f\x9b]|\xe2\x80\xae|^error: forged/m, 'and no more than text';
	};
	my %queue = (QUEUE => "sqlite:$dir/queue.db");
	my $bad = spew("$dir/bad", "X=\n", 0666);
	my $token = spew("$dir/token", "$token\n", 0666);
	$shown->('a verb', {}, $evil);
	$shown->('an option', {}, 'try', "--$evil");
	$shown->('a filter', {}, 'types', $evil);
	$shown->('a body that is not there', {}, 'try', $evil);
	$shown->('a body that cannot be read', {}, 'try', $dir);
	$shown->("an event to $_", { %queue }, $_, $evil) for qw(retry remove);
	$shown->("the queue, to $_", { %queue }, $_) for qw(check status);
	$shown->('a log', { LOG => "$dir/log" }, 'check');
	$shown->("a bad configuration, to $_", { LOG_STREAM_CONFIG => $bad }, $_) for qw(check types work);
	$shown->('an open token file', { AUTH0_LOG_STREAM_TOKEN => undef,
		AUTH0_LOG_STREAM_TOKEN_FILE => $token }, 'check');
	chmod 0600, $token;
	$shown->('a token file', { AUTH0_LOG_STREAM_TOKEN => undef, AUTH0_LOG_STREAM_TOKEN_FILE => $token }, 'check');
};

subtest 'check finds an error, names its place and ends with 1' => sub {
	my $file = spew(tempdir() . '/conf', "CHANEL=SECRETx\nFILTER=!\n", 0600);
	my $checked = tool({ LOG_STREAM_CONFIG => $file, SLACK_WEBHOOK_URL => 'SECRETpath',
		SLACK_TIMEOUT => '1' }, 'check');
	is $checked->{exit}, 1, 'exit status';
	is_deeply lines($checked, 'error'), [
		"$file:1: unknown key \"CHANEL\"",
		'environment: SLACK_WEBHOOK_URL: it is not a URL such as https://hooks.slack.com/services/...',
		"$file:2: FILTER: \"!\" is not a filter term: it is neither a class (failure limit anomaly "
			. 'warning notice success) nor a type code or glob such as f*',
		'environment: SLACK_TIMEOUT: "1" is not a duration: write a number and ms, s, min, h or d, '
			. 'such as 10s',
	], 'the errors';
	like $checked->{out}, qr/^SLACK_WEBHOOK_URL=\*{8}    \(environment\)$/m, 'a bad URL is masked';
	like $checked->{out}, qr/^FILTER=!    \(\Q$file\E:2\)$/m, 'a bad value is shown';
	unlike $checked->{out}, qr/all is well/, 'nothing is well';

	my $misspelt = tool({ FILTER => 'failures', AUTH0_LOG_STREAM_TOKENS => 'SECRETx',
		LOG_STREAM_CONFIG => spew($file, "LOG_LEVELS=info\n", 0600) }, 'check');
	is $misspelt->{exit}, 1, 'what is misspelt';
	is_deeply lines($misspelt, 'error'), [
		"$file:1: unknown key \"LOG_LEVELS\": did you mean LOG_LEVEL?",
		'environment: unknown variable "AUTH0_LOG_STREAM_TOKENS": did you mean AUTH0_LOG_STREAM_TOKEN?',
		'environment: FILTER: "failures" is not a filter term: did you mean failure?',
	], 'it says what may be meant';

	my $none = tool({ SLACK_WEBHOOK_URL => undef }, 'check');
	is $none->{exit}, 1, 'without a destination';
	is_deeply lines($none, 'error'), [ 'SLACK_WEBHOOK_URL is not set: give it the address of a '
		. 'Slack incoming webhook' ], 'it says so';

	chmod 0644, spew($file, "SLACK_WEBHOOK_URL=$url\n");
	my $open = tool({ LOG_STREAM_CONFIG => $file, SLACK_WEBHOOK_URL => undef }, 'check');
	is $open->{exit}, 1, 'a file that everybody may read';
	is_deeply lines($open, 'error'), [ "$file: every user of this machine may read it, and it holds "
		. 'SLACK_WEBHOOK_URL: run chmod o-r on it' ], 'it says so';

	my $gone = tool({ LOG_STREAM_CONFIG => '/nowhere/conf' }, 'check');
	is $gone->{exit}, 1, 'a file that is not there';
	is_deeply lines($gone, 'error'),
		[ '/nowhere/conf: cannot be read: No such file or directory' ], 'it says so';
	is_deeply lines($gone, 'file'), [ '/nowhere/conf (not there)' ], 'and where it looked';
};

subtest 'check warns of what is unwise, and ends with 0' => sub {
	my $checked = tool({ AUTH0_LOG_STREAM_TOKEN => undef, FILTER => 'failure xyz_* -fux fu' }, 'check');
	is $checked->{exit}, 0, 'exit status';
	is_deeply lines($checked, 'warning'), [
		'SLACK_WEBHOOK_URL: 127.0.0.1 is not Slack',
		'AUTH0_LOG_STREAM_TOKEN is not set: whoever finds the address may post',
		'FILTER: "xyz_*" matches no event type of the catalogue: it is right only if Auth0 has one new',
		'FILTER: "fux" is no event type of the catalogue: did you mean fu?',
	], 'the warnings';
	like $checked->{out}, qr/^AUTH0_LOG_STREAM_TOKEN=    \(not set\)$/m, 'no token';
	unlike $checked->{out}, qr/all is well/, 'it does not say that all is well';
	my $short = tool({ AUTH0_LOG_STREAM_TOKEN => 'Bearer SECRET789012345' }, 'check');
	ok grep({ $_ eq 'AUTH0_LOG_STREAM_TOKEN: a token of fewer than 16 characters can be guessed' }
		@{ lines($short, 'warning') }), 'a token of 15 characters';
	like $short->{out}, qr/^AUTH0_LOG_STREAM_TOKEN=\*{8} \(1 token\)    \(environment\)$/m, 'masked';
	my $long = tool({ AUTH0_LOG_STREAM_TOKEN => 'SECRET7890123456' }, 'check');
	unlike $long->{out}, qr/can be guessed/, 'one of 16 is long enough';
	is scalar($slack->requests), 0, 'nothing is sent';
};

subtest 'check by root looks with the eyes of the user whose the queue is' => sub {
	plan skip_all => 'this is not root' if $> != 0;
	my $dir = tempdir();
	my $place = tempdir();
	my ($user, $group) = (getpwnam 'nobody')[2, 3];
	my $file = spew("$dir/conf", "SLACK_WEBHOOK_URL=@{[$slack->url('/x')]}\nQUEUE=sqlite:$place/queue.db\n"
		. "LOG=$dir/log\n", 0600);
	my $whose = "QUEUE: its directory is root's, so that no other user can use it: "
		. "chown -R it to the web server's user";
	my $check = sub { ctl({ LOG_STREAM_CONFIG => $file }, 'check') };
	ok grep({ $_ eq $whose } @{ lines($check->(), 'warning') }), 'a directory of root';
	chown $user, $group, $place, glob "$place/*";
	my $checked = $check->();
	is_deeply lines($checked, 'error'),
		[ "$file: the owner of the queue's directory cannot read it: Permission denied" ], 'settings for root alone';
	is $checked->{exit}, 1, 'which are an error';
	ok grep({ $_ eq 'LOG: the file cannot be written to: Permission denied: lines go to standard error' }
		@{ lines($checked, 'warning') }), 'a LOG for root alone';
	chmod 0711, $dir;
	chown 0, $group, $file;
	chmod 0640, $file;
	spew("$dir/log", '', 0600);
	chown $user, $group, "$dir/log";
	$checked = $check->();
	is_deeply lines($checked, 'error'), [], 'both mended';
	is_deeply [ grep { /^(?:LOG|QUEUE):/ } @{ lines($checked, 'warning') } ], [], 'nothing to say';
};

subtest 'check looks where the door looks, and shows foreign text harmlessly' => sub {
	my $dir = tempdir();
	my %nowhere = (LOG_STREAM_CONFIG => undef, cwd => $dir);
	like lines(tool(\%nowhere, 'check'), 'file')->[0], qr/^\.env \(not there\)$/, 'first .env';
	spew("$dir/.env", "FILTER=f\n", 0600);
	my $checked = tool(\%nowhere, 'check');
	is_deeply lines($checked, 'file'), [ '.env' ], 'no further when it is there';
	like $checked->{out}, qr/^FILTER=f    \(\.env:1\)$/m, 'it was read';
	my $evil = tool({ DASHBOARD_URL => "\e[2J\nall is well" }, 'check');
	is $evil->{exit}, 1, 'a value with control bytes';
	unlike $evil->{out}, qr/[\x00-\x09\x0b-\x1f]/, 'no control byte is printed';
	unlike $evil->{out}, qr/^all is well/m, 'nor a forged line';
};

#
# send
#

subtest 'send posts a test message and prints what Slack answers' => sub {
	is all(tool({}, 'send')), "0\nSlack answered 200: ok\n--\n", 'accepted';
	my ($request) = $slack->requests;
	$slack->forget;
	my ($attachment) = @{ $request->{payload}{attachments} };
	is $attachment->{title}, 'This is a test: messages from log-stream-to-slack arrive here. [type: test]',
		'the message';
	cmp_ok abs($attachment->{ts} - time), '<', 60, 'of now';
	is_deeply $request->{problems}, [], 'no problems';

	my @case = (
		'/status/404/no_service?SECRET' => 'Slack answered 404: no_service',
		'/status/429/rate_limited?json=1&SECRET' => 'Slack answered 429: rate_limited',
		'/status/200/welcome?SECRET' => 'Slack answered 200: status 200, but the body is not ok',
		'/status/500/?SECRET' => "Slack answered 500: status 500, but the body is empty",
	);
	while (my ($path, $want) = splice @case, 0, 2) {
		is all(tool({ SLACK_WEBHOOK_URL => $slack->url($path) }, 'send')), "1\n$want\n--\n", $want;
	}
	my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1')->sockport;
	like all(tool({ SLACK_WEBHOOK_URL => "http://127.0.0.1:$closed/SECRET" }, 'send')),
		qr/\A1\nno answer: [^\n]*onnect[^\n]*\n--\n\z/, 'nobody there';
	like all(tool({ SLACK_WEBHOOK_URL => $slack->url('/stall'), SLACK_TIMEOUT => '200ms' }, 'send')),
		qr/\A1\nno answer: [^\n]*(?:timed out|timeout)[^\n]*\n--\n\z/, 'no answer';
	is all(tool({ SLACK_WEBHOOK_URL => undef }, 'send')), "1\n--\nlog-stream-ctl: SLACK_WEBHOOK_URL "
		. "is not set: give it the address of a Slack incoming webhook\n", 'nowhere to send';
	is all(tool({ LOG => 'x' }, 'send')), "1\n--\nlog-stream-ctl: environment: LOG: \"x\" is neither "
		. "stderr nor syslog nor the path of a file (/...)\n", 'a bad configuration';
	$slack->forget;
};

subtest 'send posts to every destination, and ends with 1 when one refuses' => sub {
	my %two = (SLACK_WEBHOOK_URL_ops => $slack->url('/services/T0/B0/SECRETops'), FILTER_ops => 'limit');
	is all(tool(\%two, 'send')), "0\ndefault: Slack answered 200: ok\nops: Slack answered 200: ok\n--\n",
		'both accept';
	is_deeply [ map { $_->{path} } $slack->requests ],
		[ '/services/T0/B0/SECRETpath', '/services/T0/B0/SECRETops' ], 'each once';
	is all(tool({ %two, SLACK_WEBHOOK_URL => $slack->url('/status/404/no_service?SECRET') }, 'send')),
		"1\ndefault: Slack answered 404: no_service\nops: Slack answered 200: ok\n--\n",
		'one that refuses does not keep the message from the other';
	is all(tool({ %two, SLACK_WEBHOOK_URL => undef }, 'send')), "0\nops: Slack answered 200: ok\n--\n",
		'none but a named one';
	$slack->forget;
};

#
# try
#

subtest 'try lays a body out for a person and sends nothing' => sub {
	my $dir = tempdir();
	my $laid_out = <<'END';
0
Auth0 log alert
| Test failure [type: f]
| https://manage.auth0.com/#/logs/abc1234567890
| Client: Test Client Name (TestClientId)
| Failed Login

--
f abc1234567890: sent, by failure
records: 1, unusable: 0, filtered out: 0, to send: 1
END
	is all(tool({}, 'try', spew("$dir/body", $seed))), $laid_out, 'a file';
	is all(tool({ stdin => $seed }, 'try', '-')), $laid_out, 'standard input';
	is all(tool({ stdin => $seed, SLACK_WEBHOOK_URL => undef, AUTH0_LOG_STREAM_TOKEN => undef },
		'try', '-')), $laid_out, 'without destination and token';

	my $record = sub ($type, %data) { +{ data => { type => $type, %data } } };
	my $body = $json->encode([ {}, $record->('s'),
		$record->('fu', date => '2026-08-01T12:00:01.999+02:00', user_name => "\x{e9}<b>&",
			description => "two\nlines\e[2J", hostname => 'acme.eu.auth0.com', log_id => 'a/b'),
		$record->('limit_wc', date => '2026-07-31T00:00:00Z', hostname => 'acme.eu.auth0.com') ]);
	is all(tool({ stdin => $body, SHOW => 'description,user,tenant' }, 'try', '-')), <<"END", 'more of them';
0
Auth0 log alert, acme, 2 events
| Blocked Account [type: limit_wc]
| Tenant: acme
| 2026-07-31 00:00:00 UTC
| two lines [2J [type: fu]
| https://manage.auth0.com/dashboard/eu/acme/logs/a%2Fb
| User: \xc3\xa9<b>&
| Tenant: acme
| Failed Login (Invalid Email/Username)
| 2026-08-01 10:00:01 UTC

--
s: not sent, because no term matches
fu a/b: sent, by failure
limit_wc: sent, by anomaly
records: 4, unusable: 1, filtered out: 1, to send: 2
END
	is all(tool({ stdin => '[]' }, 'try', '-')),
		"0\n--\nrecords: 0, unusable: 0, filtered out: 0, to send: 0\n", 'nothing';
	is scalar($slack->requests), 0, 'nothing was sent';
};

subtest 'try --json prints the payload itself, a message a line' => sub {
	my $ended = tool({ stdin => $seed }, 'try', '--json', '-');
	is $ended->{exit}, 0, 'exit status';
	is $ended->{out}, '{"text":"*Auth0 log alert*","attachments":[{"fallback":"Test failure [type: f]",'
		. '"color":"#d1242f","title":"Test failure [type: f]",'
		. '"title_link":"https://manage.auth0.com/#/logs/abc1234567890",'
		. '"fields":[{"title":"Client","value":"Test Client Name (TestClientId)","short":true}],"footer":"Failed Login"}]}' . "\n",
		'the seed case';
	is tool({ stdin => $seed }, 'try', '-', '--json')->{out}, $ended->{out}, 'in any order';

	my $many = tool({ stdin => $json->encode([ ({ data => { type => 'f' } }) x 45 ]) },
		'try', '-', '--json');
	my @line = split /\n/, $many->{out};
	is_deeply [ map { scalar @{ $json->decode($_)->{attachments} } } @line ], [ 20, 20, 5 ],
		'45 events in three lines';
	is $many->{err}, "f: sent, by failure\n" x 45 . "records: 45, unusable: 0, filtered out: 0, to send: 45\n", 'counted';
	is http('POST', $url, { 'Content-Type' => 'application/json' }, "$line[0]\n")->{body}, 'ok',
		'Slack would take it';
	$slack->forget;
};

subtest 'try tells what each destination would get' => sub {
	my %two = (SLACK_WEBHOOK_URL_ops => $slack->url('/services/T0/B0/SECRETops'), FILTER_ops => '* -s');
	my $body = $json->encode([ map { +{ data => { type => $_ } } } qw(f api_limit s) ]);
	is all(tool({ %two, FILTER => 'f', stdin => $body }, 'try', '-')), <<'END', 'laid out';
0
To destination default:

Auth0 log alert
| Failed Login [type: f]

To destination ops:

Auth0 log alert, 2 events
| Failed Login [type: f]
| Rate Limit on the Authentication or Management APIs [type: api_limit]

--
default: f: sent, by f
ops: f: sent, by *
default: api_limit: not sent, because no term matches
ops: api_limit: sent, by *
default: s: not sent, because no term matches
ops: s: not sent, by -s
records: 3, unusable: 0, filtered out: 1, to send: 2
END
	is all(tool({ %two, FILTER => 'limit', stdin => '[{"data":{"type":"f"}}]' }, 'try', '-')), <<'END', 'one of them nothing';
0
To destination ops:

Auth0 log alert
| Failed Login [type: f]

--
default: f: not sent, because no term matches
ops: f: sent, by *
records: 1, unusable: 0, filtered out: 0, to send: 1
END
	is scalar($slack->requests), 0, 'nothing is sent';
};

subtest 'try counts where the door would' => sub {
	my @record = map { +{ data => { type => $_ > 3 ? 'fu' : 'f', user_name => 'u' . $_ % 2,
		date => "2026-08-01T10:00:0$_.000Z" } } } 1 .. 6;
	is all(tool({ DIGEST_AFTER => 5, SHOW => 'user', stdin => $json->encode(\@record) }, 'try', '-')), <<"END", 'more than DIGEST_AFTER';
0
Auth0 log alert, 6 events
| 3 \xc3\x97 Failed Login [type: f]
| Time: 2026-08-01 10:00:01 to 10:00:03 UTC
| User: u1 \xc3\x97 2, u0 \xc3\x97 1
| 3 \xc3\x97 Failed Login (Invalid Email/Username) [type: fu]
| Time: 2026-08-01 10:00:04 to 10:00:06 UTC
| User: u0 \xc3\x97 2, u1 \xc3\x97 1

--
@{[ join '', ("f: sent, by failure\n") x 3, ("fu: sent, by failure\n") x 3 ]}records: 6, unusable: 0, filtered out: 0, to send: 6
END
	like tool({ DIGEST_AFTER => 6, stdin => $json->encode(\@record) }, 'try', '-')->{out},
		qr/\A(?:(?!\xc3\x97).)*\z/s, 'as many as that are listed';
};

subtest 'try says which term decided on each event' => sub {
	my @record = map { +{ log_id => "id\e[1m$_->[0]", data => $_->[1] } }
		[ 1 => { type => 'fp', details => { error => { message => 'boom' } } } ], [ 2 => { type => 'fp', isMobile => JSON::PP::true } ],
		[ 3 => { type => 's' } ], [ 4 => { type => 's', scope => [ 'openid', 'delete:users' ], n => 7 } ];
	is tool({ FILTER => 'failure -failure&details.error.message=b* fp&isMobile=true s&n=7&scope=delete:*', stdin => $json->encode(\@record) },
		'try', '-')->{err}, <<'END', 'by the type, by fields and by both';
fp id\x1b[1m1: not sent, by -failure&details.error.message=b*
fp id\x1b[1m2: sent, by fp&isMobile=true
s id\x1b[1m3: not sent, because no term matches
s id\x1b[1m4: sent, by s&n=7&scope=delete:*
records: 4, unusable: 0, filtered out: 2, to send: 2
END
};

subtest 'try ends with 1 and the reason where the door would answer 400 or 413' => sub {
	my $dir = tempdir();
	my @case = (
		'', 'the body is empty',
		'{}', 'no record in the body is a log event: none has a data.type, or a type of its own (records: 1)',
		'[{"data":', 'the body ends in the middle of its JSON, after 9 bytes',
		"$seed]", 'the body is not the JSON that Auth0 sends: more text after its end at byte '
			. length $seed,
	);
	while (my ($body, $why) = splice @case, 0, 2) {
		is all(tool({ stdin => $body }, 'try', '-')), "1\n--\nlog-stream-ctl: -: $why\n", $why;
	}
	my $file = spew("$dir/body", $seed . ' ' x 1000);
	is all(tool({ MAX_BODY => '1kB' }, 'try', $file)),
		"1\n--\nlog-stream-ctl: $file: the body is longer than MAX_BODY, 1000 bytes\n", 'too long';
	is all(tool({}, 'try', "$dir/none")),
		"1\n--\nlog-stream-ctl: $dir/none: No such file or directory\n", 'no such file';
	is all(tool({}, 'try', $dir)),
		"1\n--\nlog-stream-ctl: $dir: cannot be read: Is a directory\n", 'a directory';
	is all(tool({ FILTER => '!' }, 'try', $file)) =~ s/(FILTER:).*/$1/r,
		"1\n--\nlog-stream-ctl: environment: FILTER:\n", 'a bad configuration';
};

#
# types
#

subtest 'types lists the catalogue and what the filter keeps' => sub {
	my %want;
	for (split /\n/, slurp(srcdir() . '/t/data/event-types.tsv')) {
		next if /^#/;
		my ($code, @rest) = split /\t/;
		$want{$code} = join ' ', @rest;
	}
	my $listed = tool({}, 'types');
	is "$listed->{exit}$listed->{err}", 0, 'exit status';
	my @line = split /\n/, $listed->{out};
	is pop @line, '89 of 182 types are sent', 'the count';
	my (%got, %sent);
	for (@line) {
		my ($keep, $class, $code, $name) = /^(send|-   )  (\w+) +([\w]+) +(\S.*)$/
			or fail("a line like the others: $_"), next;
		$got{$code} = "$class $name";
		$sent{$code} = $keep eq 'send' ? 1 : 0;
	}
	is_deeply \%got, \%want, 'the codes, their classes and names';
	is_deeply [ map { /(\w+) +\w+ +\S/ ? (split)[2] : () } @line ], [ sort keys %want ], 'sorted';
	is_deeply \%sent, { map { $_ => $want{$_} =~ /^(?:failure|limit|anomaly) / ? 1 : 0 } keys %want },
		'failures, limits and attacks are sent';
	is $line[0], '-     notice    acls_summary                                Network ACLs Summary',
		'the layout';

	my $kept = sub (@args) { (tool({ FILTER => 'fu' }, 'types', @args)->{out} =~ /^(\d+) of 182/m)[0] };
	is $kept->(), 1, 'FILTER of the configuration';
	is $kept->('limit_wc fu'), 2, 'or of the command line';
	is $kept->('-success'), 182 - (grep { /^success / } values %want), 'one that begins with -';
	is $kept->('*,-f*'), (grep { !/^f/ } keys %want), 'globs';
	is $kept->('client_id=x'), 0, 'a field that no type has';
};

subtest 'types refuses a filter that is none, with 2' => sub {
	my @case = (
		'failure !' => '"!" is not a filter term: it is neither a class (failure limit anomaly warning '
			. 'notice success) nor a type code or glob such as f*',
		'f[' => '"f[" is not a filter term: it is neither a class (failure limit anomaly warning '
			. 'notice success) nor a type code or glob such as f*',
		'=x' => '"=x" is not a filter term: it takes the name of a field, =, and a glob',
		' , ' => 'the filter has no term',
		'on' => '"on" is not a filter term: write * for every event',
		'failure limits' => '"limits" is not a filter term: did you mean limit?',
		'failure -*' => 'no event can pass it: its terms exclude all that they include',
	);
	while (my ($filter, $why) = splice @case, 0, 2) {
		is all(tool({}, 'types', $filter)), "2\n--\nlog-stream-ctl: FILTER: $why\n", $filter;
	}
};

#
# The command line
#

subtest '--help and --version are answered on standard output' => sub {
	is all(tool({ LOG => 'x' }, '--help')), <<'END', '--help, with any configuration';
0
usage: log-stream-ctl VERB [ARGUMENT]

  check                   show the configuration and what is wrong with it
  send                    send a test message and print Slack's answer
  try [--json] FILE|-     show what a request body would send; nothing is sent
  feed [--json] FILE|-    send what a file holds, like a request's body
  types [FILTER]          list the event types and which of them are sent
  work [--until-idle]     deliver what is queued, until told to stop
  drain                   deliver what is due; ends with 3 if some must wait
  status [--json]         show how the queue and its destinations stand
  list [--json]           list the events that wait or are set aside
  retry ID...|--all       send again what was set aside
  remove ID...|--all      take events out of the queue, unsent
  schema                  print the SQL of a queue's tables, for PostgreSQL

  --help                  show this
  --version               show the version
--
END
	like all(tool({}, '--version')), qr/\A0\nlog-stream-ctl \(log-stream-to-slack\) \d+\.\d+\.\d+\n--\n\z/,
		'--version';
};

subtest 'misuse is told on standard error, with 2' => sub {
	my @case = (
		[] => 'which verb?',
		[ 'chek' ] => 'unknown verb chek',
		[ '' ] => 'unknown verb',
		[ '--check' ] => 'unknown verb --check',
		[ 'walk' ] => 'unknown verb walk',
		[ 'work', 'x' ] => 'too many arguments to work',
		[ 'drain', '--until-idle' ] => 'unknown option --until-idle',
		[ 'retry' ] => 'name the events by log_id, or say --all',
		[ 'retry', '--all', 'x' ] => 'name the events by log_id, or say --all',
		[ 'remove' ] => 'name the events by log_id, or say --all',
		[ 'work', '--json' ] => 'unknown option --json',
		[ 'status', 'x' ] => 'too many arguments to status',
		[ 'status', '--all' ] => 'unknown option --all',
		[ 'list', 'x' ] => 'too many arguments to list',
		[ 'remove', '--all', 'x' ] => 'name the events by log_id, or say --all',
		[ 'check', 'x' ] => 'too many arguments to check',
		[ 'check', '--json' ] => 'unknown option --json',
		[ 'send', 'x' ] => 'too many arguments to send',
		[ 'try' ] => 'too few arguments to try',
		[ 'try', '--json' ] => 'too few arguments to try',
		[ 'try', 'a', 'b' ] => 'too many arguments to try',
		[ 'try', '--jsn', 'a' ] => 'unknown option --jsn',
		[ 'types', 'f', 's' ] => 'too many arguments to types',
	);
	while (my ($args, $why) = splice @case, 0, 2) {
		is all(tool({}, @$args)), "2\n--\nlog-stream-ctl: $why\n$hint", "'@$args'";
	}
	is scalar($slack->requests), 0, 'nothing is sent';
};

# RFC 3875, 4.4: a query without "=" becomes arguments.
subtest 'in a CGI directory it serves nobody' => sub {
	for my $variable ({ GATEWAY_INTERFACE => 'CGI/1.1' }, { REQUEST_METHOD => 'GET' }) {
		for my $args ([ 'send' ], [ 'check' ], [ 'remove', '--all' ], []) {
			is all(tool($variable, @$args)), "2\n--\nlog-stream-ctl: this program does not answer requests: "
				. "keep it out of the web server's reach\n", "%$variable @$args";
		}
	}
	is scalar($slack->requests), 0, 'nothing is sent';
};

subtest 'output that cannot be written is an error' => sub {
	my $full = sub (@args) {
		return run(env => \%env, stdin => $seed,
			cmd => [ '/bin/sh', '-c', 'exec "$0" "$@" >/dev/full', ctl_path(), @args ]);
	};
	for my $args ([ 'check' ], [ 'types' ], [ 'try', '-' ], [ 'send' ], [ '--help' ], [ '--version' ]) {
		is all($full->(@$args)) =~ s/^(?:records: |f abc).*\n//mgr,
			"1\n--\nlog-stream-ctl: cannot write: No space left on device\n", "@$args";
	}
	is $full->('types', '!')->{exit}, 2, 'where nothing is printed there it does not matter';
};

subtest 'no secret was ever printed' => sub {
	is_deeply [ grep { /SECRET/ } @written ], [], 'in all of the above';
};

done_testing;
