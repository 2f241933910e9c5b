#!/usr/bin/perl
# When libcurl is loaded: for the first message and not before; and what
# becomes of a message where it is missing. To be without it, the programs are
# copied with another name for it in them, which nobody has: whoever gives it
# that name in a directory of LD_LIBRARY_PATH installs it.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use DynaLoader;
use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Test;
use Test::More;

my ($soname) = slurp(ctl_path()) =~ /(libcurl[\w.-]*\.so[\w.]*)\0/;
ok $soname, 'the programs have a name for it' or BAIL_OUT('no libcurl');
my $passing = '[{"log_id":"n","data":{"type":"s"}}]';

# Where it is on this machine.
my $library = ${ later(sub {
	DynaLoader::dl_load_file($soname) or die DynaLoader::dl_error();
	return \((maps($$))[0]);
})->() };

# The files of that name that a process has mapped.
sub maps ($pid) { return slurp("/proc/$pid/maps") =~ m{(/\S*/\Q$soname\E\S*)$}mg }

# "503 the queue ..." of an answer whose body is a line.
sub told ($answer) { return "$answer->{status} " . $answer->{body} =~ s/\n\z//r }

#
# When it is loaded
#

# What the loader is heard to open, by what it has to say of each file.
sub loads ($ended) { return $ended->{err} =~ /file=\Q$soname\E / ? 'loaded' : 'not loaded' }

my $slack = standin();
my %loud = (LD_DEBUG => 'files', SLACK_WEBHOOK_URL => $slack->url('/services/x'));

subtest 'a CGI request loads it when it posts' => sub {
	my %token = (AUTH0_LOG_STREAM_TOKEN => 'token-0123456789');
	my @case = ([ 405, 'not loaded', method => 'GET' ], [ 401, 'not loaded', env => \%token ],
		[ 400, 'not loaded', body => '[' ], [ 204, 'not loaded', body => $passing ],
		[ 200, 'loaded' ]);
	for (@case) {
		my ($status, $want, %o) = @$_;
		my $answer = cgi(body => logins('a'), %o, env => { %loud, %{ $o{env} // {} } });
		is $answer->{status}, $status, "an answer of $status";
		like $answer->{err}, qr/file=libc\.so/, 'the loader is heard';
		is loads($answer), $want, $want;
	}
};

subtest 'a CGI request with a queue does not' => sub {
	my $queue = queue(slack => $slack);
	my $away = $queue->keep_workers_away;
	my $answer = $queue->cgi(env => \%loud, body => logins('a'));
	is told($answer), '200 ok', 'it is queued';
	is loads($answer), 'not loaded', 'not loaded';
};

subtest 'a FastCGI door loads it with the first message' => sub {
	my $door = fastcgi(env => { SLACK_WEBHOOK_URL => $slack->url('/services/x') });
	is $door->request(body => $passing)->{status}, 204, 'an answer of 204';
	is_deeply [ maps($door->pid) ], [], 'not loaded';
	is $door->request(body => logins('a'))->{status}, 200, 'one of 200';
	isnt scalar(() = maps($door->pid)), 0, 'loaded';
};

subtest 'a worker loads it with the first message' => sub {
	my $queue = queue(slack => $slack);
	my $worker = $queue->work;
	$queue->wait_for_worker;
	wait_until(sub { $worker->state eq 'S' }, 10, 'it to have nothing to do');
	is_deeply [ maps($worker->pid) ], [], 'it waits without';
	is told($queue->cgi(body => logins('a'))), '200 ok', 'an event';
	$queue->wait_until_empty;
	isnt scalar(() = maps($worker->pid)), 0, 'loaded';

	$worker->signal('TERM');
	is $worker->wait_exit, 0, 'it ends';
	$worker = process(env => { %{ $queue->env }, LD_DEBUG => 'files' }, cmd => [ ctl_path(), 'work' ]);
	wait_until(sub { $queue->worker && $worker->state eq 'S' }, 10, 'another to have nothing to do');
	$worker->signal('TERM');
	is $worker->wait_exit(3), 0, 'another that had nothing to do ends at once';
	like $worker->err, qr/file=libc\.so/, 'the loader is heard';
	is loads({ err => $worker->err }), 'not loaded', 'it never loaded it';
};

subtest 'so do the verbs that need it' => sub {
	is loads(ctl(\%loud, 'types')), 'not loaded', 'types does not';
	is loads(ctl(\%loud, 'check')), 'loaded', 'check does';
	is loads(ctl(\%loud, 'send')), 'loaded', 'so does send';
};

#
# Where it is missing
#

# Both programs, without it.
my $dir = tempdir();
my $missing = $soname =~ s/\w\z/~/r;
for my $program (door_path(), ctl_path()) {
	my $bytes = slurp($program);
	$bytes =~ s/\Q$soname\E(?=\0)/$missing/g or die "$program has no $soname";
	spew("$dir/" . $program =~ s{.*/}{}r, $bytes, 0755);
}
my ($door, $ctl) = map { "$dir/log-stream-$_" } qw(to-slack ctl);

# What is said where the loader says this.
sub reason ($detail) {
	return "$missing cannot be loaded: install libcurl 7.66.0 or newer (Debian's libcurl4): $detail";
}

my $gone = reason("$missing: cannot open shared object file: No such file or directory");
my $away = "error destination=default events=1 slack_status=0 slack=\"$gone\" ms=N outcome=later";

sub posts_in ($log) { return map { s/\bms=\d+/ms=N/r } $log =~ /: (\w+ destination=default events=.*)$/mg }

subtest 'without it a request is answered 502, for Auth0 to try again' => sub {
	my $answer = cgi(cmd => [ $door ], body => logins('a'), env => \%loud);
	is told($answer), '502 Slack cannot be reached: the log of this program says why', 'the answer';
	is_deeply [ posts_in($answer->{err}) ], [ $away ], 'and the log has the reason';
	is cgi(cmd => [ $door ], body => $passing, env => \%loud)->{status}, 204,
		'one that posts nothing is answered as ever';
};

subtest 'check says so, and send' => sub {
	my %env = (SLACK_WEBHOOK_URL => $slack->url('/services/x'));
	my $check = run(cmd => [ $ctl, 'check' ], env => \%env);
	is $check->{exit}, 1, 'check fails';
	is_deeply [ $check->{out} =~ /^error: (.*)$/mg ], [ $gone ], 'with the reason';
	my $send = run(cmd => [ $ctl, 'send' ], env => \%env);
	is "$send->{exit} $send->{out}", "1 no answer: $gone\n", 'so does send';
};

subtest 'a library that is not it, or is too old, is no better' => sub {
	my $lib = tempdir();
	my %env = (SLACK_WEBHOOK_URL => $slack->url('/services/x'), LD_LIBRARY_PATH => $lib);
	spew("$lib/$missing", '');
	my $check = run(cmd => [ $ctl, 'check' ], env => \%env);
	is_deeply [ $check->{out} =~ /^error: (.*)$/mg ], [ reason("$lib/$missing: file too short") ], 'a file';
	unlink "$lib/$missing";

	my ($other) = slurp("/proc/$$/maps") =~ m{(/\S+/libc\.so\S*)$}m or die 'no C library';
	symlink $other, "$lib/$missing" or die "symlink: $!";
	$check = run(cmd => [ $ctl, 'check' ], env => \%env);
	is_deeply [ $check->{out} =~ /^error: (.*)$/mg ], [ reason('it has no curl_easy_cleanup') ],
		'one without its functions';
	is $check->{exit}, 1, 'check fails';
};

subtest 'a worker keeps the events until it is there' => sub {
	my $lib = tempdir();
	my $slack = standin();
	my $queue = queue(slack => $slack, env => { LD_LIBRARY_PATH => $lib });
	is told($queue->cgi(cmd => [ $door ], body => logins('a', 'b'))), '200 ok', 'the door takes them';
	wait_until(sub { 3 <= (() = posts_in($queue->log)) }, 10, 'three tries');
	my $worker = $queue->worker;
	is program_of($worker), $ctl, 'a worker tries';
	is_deeply [ (posts_in($queue->log))[0 .. 2] ], [ ($away =~ s/events=1/events=2/r) x 3 ],
		'says each time what is missing';
	is $queue->standing->{waiting}, 2, 'and keeps them';

	symlink $library, "$lib/$missing" or die "symlink: $!";
	is_deeply [ $slack->wait_for_titles(2) ], [ 'event a [type: f]', 'event b [type: f]' ],
		'both arrive once it is there';
	is $queue->worker, $worker, 'by the same worker';
	$queue->wait_until_empty;
	is scalar($slack->requests), 1, 'once';
	$queue->end_worker;
};

done_testing;
