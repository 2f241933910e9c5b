#!/usr/bin/perl
# What goes wrong behind a web server that is not told what conf/ tells it: each
# line there that says what fails without it is left out, and what then shows,
# in the answer and in the server's log, is what README says.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Server;
use LogStream::Test;
use Test::More;

need($_) for qw(apache2 caddy nginx lighttpd spawn-fcgi fcgiwrap);

my $slack = standin();
my $readme = slurp(srcdir() . '/README') =~ s/\s+/ /gr;
my $no_token = '401 no token: no Authorization header reached this program';
my $small = logins('a');
my $long = logins('a') =~ s/\]\z/' ' x 200_000 . ']'/er;
my $longer = logins('a') =~ s/\]\z/' ' x 1_200_000 . ']'/er;

# A file of conf/, the line that is left out, what is posted, the answer, and
# the words that README has: in the first lot those of the server's log.
my @traps = (
	[ 'apache-cgi.conf', 'Require all granted', $small, qr/^403 /, 'client denied by server configuration' ],
	[ 'apache-fcgid.conf', 'Require all granted', $small, qr/^403 /, 'client denied by server configuration' ],
	[ 'apache-fcgid.conf', 'FcgidMaxRequestLen 33554432', $long, qr/^500 /, 'exceeds MaxRequestLen' ],
	[ 'apache-proxy-fcgi.conf', 'Require all granted', $small, qr/^403 /, 'client denied by server configuration' ],
	[ 'nginx-fastcgi.conf', 'client_max_body_size 32m;', $longer, qr/^413 /, 'client intended to send too large body' ],
	[ 'nginx-fcgiwrap.conf', 'fastcgi_param REQUEST_METHOD $request_method;', $small, qr/^502 /, 'a web server starts this program' ],
	[ 'nginx-fcgiwrap.conf', 'client_max_body_size 32m;', $longer, qr/^413 /, 'client intended to send too large body' ],
	[ 'nginx-fcgiwrap.conf', 'fastcgi_param SCRIPT_FILENAME \S+', $small, qr/^403 /, 'Cannot get script name' ],
);
my @silent = (
	[ 'apache-cgi.conf', 'CGIPassAuth On', $small, qr/^\Q$no_token\E/, '401 no token' ],
	[ 'apache-fcgid.conf', 'CGIPassAuth On', $small, qr/^\Q$no_token\E/, '401 no token' ],
	[ 'apache-fcgid.conf', 'SetHandler fcgid-script', $small, qr/^200 .?ELF/, "the program's own bytes" ],
	[ 'apache-proxy-fcgi.conf', 'CGIPassAuth On', $small, qr/^\Q$no_token\E/, '401 no token' ],
	[ 'apache-proxy-fcgi.conf', 'Alias ${LOG_STREAM_PATH} ${LOG_STREAM_SOCKET}', $small, qr/^200 the site/, "a page of your site's" ],
	[ 'nginx-fastcgi.conf', 'fastcgi_param REQUEST_METHOD $request_method;', $small, qr/^405 /, 'nginx does not tell REQUEST_METHOD' ],
	[ 'lighttpd-fastcgi.conf', '"check-local" => "disable",', $small, qr/^404 /, '"check-local" is missing' ],
	[ 'lighttpd-cgi.conf', 'static-file.exclude-extensions = ( "" )', $small, qr/^200 .?ELF/, "the program's own bytes" ],
	[ 'lighttpd-cgi.conf', 'cgi.assign = ( "" => "" )', $small, qr/^403 /, 'cgi.assign' ],
);
my %silent = map { $_ => 1 } @silent;

sub post ($server, $body) {
	my $answer = http('POST', $server->url('/api/logs'),
		{ Authorization => LogStream::Test::Queue::TOKEN }, $body);
	return "$answer->{status} $answer->{body}";
}

# The same with the whole file is in Cases.pm.
for (@traps, @silent) {
	my ($snippet, $line, $body, $answer, $words) = @$_;
	my $is_logged = !$silent{$_};
	beside "$snippet without $line" => sub {
		my $queue = queue(slack => $slack, env => { LOG => undef });
		my $server = server($snippet, queue => $queue, edit => sub ($self, $text) {
			my $pattern = $line =~ /\\S/ ? $line : quotemeta $line;
			# As many a site has it: what is not there is answered by one page.
			spew($self->dir . '/docroot/index.html', 'the site');
			spew($self->dir . '/docroot/.htaccess', "RewriteEngine On\nRewriteRule !^index /index.html\n") if $snippet =~ /proxy/;
			$text =~ s/^\s*$pattern\s*$//m or die "there is no such line";
			return $text;
		});
		like post($server, $body), $answer, 'the answer';
		wait_until(sub { index($server->errorlog, $words) >= 0 }, 5, "the log to say $words") if $is_logged;
		cmp_ok index($readme, $words), '>=', 0, 'README has the words';
	};
}

beside 'a door that was not started' => sub {
	for my $snippet (qw(caddy.conf nginx-fastcgi.conf apache-proxy-fcgi.conf)) {
		my $server = server($snippet, queue => queue(slack => $slack));
		if ($> == 0) {
			chown 0, 0, $server->dir . '/log-stream-to-slack.sock';
			like post($server, $small), qr/^50[23] /, "$snippet: a socket of another user: the answer";
			like $server->errorlog, qr/Permission denied/i, 'the log';
			$server->give($server->dir . '/log-stream-to-slack.sock');
		}
		kill TERM => $server->doors;
		wait_until(sub { !$server->doors }, 10, 'the doors to end');
		like post($server, $small), qr/^50[23] /, "$snippet: the answer";
		like $server->errorlog, qr/Connection refused/i, 'the log';
		unlink $server->dir . '/log-stream-to-slack.sock';
		like post($server, $small), qr/^50[23] /, "$snippet: no socket: the answer";
		like $server->errorlog, qr/No such file or directory/i, 'the log';
	}
	cmp_ok index($readme, $_), '>=', 0, "README has $_"
		for 'Connection refused', 'No such file or directory', 'Permission denied';
};

# The module that is missing, and what Apache says of it.
my %missing = (
	'apache-cgi.conf' => [ [ qw(mpm_event alias) ], qr/neither mod_cgid nor mod_cgi is loaded \(a2enmod cgid\)/ ],
	'apache-fcgid.conf' => [ [ qw(mpm_event alias) ], qr/Invalid command 'FcgidMaxRequestLen'/ ],
	'apache-proxy-fcgi.conf' => [ [ qw(mpm_event alias proxy) ], qr/mod_proxy_fcgi is not loaded \(a2enmod proxy_fcgi\)/ ],
);
for my $snippet (sort keys %missing) {
	my ($modules, $why) = @{ $missing{$snippet} };
	beside "$snippet: Apache does not start without the module it needs" => sub {
		ok !eval { server($snippet, queue => queue(slack => $slack), modules => $modules) }, 'it did not';
		like $@, $why, 'and says why';
	};
}
finish_beside;

done_testing;
