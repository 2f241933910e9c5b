#!/usr/bin/perl
# A customer of a shared host, who has a home directory, a cgi-bin and cron,
# and no more: the shipped htaccess and the cron line of the manual, under a
# real Apache with a real suEXEC. The host is a file tree of its own with the
# system's programs in it, so that nothing of this machine is changed. What
# the door answers in each case is tested in cgi.t; here, that it arrives.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

# The mounts are this process's own, and gone with it. In a chroot they cannot
# be made private all at once, so that is done below for each.
BEGIN {
	my @unshare = qw(unshare --mount --propagation unchanged);
	if ($> == 0 && !$ENV{HOME_MOUNTS} && system("@unshare true 2>/dev/null") == 0) {
		$ENV{HOME_MOUNTS} = 1;
		exec @unshare, $^X, $0;
	}
}

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use File::Path qw(make_path);
use JSON::PP;
use LogStream::Cases;
use LogStream::Server;
use LogStream::Test;
use Test::More;

plan skip_all => 'this is not root: suEXEC runs programs as another user' if $> != 0;
plan skip_all => 'this root may not mount' if !$ENV{HOME_MOUNTS};
my $apache = need('apache2');
need('/usr/lib/apache2/suexec-custom');

#
# The host
#

# A user that no machine has, of a group that none has.
my ($name, $uid, $gid) = ('customer', 61001, 61002);
my $host = tempdir();
my $main = $$;
my $mounted;

END {
	if ($mounted && $$ == $main) {
		local $?;
		LogStream::Test::end_left_behind();
		system 'umount', '--lazy', $host;
	}
}

sub mount (@arguments) {
	system("mount @arguments 2>/dev/null") == 0
		or plan skip_all => "mount @arguments: it may not be done here";
}

sub build_host () {
	system 'mount --make-rprivate / 2>/dev/null';
	mount('-t tmpfs -o mode=755 tmpfs', $host);
	$mounted = 1;
	mount('--make-private', $host);
	for my $dir (grep { -e } map { "/$_" } qw(bin dev lib lib32 lib64 libx32 proc sbin usr)) {
		symlink(readlink $dir, "$host$dir") and next if -l $dir;
		mkdir "$host$dir";
		mount('--bind', $dir, "$host$dir");
	}
	mkdir "$host$_" or die "$_: $!" for qw(/apache /etc /etc/alternatives /etc/apache2
		/etc/apache2/suexec /home /run /tmp /var /var/log /var/log/apache2);
	chmod 01777, "$host/tmp";
	if ($ENV{REPORTS}) { # what the programs are watched for is told there
		make_path("$host$ENV{REPORTS}");
		mount('--bind', $ENV{REPORTS}, "$host$ENV{REPORTS}");
	}
	copy('/etc/ld.so.cache', "$host/etc/ld.so.cache");
	symlink '/usr/lib/apache2/suexec-custom', "$host/etc/alternatives/suexec";
	my @www_data = getpwnam 'www-data';
	spew("$host/etc/passwd", "root:x:0:0::/:/bin/sh\n"
		. "www-data:x:$www_data[2]:$www_data[3]::/:/bin/sh\n"
		. "$name:x:$uid:${gid}::/home/$name:/bin/sh\n");
	spew("$host/etc/group", "root:x:0:\nwww-data:x:$www_data[3]:\n$name:x:$gid:\n");
	# The second line is Debian's.
	spew("$host/etc/apache2/suexec/www-data", "/home\npublic_html/cgi-bin\n");
	mkdir "$host/home/$name", 0711 or die $!;
	chown $uid, $gid, "$host/home/$name";
}

build_host();
my $home = "$host/home/$name";

# What a customer types, or cron runs: a line for sh, with nothing in its
# environment but what cron gives.
sub customer ($line) {
	return run(cmd => [ need('chroot'), "--userspec=$name", $host, qw(/usr/bin/env -i -C),
		"/home/$name", "HOME=/home/$name", "LOGNAME=$name", 'PATH=/usr/bin:/bin',
		'SHELL=/bin/sh', '/bin/sh', '-c', $line ]);
}

# A file of the customer's.
sub put ($file, $text, $mode) {
	spew("$home/$file", $text, $mode);
	chown $uid, $gid, "$home/$file" or die "$file: $!";
}

sub mode_and_owner ($file) {
	my @stat = stat "$home/$file" or return 'not there';
	return sprintf '%04o %d %d', $stat[2] & 07777, @stat[4, 5];
}

package Apache {
	our @ISA = 'LogStream::Server::Apache';

	sub furnish ($self) {
		$self->{dir} = "$host/apache";
		main::spew("$self->{dir}/error.log", '');
	}

	sub path ($self) { return '/cgi-bin/log-stream/logs.cgi' }
	sub door ($self) { return $home . $self->path }

	sub arguments ($self, $dir) { return $host, $apache, qw(-DFOREGROUND -f /apache/conf) }

	sub configuration ($self, @) {
		return join '', map({ "LoadModule ${_}_module /usr/lib/apache2/modules/mod_$_.so\n" }
			qw(alias authz_core mime setenvif suexec), @{ $self->{modules} }), <<"END", $self->{conf};
ServerName localhost
Listen 127.0.0.1:$self->{port}
ServerRoot /apache
DefaultRuntimeDir /apache
PidFile /apache/pid
ErrorLog /apache/error.log
TypesConfig /dev/null
User www-data
Group www-data
END
	}
}

# modules => [...], conf => text
sub host (%o) {
	return bless({ %o, program => need('chroot'), snippet => 'htaccess' }, 'Apache')->up;
}

#
# The customer
#

my $slack = standin();
my $token = 'token-SECRETtoken-0123456789';
my %setting = (SLACK_WEBHOOK_URL => $slack->url('/as/home'), AUTH0_LOG_STREAM_TOKEN => $token,
	QUEUE => "sqlite:/home/$name/.log-stream/queue.db", LOG => "/home/$name/.log-stream/log",
	SLACK_INTERVAL => '50ms');
my $settings_file = '.config/log-stream-to-slack.conf';
my $htaccess = slurp(srcdir() . '/conf/htaccess.in');

# What came with the program, and what is done with it.
mkdir "$home/new" or die $!;
copy($ENV{HOME_DOOR} // door_path(), "$home/new/log-stream-to-slack") or die $!;
copy(ctl_path(), "$home/new/log-stream-ctl") or die $!;
chmod 0644, glob "$home/new/*"; # as FTP leaves them
put('new/htaccess', $htaccess, 0600);
put('new/log-stream-to-slack.conf', settings_text(\%setting), 0644);

# As INSTALL has it.
my ($steps) = slurp(srcdir() . '/INSTALL') =~ /^((?: {4}.*\n)*? {4}cp new.*\n(?: {4}.*\n)+)/m;

sub install ($cgi_bin, $own = 'log-stream') {
	my $done = customer("set -e\n" . $steps =~ s{cgi-bin/log-stream}{$cgi_bin/$own}gr);
	is "$done->{exit}$done->{out}$done->{err}", '0', "what INSTALL says works for $cgi_bin/$own";
}

# The queue, seen from outside.
my $queue = bless { path => "$home/.log-stream/queue.db", env => { SLACK_WEBHOOK_URL => $slack->url('/as/home'),
	QUEUE => "sqlite:$home/.log-stream/queue.db" } }, 'LogStream::Test::Queue';

sub told ($answer) { return "$answer->{status} " . ($answer->{body} // '') =~ s/\n\z//r }

# A POST with the right token, but for what is given.
sub post ($url, $body, %header) {
	%header = ('Content-Type' => 'application/json', Authorization => $token, %header);
	delete $header{$_} for grep { !defined $header{$_} } keys %header;
	return http('POST', $url, \%header, $body);
}

my $serial = 0;
sub event () { return logins('id-' . ++$serial) }

# What became of a request whose token is right.
sub status ($url) { return post($url, event())->{status} }

sub titles (@number) { return [ map { "event id-$_ [type: f]" } @number ] }

# What cron has for the customer, as the manual has it.
my ($cron, $other) = map { slurp(srcdir() . "/$_") =~ m{^ *\*/5 \* \* \* \* (.*drain.*)$}m }
	qw(fcgi/log-stream-ctl.1.in INSTALL);
is $cron, $other, 'the manual and INSTALL have the same line for cron';

#
# What holds for every host
#

sub test_host ($title, $server, $place, $directory) {
	my $url = $server->url("$place/logs.cgi");

	subtest "$title: an event arrives, by a worker that is the customer's and outlives the request" => sub {
		$slack->behave('home', '/stall');
		is told(post($url, event())), '200 ok', 'the answer';
		$slack->wait_for(1);
		my $worker = $queue->wait_for_worker;
		is program_of($worker) =~ s/^\Q$host\E//r, "/home/$name/$directory/log-stream-ctl",
			'it is the one beside the door';
		like slurp("/proc/$worker/status"), qr/^Uid:\t$uid\t$uid\t$uid\t$uid\nGid:\t$gid\t$gid\t$gid\t$gid$/m,
			'it has changed its user';
		my @variable = split /\0/, slurp("/proc/$worker/environ");
		is_deeply [ grep { /^(?:HOME|HTTP_AUTHORIZATION)=/ } @variable ], [], 'without a HOME, or the token';
		unlike "@variable", qr/SECRET/, 'in whatever variable';
		is_deeply [ map { "$_ " . mode_and_owner(".log-stream/$_") } '', qw(queue.db queue.db-worker log) ],
			[ " 0700 $uid $gid", "queue.db 0600 $uid $gid", "queue.db-worker 0600 $uid $gid",
			"log 0640 $uid $gid" ], 'the files are for nobody else';
		$slack->behave('home');
		$queue->end_worker('KILL');
		is told(post($url, event())), '200 ok', 'the next event';
		is_deeply [ $slack->wait_for_titles(2) ], titles($serial - 1, $serial), 'Slack has both';
		$slack->forget;
	};

	subtest "$title: refusals arrive whole" => sub {
		is told(post($url, event(), Authorization => undef)),
			'401 no token: no Authorization header reached this program', 'no token';
		is told(post($url, 'x' x 2_000_000, Authorization => 'x')),
			'401 wrong token: the Authorization header is not the one expected', 'a wrong one and 2 MB';
		is told(post($url, '[]')), '204 ', 'nothing to send';
		is told(post($url, '[{}]')), '400 no record in the body is a log event: none has a data.type, or a type of its own (records: 1)', 'nothing usable';
		is told(post($url, '')), '400 the body is empty', 'no body';
		is told(http('GET', $url)), "405 this address takes Auth0's log stream: POST only", 'GET';
		is told(post($url, event(), Authorization => "Bearer $token")), '200 ok', 'Bearer';
		is_deeply [ $slack->wait_for_titles(1) ], titles($serial), 'Slack heard of the good one only';
		$slack->forget;
	};

	subtest "$title: a batch of 2 MiB is taken" => sub {
		my @record = map { +{ log_id => "s-$_", data => { type => 's', description => 'x' x 1000 } } } 1 .. 2000;
		my $body = JSON::PP->new->canonical->encode(\@record) =~ s/\]\z/,/r . event() =~ s/^\[//r;
		cmp_ok length $body, '>', 2 << 20, 'so long';
		is told(post($url, $body)), '200 ok', 'the answer';
		is_deeply [ $slack->wait_for_titles(1) ], titles($serial), 'the event at its end';
		$slack->forget;
	};

	subtest "$title: words in the query do nothing" => sub {
		for my $word ('status', '--help', '-d+allow_url_include=1') {
			is told(http('GET', "$url?$word")), "405 this address takes Auth0's log stream: POST only", $word;
		}
	};

	subtest "$title: nothing but the door can be had from its directory" => sub {
		put("$directory/$_", "SECRET\n", 0644) for qw(.env a.conf queue.db);
		for my $path ('', qw(log-stream-ctl log-stream-ctl?status log-stream-ctl/logs.cgi .env a.conf queue.db .htaccess)) {
			my $answer = http('GET', $server->url("$place/$path"));
			is $answer->{status}, 403, "/$path";
			unlike $answer->{body}, qr/SECRET|usage/, 'and nothing of it';
		}
		unlink map { "$home/$directory/$_" } qw(.env a.conf queue.db);
	};

	subtest "$title: without the .htaccess the token does not arrive, and the door says so" => sub {
		unlink "$home/$directory/.htaccess";
		is told(post($url, event())), '401 no token: no Authorization header reached this program', 'the answer';
		# Whoever guesses the other program's name gets nothing of it either.
		is http('GET', $server->url("$place/log-stream-ctl?status"))->{status}, 500, 'log-stream-ctl?status';
		wait_until(sub { $server->errorlog =~ /log-stream-ctl: this program does not answer requests/ },
			5, 'its refusal in the error log');
		put("$directory/.htaccess", $htaccess, 0644);
	};

	subtest "$title: the door may have any name that the .htaccess has, too" => sub {
		rename "$home/$directory/logs.cgi", "$home/$directory/other-name.cgi" or die $!;
		is status($server->url("$place/other-name.cgi")), 403, 'unless it has';
		put("$directory/.htaccess", $htaccess =~ s/\^\(\?!\Klogs(?=\\\.cgi)/other-name/r, 0644);
		is status($server->url("$place/other-name.cgi")), 200, 'then it is one';
		is_deeply [ $slack->wait_for_titles(1) ], titles($serial), 'and finds its worker';
		$slack->forget;
		rename "$home/$directory/other-name.cgi", "$home/$directory/logs.cgi" or die $!;
		put("$directory/.htaccess", $htaccess, 0644);
	};
}

#
# Two hosts
#

# As Debian has it for public_html, and CGI allowed.
install('public_html/cgi-bin');
my $userdir = host(modules => [ qw(mpm_event cgid userdir) ], conf => <<'END');
ScriptSock /apache/cgisock
UserDir public_html
<Directory /home/*/public_html>
	AllowOverride FileInfo AuthConfig Limit Indexes
	Options MultiViews Indexes SymLinksIfOwnerMatch IncludesNoExec
	Require method GET POST OPTIONS
</Directory>
<Directory /home/*/public_html/cgi-bin>
	Options +ExecCGI
	SetHandler cgi-script
</Directory>
END
test_host('mod_userdir, mod_cgid', $userdir, "/~$name/cgi-bin/log-stream", 'public_html/cgi-bin/log-stream');
$userdir->stop;
$queue->end_worker;

# A virtual host of the customer's; and what some hosts have in its place.
install('cgi-bin', $_) for qw(log-stream strict open);
my $vhost = host(modules => [ qw(mpm_prefork cgi) ], conf => <<"END");
StartServers 1
MinSpareServers 1
SuexecUserGroup $name $name
DocumentRoot /home/$name/public_html
ScriptAlias /cgi-bin/ /home/$name/cgi-bin/
Alias /open /home/$name/cgi-bin/open
<Directory /home/$name>
	AllowOverride All
</Directory>
<Directory /home/$name/cgi-bin/strict>
	AllowOverride AuthConfig
</Directory>
END
test_host('a virtual host, mod_cgi', $vhost, '/cgi-bin/log-stream', 'cgi-bin/log-stream');
my $url = $vhost->url('/cgi-bin/log-stream/logs.cgi');

subtest 'the cron line delivers what was left by a worker that the host killed' => sub {
	ok defined $cron, 'the manual has one';
	$queue->end_worker;
	$slack->behave('home', '/stall');
	is status($url), 200, 'an event';
	$slack->wait_for(1);
	is status($url), 200, 'and another, while the first is on its way';
	$queue->end_worker('KILL');
	$slack->behave('home');
	$slack->forget;
	my $ran = customer($cron);
	is "$ran->{exit}$ran->{out}$ran->{err}", '0', 'there is nothing to mail';
	is_deeply [ $slack->titles ], titles($serial - 1, $serial), 'Slack has them';
	$slack->forget;
	$ran = customer($cron);
	is "$ran->{exit}$ran->{out}$ran->{err}", '0', 'nor when there is nothing to do';
};

subtest 'it makes mail of what is wrong' => sub {
	$slack->behave('home', '/status/404/no_service');
	is status($url), 200, 'an event';
	$slack->wait_for(1);
	$queue->end_worker;
	my $ran = customer($cron);
	like $ran->{out}, qr/^destination default: 1 waiting, 0 set aside, refused by Slack$/m, 'how the queue stands';
	like $ran->{out}, qr/no_service/, "with Slack's word";
	$slack->behave('home');
	$slack->forget;
	customer('cgi-bin/log-stream/log-stream-ctl retry --all');
	is_deeply [ $slack->wait_for_titles(1) ], titles($serial), 'and the event arrives in the end';
	$slack->forget;
};

subtest 'settings that all may read are refused, and mended without a restart' => sub {
	chmod 0644, "$home/$settings_file";
	is told(post($url, event())), '503 the configuration of this program is bad: '
		. 'its log says why, and so does log-stream-ctl check', 'the answer';
	my $why = "/home/$name/$settings_file: every user of this machine may read it, and it holds "
		. 'AUTH0_LOG_STREAM_TOKEN: run chmod o-r on it';
	like slurp("$home/.log-stream/log"), qr/: error error="\Q$why\E"$/m, 'the log';
	like customer('cgi-bin/log-stream/log-stream-ctl check')->{out}, qr/^error: \Q$why\E$/m, 'check';
	chmod 0600, "$home/$settings_file";
	is status($url), 200, 'and all is well again';
};

subtest 'settings with the line ends of another system are taken' => sub {
	put($settings_file, slurp("$home/$settings_file") =~ s/\n/\r\n/gr, 0600);
	is status($url), 200, 'the settings';
	put('cgi-bin/log-stream/.htaccess', $htaccess =~ s/\n/\r\n/gr, 0644);
	is status($url), 200, 'and the .htaccess';
	put('cgi-bin/log-stream/.htaccess', $htaccess, 0644);
};

subtest "without LOG the door's lines are in the error log" => sub {
	put($settings_file, slurp("$home/$settings_file") =~ s/^LOG=.*\n//mr, 0600);
	is status($url), 200, 'an event';
	wait_until(sub { $vhost->errorlog =~ /log-stream-to-slack\[\d+\]: info log_id=id-$serial type=f destination=default outcome=queued/ },
		5, "the line in Apache's error log");
	unlike $vhost->errorlog, qr/SECRET/, 'without secrets';
};

subtest 'a host that allows AuthConfig alone has the other line for the token' => sub {
	my $strict = $vhost->url('/cgi-bin/strict/logs.cgi');
	is status($strict), 500, 'the file as it is';
	like $vhost->errorlog, qr/SetEnvIf not allowed here/, 'the error log has the line';
	put('cgi-bin/strict/.htaccess', $htaccess =~ s/^(?=\t(?:SetEnvIf|AddHandler) )/#/gmr, 0644);
	is told(post($strict, event())), '401 no token: no Authorization header reached this program',
		'without what is not allowed';
	put('cgi-bin/strict/.htaccess', slurp("$home/cgi-bin/strict/.htaccess") =~ s/^#(?=CGIPassAuth )//mr, 0644);
	is status($strict), 200, 'with the other line';
};

subtest 'a host that runs no programs by itself is told to, and until then takes no events' => sub {
	my $open = $vhost->url('/open/logs.cgi');
	is status($open), 403, 'the file as it is';
	like $vhost->errorlog, qr/Options ExecCGI is off/, 'the error log has the reason';
	is http('GET', $open)->{status}, 403, 'and nobody gets the program';
	put('cgi-bin/open/.htaccess', $htaccess =~ s/^#(?=Options )//mr, 0644);
	is status($open), 200, 'with the line for it';
};

subtest 'an upgrade replaces programs that run' => sub {
	my ($steps) = slurp(srcdir() . '/INSTALL') =~ /^( {4}cd cgi-bin\/log-stream\n(?: {4}cp .*next.*\n)+)/m;
	is status($url), 200, 'an event';
	my @before = map { (stat "$home/cgi-bin/log-stream/$_")[1] } qw(logs.cgi log-stream-ctl);
	my $done = customer("set -e\n$steps");
	is "$done->{exit}$done->{out}$done->{err}", '0', 'what INSTALL says works';
	isnt((stat "$home/cgi-bin/log-stream/logs.cgi")[1], $before[0], 'the door is another');
	isnt((stat "$home/cgi-bin/log-stream/log-stream-ctl")[1], $before[1], 'and so is log-stream-ctl');
	$queue->end_worker;
	is status($url), 200, 'another event';
	ok runs($queue->wait_for_worker), 'and its worker';
};

# All that holds behind any web server.
put($settings_file, slurp("$home/$settings_file") . "DIGEST_AFTER=0\nMAX_BODY=3MiB\n", 0600);
$queue->wait_until_empty;
$slack->forget;
run_cases(server => $vhost, slack => $slack, queue => $queue, name => 'home', ends_alike => 1);

done_testing;
