#!/usr/bin/perl
# The protocol by which rows are handed over, posted and settled, as models that
# spin(1) searches to the end: every order of steps, with processes that die,
# sessions that are lost and a database that is replaced. t/model says what is
# modelled. Each precaution is left out once, and so is the code as it was
# before them: then a property must fail, or it could not be trusted.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use LogStream::Test;
use Test::More;

plan skip_all => 'no program of this project takes part' if watched();
my ($spin, $cc) = map { need($_) } qw(spin cc);

# Faults in a run, for a longer search than the models' own.
my @faults = defined $ENV{MODEL_FAULTS} ? "FAULTS=$ENV{MODEL_FAULTS}" : ();

# What each property says, and what pan says where it does not hold.
my %property = (
	delivered => [ 'every committed row is posted in the end', qr/^pan:1: acceptance cycle/m ],
	one_poster => [ 'nobody posts while another process does', qr/^pan:1: assertion violated/m ],
	settled_is_posted => [ 'nothing is settled that was not posted', qr/^pan:1: assertion violated/m ],
);

# Makes the verifier of a model with these switches, and returns a function that
# gives what it says of a property. It leaves out no order of steps: -DNOREDUCE.
# Compiling takes longer than the short searches, so those are not optimized.
sub verifier ($model, $is_long, @switch) {
	my $dir = tempdir();
	my $made = run(cwd => $dir, timeout => 120, cmd => [ $spin, (map { "-D$_" } @switch), '-a',
		srcdir() . "/t/model/$model.pml" ]);
	die "spin: $made->{out}$made->{err}" if $made->{exit} || !-s "$dir/pan.c";
	$made = run(cwd => $dir, timeout => 240, cmd => [ $cc, $is_long ? '-O1' : '-O0', '-w', '-DNOREDUCE', '-DNFAIR=3',
		'-o', 'pan', 'pan.c' ]);
	die "$cc: $made->{err}" if $made->{exit};
	my $is_calm = grep { $_ eq 'CALM' } @switch;
	return sub ($name) {
		# A process that can go on does so in the end, which holds anyhow where
		# receivers do not ask for ever. (Where all have ended, -f sees nothing.)
		my @fair = $name eq 'delivered' && !$is_calm ? '-f' : ();
		return run(cwd => $dir, timeout => 600, cmd => [ "$dir/pan", '-a', @fair, '-m100000',
			'-w22', '-N', $name ])->{out};
	};
}

# Lines of the model that no run came to, but for the ends of endless loops.
sub unreached ($out) {
	return [ grep { !/"-end-"/ } $out =~ /^\t(\S+\.pml:\d+, .*)$/mg ];
}

# The search went all the way and found nothing.
sub holds ($out, $title) {
	my $good = $out =~ /, errors: 0$/m
		&& $out !~ /^(?:error|warning|pan:\d)|not completed|too small|out of memory/im;
	ok($good, $title) or diag $out;
	return $good;
}

# model, switches, what holds, what does not
my @cases = (
	[ 'rows are handed over, the lock being a file', 'handover', '',
		'delivered one_poster', '' ],
	[ 'rows are handed over, the lock being a session', 'handover', 'SESSION',
		'delivered one_poster', '' ],
	[ 'where nothing fails, a row needs no later request', 'handover', 'CALM',
		'delivered one_poster', '' ],
	[ 'a lease that is a file, and a backup that is restored', 'lease', '',
		'delivered one_poster settled_is_posted', '' ],
	[ 'a lease that is a session, and a standby that is promoted', 'lease', 'SESSION',
		'delivered one_poster settled_is_posted', '' ],

	[ 'before: all was well where nothing failed', 'handover', 'BEFORE CALM',
		'delivered one_poster', '' ],
	[ 'before: a worker that could not be started was not tried again', 'handover', 'BEFORE',
		'one_poster', 'delivered' ],
	[ 'before: a crash between commit and mark left a row to nobody', 'handover', 'BEFORE LAUNCHES',
		'one_poster', 'delivered' ],
	[ 'before: a promoted standby had rows settled that were not sent', 'lease', 'BEFORE SESSION',
		'', 'settled_is_posted delivered one_poster' ],
	[ 'before: so had a restored backup', 'lease', 'BEFORE',
		'one_poster', 'settled_is_posted delivered' ],

	[ 'without looking again after the release', 'handover', 'CALM LOOK_BEFORE_RELEASE',
		'one_poster', 'delivered' ],
	[ "without the receiver's look for what waits", 'handover', 'NO_LOOK',
		'one_poster', 'delivered' ],
	[ "with the receiver's look at its start alone", 'handover', 'LOOK_AT_START_ONLY',
		'one_poster', 'delivered' ],
	[ 'without the nonce in the settling, and a standby', 'lease', 'SETTLE_BY_NUMBER SESSION',
		'one_poster', 'settled_is_posted' ],
	[ 'without the nonce in the settling, and a backup', 'lease', 'SETTLE_BY_NUMBER',
		'one_poster', 'settled_is_posted' ],
	[ 'without proof of the lease in the claim', 'lease', 'UNPROVEN_CLAIM SESSION',
		'settled_is_posted', 'one_poster' ],
);

for (@cases) {
	my ($title, $model, $switches, $good, $bad) = @$_;
	my @switch = split ' ', $switches;
	my $is_whole = !@switch || $switches eq 'SESSION';
	beside $title => sub {
		my $verify = verifier($model, $is_whole, @switch, $is_whole ? @faults : ());
		for my $name (split ' ', $good) {
			my $out = $verify->($name);
			holds($out, $property{$name}[0]);
			is_deeply unreached($out), [], 'and every step of the model is taken'
				if $switches eq 'SESSION' && $name eq 'one_poster';
		}
		for my $name (split ' ', $bad) {
			my ($words, $said) = @{ $property{$name} };
			like $verify->($name), $said, "it is found that this does not hold: $words";
		}
	};
}
finish_beside;

done_testing;
