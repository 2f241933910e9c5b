#!/usr/bin/perl
# The package for Debian: built from what a release has in it, with what is
# expected inside, and taken through its life by dpkg, in a root of its own.
# That its Build-Depends are enough is not seen here: they are not asked for.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use File::Find;
use Test::More;
use LogStream::Test;

need($_) for qw(dpkg-buildpackage dh);

my $name = 'log-stream-to-slack';
my $tree = release();
umask 022;
system('cp', '-R', "$tree/conf/debian", "$tree/debian") == 0 or die 'cp conf/debian';
my $built = run(cmd => [ 'dpkg-buildpackage', qw(-b -d --no-sign) ], cwd => $tree, timeout => 600,
	env => { DEB_BUILD_OPTIONS => 'nocheck noddebs parallel=2' });
my ($deb, @others) = glob "$tree/../*.deb";
ok $deb && !@others, 'one package is built' or die $built->{out} . $built->{err};

# With dpkg's programs; not their warnings, unless they fail.
sub dpkg (@command) {
	my $ended = run(cmd => \@command, env => { PATH => "$ENV{PATH}:/usr/sbin:/sbin" });
	is $ended->{exit}, 0, "@command" =~ s{/\S+/}{}gr or diag $ended->{out} . $ended->{err};
	return $ended->{out};
}

my $doc = "usr/share/doc/$name";
# Debian 12's debhelper looks for units in lib alone.
my ($release) = slurp('/etc/os-release') =~ /^VERSION_ID="?(\d+)/m;
my $usr = ($release // 13) < 13 ? '' : 'usr/';
my @units = grep { /\.(?:service|socket)\z/ } samples();
my @files = ((map { "-rwxr-xr-x usr/bin/$_" } 'log-stream-ctl', $name),
	map { "-rw-r--r-- $_" } (map { "$doc/$_" } qw(INSTALL README changelog.Debian copyright)),
	(map { 'usr/share/man/man' . substr($_, -1) . "/$_" } pages()),
	(map { "${usr}lib/systemd/system/$_" } @units),
	(map { "$doc/examples/$_" } grep { !/\.(?:service|socket)\z|\A$name\.conf\z/ } samples()),
	"usr/share/$name/$name.conf", "usr/share/lintian/overrides/$name");

subtest 'it has what make install brings, where Debian wants it' => sub {
	my @found;
	for (grep { !m{/\z} } split /\n/, dpkg('dpkg-deb', '-c', $deb)) {
		my ($mode, $owner, $file) = m{^(\S+) (\S+) .*? \./(.*)\z};
		push @found, $mode . ' ' . $file =~ s/\.gz\z//r;
		is $owner, 'root/root', $file;
	}
	is_deeply [ sort @found ], [ sort @files, "lrwxrwxrwx $doc/examples/$name.conf"
		. " -> ../../../$name/$name.conf" ], 'and nothing else';
};

subtest 'it says what it needs' => sub {
	my %field = dpkg('dpkg-deb', '-f', $deb) =~ /^([\w-]+): (.*)$/mg;
	is $field{Package}, $name, 'its name';
	like $field{Depends}, qr/(?<![\w-])$_/, "$_" for qw(libfcgi libjson-c libsqlite3-0);
	like $field{Depends}, qr/(?:\A|, )libcurl4 \(>= 7\.66\.0\) \| libcurl4t64 \(>= 7\.66\.0\)(?:,|\z)/,
		'libcurl4, though nothing is linked to it';
	is $field{Recommends}, 'ca-certificates', 'the certificate authorities that Slack is known by';
	like $field{Suggests}, qr/\b$_\b/, $_ for qw(apache2 lighttpd nginx);
};

my $control = tempdir();
dpkg('dpkg-deb', '-e', $deb, $control);

subtest 'units that run are stopped before a removal' => sub {
	plan skip_all => 'there are no units' if !@units;
	my $script = eval { slurp("$control/prerm") } // '';
	like $script, qr/remove.*\n.*deb-systemd-invoke stop .*'$_'/, $_ for @units;
};

# What is below the root with our name in its path, but not in these places: as
# "0640 user:group file".
sub ours ($root, $places) {
	my @found;
	find({ no_chdir => 1, wanted => sub {
		my $file = s{\A\Q$root\E/?}{}r;
		return if $file !~ /log-stream/ || $file =~ m{\A(?:$places)/};
		my ($mode, $user, $group) = (lstat)[2, 4, 5];
		push @found, sprintf '%04o %s:%s %s', $mode & 07777, scalar getpwuid $user,
			scalar getgrgid $group, $file;
	} }, $root);
	return [ sort @found ];
}

# But for the package's files, and what dpkg and systemd know of it.
sub made ($root) { return ours($root, 'usr|lib|var/lib/dpkg|var/lib/systemd') }

# dpkg is to run them for a root of ours, and they could purge this machine's.
my @loose = grep { !/^\s*#/ && m{(?<!\$DPKG_ROOT)(?<![\w.\$])/(?:etc|var|usr)\b} }
	map { split /\n/ } map { s/^# Automatically added.*?^# End auto//gmsr }
	map { slurp("$control/$_") } qw(postinst postrm);
is_deeply \@loose, [], 'its scripts keep to the root they are told';

subtest 'dpkg installs, upgrades, removes and purges it' => sub {
	plan skip_all => 'its scripts do not' if @loose;
	plan skip_all => 'only root can give a file to www-data' if $> != 0;

	my $root = tempdir();
	system('mkdir', '-p', map { "$root/$_" } qw(etc var/lib/dpkg/info var/lib/dpkg/updates)) == 0
		or die 'mkdir';
	spew("$root/var/lib/dpkg/status", '');
	my @dpkg = ('dpkg', "--root=$root", "--log=$root/log",
		qw(--force-depends --force-script-chrootless));
	my ($conf, $state) = ("etc/$name.conf", "var/lib/$name");
	my $fresh = [ "0640 root:www-data $conf", "0700 www-data:www-data $state" ];

	dpkg(@dpkg, '-i', $deb);
	is_deeply made($root), $fresh, 'a configuration and a directory are made for the web server';
	is slurp("$root/$conf"), slurp("$root/usr/share/$name/$name.conf"), 'the configuration is the sample';
	is run(cmd => [ "$root/usr/bin/log-stream-ctl", 'types' ])->{exit}, 0, 'the programs run';

	spew("$root/$conf", "mine\n");
	chmod 0600, "$root/$conf" or die;
	spew("$root/$state/queue.db", "waiting\n", 0600);
	chmod 0750, "$root/$state" or die;
	my $mine = [ sort "0600 root:www-data $conf", "0750 www-data:www-data $state",
		"0600 root:root $state/queue.db" ];
	dpkg(@dpkg, '-i', $deb);
	is_deeply made($root), $mine, 'an upgrade changes neither';
	is slurp("$root/$conf"), "mine\n", 'nor what is in it';

	dpkg(@dpkg, '--remove', $name);
	is_deeply made($root), $mine, 'nor does a removal';
	ok !-e "$root/usr/bin/log-stream-ctl", 'the programs are gone';
	dpkg(@dpkg, '-i', $deb);
	is slurp("$root/$conf"), "mine\n", 'and another installation finds it';

	unlink "$root/$conf" or die;
	dpkg(@dpkg, '-i', $deb);
	ok !-e "$root/$conf", 'one that was deleted does not come back';

	spew("$root/$conf", "mine\n", 0640);
	dpkg(@dpkg, '--purge', $name);
	is_deeply ours($root, 'var/lib/dpkg'), [], 'a purge leaves nothing';
	dpkg(@dpkg, '-i', $deb);
	is_deeply made($root), $fresh, 'and the next installation is a first one';
};

done_testing;
