#!/usr/bin/perl
# What "make install" puts where, and what "make uninstall" leaves. It is built
# once more, for the places that a package has, and from what a release has in
# it: a file that was forgotten there is missing here.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use File::Find;
use Test::More;
use LogStream::Test;

my $make = need('make');
my $tree = release();
my ($build, $root) = (tempdir(), tempdir());
umask 022;

# The developer's compiler and flags, but no place of his.
my $configure = <<'END';
eval "set -- $("$build"/config.status --config)"
for given; do
	shift
	case $given in
	[A-Z]*=*) set -- "$@" "$given" ;;
	esac
done
exec "$tree"/configure -q --prefix=/usr --sysconfdir=/etc --localstatedir=/var "$@"
END
my @steps = ([ 'sh', '-c', $configure ], [ $make, qw(-s -j 2) ]);
for my $step (@steps) {
	my $made = run(cmd => $step, cwd => $build, timeout => 300,
		env => { tree => $tree, build => builddir() });
	is $made->{exit}, 0, "what a release has in it is enough for $step->[0]"
		or die $made->{out} . $made->{err};
}

sub make_to_root ($target) {
	my $made = run(cmd => [ $make, '-s', $target, "DESTDIR=$root" ], cwd => $build, timeout => 60);
	is $made->{exit}, 0, "make $target" or diag $made->{out} . $made->{err};
}

# All that is below the root, as "0644 usr/file" and "0755 usr/directory/".
sub tree_of_root () {
	my @found;
	find({ no_chdir => 1, wanted => sub {
		return if $_ eq $root;
		my $mode = (lstat)[2];
		push @found, sprintf '%04o %s%s', $mode & 07777, substr($_, 1 + length $root), -d _ ? '/' : '';
	} }, $root);
	return [ sort @found ];
}

my $doc = 'usr/share/doc/log-stream-to-slack';
my @everybodys = map { "0755 $_/" } qw(usr usr/bin usr/share usr/share/doc usr/share/man
	usr/share/man/man1 usr/share/man/man5);
my %where = ((map { $_ => "$doc/examples/$_" } samples()),
	map { $_ => 'usr/share/man/man' . substr($_, -1) . "/$_" } pages());
my @ours = ((map { "0755 usr/bin/$_" } qw(log-stream-ctl log-stream-to-slack)),
	"0755 $doc/", "0755 $doc/examples/",
	map { "0644 $_" } (map { "$doc/$_" } qw(COPYING INSTALL README)), values %where);
my $installed = [ sort @everybodys, @ours ];

subtest 'programs, manual pages and every sample are installed, and nothing else' => sub {
	cmp_ok scalar(keys %where), '>=', 6, 'samples and pages are found';
	make_to_root('install');
	is_deeply tree_of_root(), $installed, 'each with its mode';
};

subtest 'samples and manual pages name the places of this installation' => sub {
	my %place = (bindir => '/usr/bin', docdir => "/$doc", localstatedir => '/var',
		runstatedir => '/run', sysconfdir => '/etc');
	for my $name (sort keys %where) {
		is slurp("$root/$where{$name}"), sample($name, %place), $name;
	}
};

subtest 'the installed manual pages are clean' => sub {
	my $mandoc = need('mandoc');
	for my $page (pages()) {
		my $lint = run(cmd => [ $mandoc, '-T', 'lint', '-W', 'warning', "$root/$where{$page}" ]);
		is $lint->{out} . $lint->{err}, '', $page;
	}
};

subtest 'the installed programs work' => sub {
	my $ctl = "$root/usr/bin/log-stream-ctl";
	is run(cmd => [ $ctl, 'types' ])->{out}, ctl({}, 'types')->{out}, 'log-stream-ctl';
	like run(cmd => [ $ctl, 'check' ], env => { LOG_STREAM_CONFIG => undef })->{out},
		qr{^file: /etc/log-stream-to-slack\.conf}m, 'it looks for its configuration in /etc';

	my $slack = standin();
	my $queue = queue(slack => $slack);
	my $answer = $queue->cgi(cmd => [ "$root/usr/bin/log-stream-to-slack" ], body => logins('a'));
	is $answer->{status}, 200, 'the door as a CGI program';
	is_deeply [ $slack->wait_for_titles(1) ], [ 'event a [type: f]' ],
		'starts the worker that is installed beside it';
	$queue->end_worker;
};

my $conf = 'etc/log-stream-to-slack.conf';

subtest 'a second installation leaves the configuration alone' => sub {
	mkdir "$root/etc";
	spew("$root/$conf", "SLACK_WEBHOOK_URL=https://mine.example/\n", 0640);
	make_to_root('install');
	is_deeply tree_of_root(), [ sort '0755 etc/', "0640 $conf", @$installed ], 'and adds nothing';
	is slurp("$root/$conf"), "SLACK_WEBHOOK_URL=https://mine.example/\n", 'it is as it was';
};

subtest 'make uninstall takes away what make install brought' => sub {
	make_to_root('uninstall');
	is_deeply tree_of_root(), [ sort '0755 etc/', "0640 $conf", @everybodys ],
		'but for the configuration, and directories that are not ours alone';
	is slurp("$root/$conf"), "SLACK_WEBHOOK_URL=https://mine.example/\n", 'it is as it was';
	make_to_root('uninstall');
};

subtest 'make uninstall leaves what others put among our files' => sub {
	make_to_root('install');
	spew("$root/$doc/examples/mine", '', 0644);
	make_to_root('uninstall');
	is_deeply [ grep { /log-stream/ } @{ tree_of_root() } ], [ "0640 $conf",
		"0644 $doc/examples/mine", "0755 $doc/", "0755 $doc/examples/" ], 'and the way there';
};

done_testing;
