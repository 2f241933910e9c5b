#!/usr/bin/perl
# What holds for the texts of this tree: rules that a reader would otherwise
# have to check by eye, and documents that say what the programs do.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Test::More;
use Text::Tabs qw(expand);
use LogStream::Test;

my $src = srcdir();
my @code = map { glob "$src/$_/*.[ch]" } qw(fcgi lib/* lib/*/* t/bench t/fuzz t/unit);
my @shipped = grep { m{/(?:fcgi|lib)/} } @code;
my @pages = map { "$src/$_.in" } 'conf/log-stream-to-slack.conf.5',
	'fcgi/log-stream-ctl.1', 'fcgi/log-stream-to-slack.1';

# Every line of the files that matches, as file:number: line.
sub lines_like ($pattern, @files) {
	my @found;
	for my $file (@files) {
		my $number = 0;
		for my $line (split /\n/, slurp($file)) {
			$number++;
			push @found, "$file:$number: $line" if $line =~ $pattern;
		}
	}
	return @found;
}

sub none_like ($pattern, $title, @files) {
	is_deeply [ lines_like($pattern, @files) ], [], $title;
}

ok @shipped > 20, 'the sources are found';
none_like(qr/\b(?:strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok|system|popen|alloca)\s*\(/,
	'no function is called that cannot be told a limit or an error', @shipped);
none_like(qr/\s$/, 'no line ends in white space', @code);
none_like(qr/^ {8}/, 'code is indented with tabs', @code);

is_deeply [ grep { length expand($_) > 80 } map { split /\n/, slurp($_) } @shipped ],
	[], 'no line of code is longer than 80 columns';

for my $owner ([ 'curl/', 'post_curl.h' ], [ 'json-c/', 'json.c' ],
	[ 'libpq-fe', 'queue_pq.h' ],
	[ 'sqlite3', 'queue_sqlite.h' ], [ 'fcgiapp', 'gateway.c' ]) {
	my ($header, $files) = @$owner;
	my %allowed = map { $_ => 1 } split ' ', $files;
	is_deeply [ grep { !$allowed{ s{:.*}{}r =~ s{.*/}{}r } }
		lines_like(qr/#include <$header/, @shipped) ], [],
		"<$header is included by $files alone";
}

# A folder of lib uses itself and those before it, never one behind it; and a
# queue knows neither Slack nor what a configuration says.
my @rooms = qw(base json event slack webhook queue queue/sqlite queue/pgsql config delivery status receive);
my %rank = map { $rooms[$_] => $_ } 0 .. $#rooms;
my %hidden = map { $_ => qr{^(?:slack|webhook)$} } grep { /^queue/ } @rooms;
my (@upward, %uses);
for my $file (grep { m{/lib/} } @shipped) {
	my ($room, $name) = $file =~ m{/lib/(.+)/([^/]+)$} or next;
	for my $line (lines_like(qr/^#include "/, $file)) {
		my ($to, $header) = $line =~ m{"(?:(.+)/)?([^/]+)"};
		push @{ $uses{"$room/$name"} }, "$to/$header" if defined $to;
		push @upward, $line if !defined $to || !defined $rank{$to} || $rank{$to} > $rank{$room}
			|| $to =~ ($hidden{$room} // qr/^\b$/);
	}
}
is_deeply [ grep { !m{/lib/(.+)/[^/]+$} || !defined $rank{$1} } grep { m{/lib/} } @shipped ], [], 'every source of the library is in a folder';
is_deeply \@upward, [], 'no folder of the library uses one above it';

# The way from a header back to itself, if there is one.
sub circle ($header, @way) {
	return join ' -> ', @way, $header if grep { $_ eq $header } @way;
	for my $next (@{ $uses{$header} // [] }) {
		my $found = circle($next, @way, $header);
		return $found if $found;
	}
	return;
}
is_deeply [ map { circle($_) // () } sort grep { /\.h$/ } keys %uses ], [], 'no header includes itself by way of others';

is_deeply [ grep { slurp($_) !~ m{^/\* SPDX-License-Identifier: ISC \*/\n/\*} } @code ],
	[], 'every source begins with its licence and what it is for';

my @keys = slurp("$src/lib/config/key.c") =~ /\.name = "([A-Z0-9_]+)"/g;
ok @keys >= 9, 'the keys of the configuration are found';
for my $key (@keys) {
	like slurp($pages[0]), qr/^\.It Ev $key$/m, "$key has its place in the manual";
	like slurp("$src/conf/log-stream-to-slack.conf.in"), qr/^#?$key=/m,
		"$key is in the sample configuration";
}
my ($threats) = slurp("$src/README") =~ /^  Threat +Defence +Held by\n(.*?)^\S/ms;
my %holder = map { $_ => 1 } $threats =~ m{([a-z]+\.t|unit/\w+)}g;
ok keys %holder > 15, "the README's threats have tests";
is_deeply [ grep { !-e "$src/t/" . (/\.t\z/ ? $_ : "$_.c") } sort keys %holder ], [], 'which are there';

my @verbs = slurp("$src/fcgi/ctl.c") =~ /\.name = "([a-z]+)"/g;
ok @verbs >= 4, 'the verbs of log-stream-ctl are found';
for my $verb (@verbs) {
	like slurp($pages[1]), qr/^\.It Cm $verb\b/m, "the verb $verb has its place in the manual";
}

is +(slurp("$src/conf/debian/changelog") =~ /\A\S+ \((\S+)-\d+\)/)[0],
	(slurp("$src/configure.ac") =~ /^AC_INIT\(\[[^]]+\], \[([^]]+)\]/m)[0],
	'the package for Debian has the version of the program';

subtest 'a process that was not found is sent no signal' => sub {
	for my $pid (0, 1, -1, '', undef) {
		my $sent = eval { kill 0 => $pid };
		like $@, qr/^no process to send 0 to: /, 'such as ' . ($pid // 'undef');
	}
	is kill(0 => $$), 1, 'one that was found is';
	my @scripts = glob "$src/t/*.t $src/t/lib/LogStream/*.pm";
	is_deeply [ grep { /^[^#]*(?<![\w:>\$%])kill \$?[A-Z]/m && !/^use LogStream::Test(?:;| qw\([^)]*\bkill\b)|^sub kill/m }
		map { slurp($_) } @scripts ], [], 'no script goes past that';
};

subtest 'the manual pages are clean mdoc' => sub {
	my $mandoc = need('mandoc');
	for my $page (@pages) {
		my $lint = run(cmd => [ $mandoc, '-T', 'lint', '-W', 'warning', $page ]);
		is $lint->{out} . $lint->{err}, '', $page =~ s{.*/}{}r;
	}
};

subtest 'the sample configuration is one' => sub {
	my $dir = tempdir();
	my $text = slurp("$src/conf/log-stream-to-slack.conf.in");
	$text =~ s/^SLACK_WEBHOOK_URL=\K/http:\/\/127.0.0.1:1\/x/m or die;
	$text =~ s/\@localstatedir\@\/lib\/log-stream-to-slack/$dir/g == 2 or die;
	my @defaults = $text =~ /^#([A-Z_]+=.+)$/mg;
	$text =~ s/^#(?=[A-Z_]+=.)//mg;
	spew("$dir/.env", $text, 0600);
	my $check = ctl({ LOG_STREAM_CONFIG => "$dir/.env" }, 'check');
	is $check->{exit}, 0, 'log-stream-ctl check takes it, with every default uncommented'
		or diag $check->{out};

	spew("$dir/.env", "SLACK_WEBHOOK_URL=http://127.0.0.1:1/x\n", 0600);
	my %default = ctl({ LOG_STREAM_CONFIG => "$dir/.env" }, 'check')->{out} =~ /^([A-Z_]+=.+?)    \((default)\)$/mg;
	is_deeply [ sort @defaults ], [ sort keys %default ], 'and the defaults in it are those in force';
};

done_testing;
