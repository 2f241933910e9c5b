#!/usr/bin/perl
# Two sites on one machine, each with a configuration and a queue of its own,
# by the line that INSTALL names for each web server.
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

my @sites = qw(acme umbrella);
my $install = slurp(srcdir() . '/INSTALL');

# The line of INSTALL that begins so, with the site's file for the one there.
sub line ($beginning, $file) {
	my ($line) = $install =~ /^\h*(\Q$beginning\E.*)$/m or die "INSTALL has no line $beginning";
	return $line =~ s{/etc/acme\.conf}{$file}r;
}

# What makes a shipped file that of a site.
my %edit = (
	'apache-cgi.conf' => sub ($text, $site, $file) {
		return $text =~ s{(?=^</Location>)}{line('SetEnv LOG_STREAM_CONFIG', $file) . "\n"}mer;
	},
	# Its processes are told apart by the virtual host alone.
	'apache-fcgid.conf' => sub ($text, $site, $file) {
		return $text . line('FcgidInitialEnv LOG_STREAM_CONFIG', $file) . "\n";
	},
	'apache-proxy-fcgi.conf' => sub ($text, $site, $file) {
		return $text =~ s{log-stream-to-slack\.sock}{$site.sock}r;
	},
	'caddy.conf' => sub ($text, $site, $file) {
		return $text =~ s{log-stream-to-slack\.sock}{$site.sock}r;
	},
	'nginx-fastcgi.conf' => sub ($text, $site, $file) {
		return $text =~ s{log-stream-to-slack\.sock}{$site.sock}r;
	},
	'nginx-fcgiwrap.conf' => sub ($text, $site, $file) {
		return $text =~ s{(?=^\})}{line('fastcgi_param LOG_STREAM_CONFIG', $file) . "\n"}mer;
	},
	'lighttpd-fastcgi.conf' => sub ($text, $site, $file) {
		return $text =~ s{/log-stream"}{/$site"}r
			=~ s{(?="check-local")}{line('"bin-environment" =>', $file) . "\n"}er;
	},
	'lighttpd-cgi.conf' => sub ($text, $site, $file) {
		return $text =~ s{(?=^\tcgi\.assign)}{line('setenv.add-environment', $file) . "\n"}mer
			=~ s{^(?=server\.modules)}{server.modules += ( "mod_setenv" )\n}mr;
	},
);

my %option = (
	'apache-cgi.conf' => { modules => [ qw(mpm_event alias cgid env) ] },
	# The second one beside that which every server has.
	'apache-fcgid.conf' => { conf => "<VirtualHost *:*>\nServerName $sites[1]\nInclude $sites[1].snippet\n</VirtualHost>\n" },
);

sub ask ($server, $site, $token, $id) {
	my $body = logins($id);
	my $all = raw_http($server->port, "POST /$site/logs HTTP/1.1\r\nHost: $site\r\nConnection: close\r\n"
		. "Authorization: $token\r\nContent-Length: @{[length $body]}\r\n\r\n$body");
	return $all =~ m{\AHTTP/1\.1 (\d+).*?\r\n\r\n(?:\w+\r\n)?(.*?)(?:\r\n0\r\n\r\n)?\z}s ? "$1 $2" : $all;
}

for my $snippet (sort keys %edit) {
	beside "$snippet: each site has its own token, queue and channel" => sub {
		my %slack = map { $_ => standin() } @sites;
		my %queue = map { $_ => queue(slack => $slack{$_},
			env => { AUTH0_LOG_STREAM_TOKEN => "token-SECRET$_", LOG => undef }) } @sites;
		my $server = server($snippet, sites => \@sites, %{ $option{$snippet} // {} }, edit => sub ($self, $text) {
			for (@sites) {
				my $file = spew($self->dir . "/$_.conf", settings_text($queue{$_}->env), 0600);
				$self->give($file, $queue{$_}->dir);
				spew($self->dir . "/$_.snippet", $edit{$snippet}->($text =~ s{/api/logs}{/$_/logs}gr, $_, $file));
			}
			my @file = map { $self->dir . "/$_.snippet" } @sites;
			return $snippet =~ /fcgid/ ? "Include $file[0]\n" : join '', map { slurp($_) } @file;
		});
		for my $site (@sites) {
			my ($other) = grep { $_ ne $site } @sites;
			like ask($server, $site, "token-SECRET$other", 'wrong'), qr/^401 wrong token/, "$site: the other's token";
			is ask($server, $site, "token-SECRET$site", "of-$site"), '200 ok', "$site: its own";
		}
		is_deeply [ $slack{$_}->wait_for_titles(1) ], [ "event of-$_ [type: f]" ], "$_: its event is in its channel"
			for @sites;
		ok -e $queue{$_}->path, "$_: its queue" for @sites;
	};
}
finish_beside;

done_testing;
