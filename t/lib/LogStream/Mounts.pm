# Gives a script that uses this, before anything else, mounts of its own, which
# are gone with it. Who is not root makes them as root of a user namespace, if
# that is allowed. In a chroot mounts cannot be made private all at once: there
# the script unmounts in the end.
package LogStream::Mounts;

use v5.20;
use warnings;

# The script begins once more, and then knows what it may do.
sub import {
	return if defined $ENV{OWN_MOUNTS};
	$ENV{OWN_MOUNTS} = '';
	my $private = 'mount --make-rprivate / 2>/dev/null;';
	for my $users ('', '-Ur') {
		my @unshare = (split(/ /, "unshare --mount --propagation unchanged $users"), 'sh', '-c');
		next if system @unshare, "exec >/dev/null 2>&1; $private mount -t tmpfs none /mnt && umount /mnt";
		$ENV{OWN_MOUNTS} = 1;
		exec @unshare, "$private exec \"\$@\"", 'sh', $^X, $0;
	}
}

# Whether the script may mount.
sub allowed { return $ENV{OWN_MOUNTS} }

1;
