#!/usr/bin/perl
# configure --enable-static-door: a door that needs no library where it runs,
# and a queue. Both programs are built so here, from a copy of the sources,
# because a tree that is configured in place lets no other be made of it.
use v5.20;
use warnings;
use feature qw(signatures state);
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use File::Path qw(make_path);
use LogStream::Test;
use Test::More;

my $top = tempdir();
my ($door, $ctl) = map { "$top/build/fcgi/log-stream-$_" } qw(to-slack ctl);
my $no_queue = 'QUEUE is not set: log-stream-to-slack is linked statically and cannot '
	. 'post by itself: give it a queue, such as sqlite:/var/lib/log-stream-to-slack/queue.db';

# The sources as they are, their times too: what is made of them is not made
# anew.
sub copy_sources () {
	my ($src, $tree) = (srcdir(), "$top/src");
	make_path(map { "$top/$_" } qw(build lacking));
	for my $pattern (qw(configure configure.ac aclocal.m4 Makefile.am Makefile.in),
		'build-aux/*', map { ("$_/*.[ch]", "$_/*.in") } qw(fcgi lib/* lib/*/*)) {
		for my $file (glob "$src/$pattern") {
			my ($dir) = $file =~ m{^\Q$src\E(.*)/};
			make_path("$tree$dir");
			system('cp', '-Lp', $file, "$tree$dir") == 0 or die "cp of $file";
		}
	}
}

# As the tree under test was configured, and statically.
sub configure ($dir, @more) {
	return run(cwd => "$top/$dir", timeout => 120, cmd => [ '/bin/sh', '-c',
		'eval "set -- $("$0" --config) $*"
		exec ../src/configure -q "$@" --srcdir=../src --enable-static-door',
		builddir() . '/config.status', @more ]);
}

sub make (@target) {
	return run(cwd => "$top/build", timeout => 120, cmd => [ need('make'), '-s', '-j2', 'V=0', @target ]);
}

# As cgi(), where there is nothing but the door and what else is in $root.
sub cgi_in ($root, %o) {
	state @enter = $> == 0 ? need('chroot') : (need('unshare'), '-Ur', need('chroot'));
	return cgi(cmd => [ @enter, $root, '/door' ], %o);
}

# "503 the queue ..." of an answer whose body is a line.
sub told ($answer) { return "$answer->{status} " . $answer->{body} =~ s/\n\z//r }

# What a log says is wrong, or what one process says in it.
sub errors ($log, $pid = qr/\d+/) {
	return [ $log =~ /log-stream-to-slack\[$pid\]: error error="(.*)"$/mg ];
}

sub log_ids ($ended) { return [ $ended->{out} =~ /"id":\s*"(\w+)"/g ] }

need($_) for qw(make readelf);
copy_sources();
my $configured = configure('build');
if ($configured->{err} =~ /^configure: error: --enable-static-door: (the static .*) is missing/m) {
	plan skip_all => "$1 is not installed" if ($ENV{CI} // '') ne 'true';
}
is $configured->{exit}, 0, 'configure takes --enable-static-door' or diag $configured->{err};

my $made = make('fcgi/log-stream-to-slack', 'fcgi/log-stream-ctl');
is $made->{exit}, 0, 'make makes both programs';
is $made->{err}, '', 'and neither compiler nor linker has anything to say';
die "there is no door to test\n" if !-x $door || !-x $ctl;

subtest 'the door asks for no library and no loader' => sub {
	my $seen = run(cmd => [ need('readelf'), '-ldW', $door ]);
	like $seen->{out}, qr/^\s+LOAD /m, 'it is a program';
	unlike $seen->{out}, qr/INTERP|interpreter/, 'without a loader';
	unlike $seen->{out}, qr/NEEDED/, 'and without libraries';
	unlike slurp($door), qr/libcurl\.so/, 'nor for one that posts would need';
	like run(cmd => [ need('readelf'), '-dW', $ctl ])->{out}, qr/NEEDED.*libjson-c/,
		'log-stream-ctl has them';
};

subtest 'a static library that is not there is named' => sub {
	my $lacking = configure('lacking', 'JSONC_CFLAGS=-I.', 'JSONC_LIBS=-l:libjson-c.so');
	is $lacking->{exit}, 1, 'configure fails';
	is $lacking->{err}, "configure: error: --enable-static-door: the static json-c (libjson-c.a) "
		. "is missing: install it, or leave the option out\n", 'and says which';
};

subtest 'without a queue it answers 503 and says what to do, and so does check' => sub {
	my $slack = standin();
	my %env = (SLACK_WEBHOOK_URL => $slack->url('/services/T/B/x'));
	my $answer = cgi(cmd => [ $door ], env => \%env, body => logins('a'));
	is told($answer), '503 the configuration of this program is bad: its log says why, and so does '
		. 'log-stream-ctl check', 'the answer';
	is_deeply errors($answer->{err}), [ $no_queue ], 'the log';
	$answer = cgi(cmd => [ $door ], env => { %env, QUEUE => 'postgresql://host/db' }, body => logins('a'));
	is $answer->{status}, 503, 'another queue than a file is answered so too';
	like errors($answer->{err})->[0], qr/^environment: QUEUE: .*use sqlite:/, 'and said';

	my $check = run(cmd => [ $ctl, 'check' ], env => \%env);
	is $check->{exit}, 1, 'check fails';
	is_deeply [ $check->{out} =~ /^error: (.*)$/mg ], [ $no_queue ], 'with the same words';
	my $send = run(cmd => [ $ctl, 'send' ], env => \%env);
	is $send->{out}, "Slack answered 200: ok\n", 'but log-stream-ctl can post';
	is $slack->requests, 1, 'and it alone did';
};

subtest 'it runs where there is nothing else' => sub {
	my $root = tempdir();
	copy($door, "$root/door") && chmod 0755, "$root/door" or die "$root/door: $!";
	mkdir "$root/state" or die $!;
	my $conf = "SLACK_WEBHOOK_URL=https://hooks.slack.com/services/x\nQUEUE=sqlite:/state/queue.db\n";
	spew("$root/conf", $conf, 0600);
	utime 1, 1, "$root/conf"; # a young one without a token may be half written
	my $answer = cgi_in($root, env => { LOG_STREAM_CONFIG => '/conf' }, body => logins('a', 'b'));
	plan skip_all => 'a root directory of our own is not to be had'
		if $answer->{raw} eq '' && $answer->{err} =~ /not permitted|denied|unshare/;
	is told($answer), '200 ok', 'an event is taken';
	like errors($answer->{err})->[0], qr/^there is no worker to start: put log-stream-ctl beside /,
		'nobody is there to deliver it';
	my %env = (QUEUE => "sqlite:$root/state/queue.db");
	is_deeply log_ids(ctl(\%env, 'list', '--json')), [ qw(a b) ], 'but it is in the queue';

	# User 0 is whoever runs it, in either kind of root.
	make_path("$root/etc", "$root/home/me/.config");
	rename "$root/conf", "$root/home/me/.config/log-stream-to-slack.conf" or die $!;
	spew("$root/etc/passwd", "you:x:7:0::/home/you:/bin/sh\nme:x:0:0::/home/me:/bin/sh\n");
	%env = (LOG_STREAM_CONFIG => undef);
	is told(cgi_in($root, env => \%env, body => logins('c'))), '200 ok',
		'its configuration may be in the home that /etc/passwd names';
	spew("$root/etc/passwd", "me:x:7:0::/home/me:/bin/sh\n");
	is cgi_in($root, env => \%env, body => logins('c'))->{status}, 503, 'of its user alone';
	unlink "$root/etc/passwd";
	is cgi_in($root, env => \%env, body => logins('c'))->{status}, 503, 'and need not be there';
};

subtest 'it starts a worker, which delivers' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	is told($queue->cgi(cmd => [ $door ], body => logins('a'))), '200 ok', 'an event';
	is_deeply [ $slack->wait_for_titles(1) ], [ 'event a [type: f]' ], 'arrives';
	is readlink '/proc/' . $queue->worker . '/exe', $ctl, 'by the log-stream-ctl beside it';
	$queue->end_worker;
};

subtest 'it is a FastCGI program as well, and keeps a good configuration' => sub {
	my $slack = standin();
	my $queue = queue(slack => $slack);
	$queue->configure;
	my $running = $queue->fastcgi(cmd => [ $door ]);
	is told($queue->ask($running, body => logins('a'))), '200 ok', 'an event';
	$slack->wait_for_titles(1);
	$queue->configure(QUEUE => undef);
	is told($queue->ask($running, body => logins('b'))), '200 ok',
		'another, when the new configuration has no queue';
	is_deeply errors($queue->log, $running->pid), [ $no_queue,
		'the new configuration is bad: the old one stays in force' ], 'the log says so';
	$queue->configure(QUEUE => $queue->address);
	is told($queue->ask($running, body => logins('c'))), '200 ok', 'a third, when it has one again';
	is_deeply [ $slack->wait_for_titles(3) ], [ map { "event $_ [type: f]" } qw(a b c) ], 'all arrive';
	$queue->end_worker;
	$running->signal('TERM');
	is $running->wait_exit, 0, 'it ends when asked to';
};

subtest 'a shared host takes it as it takes the other' => sub {
	plan skip_all => 'this is not root' if $> != 0;
	my $home = run(timeout => 120, cmd => [ $^X, "$FindBin::Bin/home.t" ], env => { HOME_DOOR => $door,
		map { $_ => $ENV{$_} } grep { defined $ENV{$_} } qw(top_srcdir top_builddir CI) });
	is $home->{exit}, 0, 'all that holds there' or diag $home->{out} . $home->{err};
};

done_testing;
