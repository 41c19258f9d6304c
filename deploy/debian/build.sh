#!/bin/sh
# Builds the Debian package of kad-node.
#
#   deploy/debian/build.sh [FOLDER]      (default: target/debian; prints the package's path)
#
# KAD_NODE    a compiled program to pack (default: it is compiled)
# VERSION     the package's version (default: that of Cargo.toml)
# MAINTAINER  who answers for the package, NAME <ADDRESS>; the project has no address of its own
#
# dpkg-deb alone, without cargo-deb: what a package holds is a dozen files, and the program
# itself writes its manual pages and completions.
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-target/debian}
version=${VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)-1}
maintainer=${MAINTAINER:-The kad-node authors <kad-node@localhost>}
architecture=$(dpkg --print-architecture)
if [ -z "${KAD_NODE:-}" ]; then
    cargo build --release --locked -p kad-node --bin kad-node >&2
    KAD_NODE=${CARGO_TARGET_DIR:-target}/release/kad-node
fi

umask 022
mkdir -p "$folder"
root=$(mktemp -d "$folder/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
doc=$root/usr/share/doc/kad-node
mkdir -p "$root/DEBIAN" "$root/usr/bin" "$root/etc/kad-node" "$doc/examples" \
    "$root/usr/share/man/man1" "$root/usr/lib/systemd/system" \
    "$root/usr/share/bash-completion/completions" "$root/usr/share/zsh/vendor-completions" \
    "$root/usr/share/fish/vendor_completions.d"

install -m 755 "$KAD_NODE" "$root/usr/bin/kad-node"
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/kad-node"
cp deploy/systemd/kad-node.service "$root/usr/lib/systemd/system/"
cp deploy/kad-node.toml "$root/etc/kad-node/"

# The program writes its own pages and completions, of the definitions of its flags.
manual() {
    gzip -9 -n > "$root/usr/share/man/man1/$1.1.gz"
}
"$KAD_NODE" man | manual kad-node
for command in put get import ping stats peers trace demo check completions man; do
    "$KAD_NODE" man "$command" | manual "kad-node-$command"
done
"$KAD_NODE" completions bash > "$root/usr/share/bash-completion/completions/kad-node"
"$KAD_NODE" completions zsh > "$root/usr/share/zsh/vendor-completions/_kad-node"
"$KAD_NODE" completions fish > "$root/usr/share/fish/vendor_completions.d/kad-node.fish"

# For a busy host, an example: installed for all, it would lower what a host has set higher.
cp deploy/sysctl/60-kad-node.conf deploy/alerts.yml deploy/prometheus.yml deploy/dashboard.json \
    "$doc/examples/"
{
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n'
    printf 'Upstream-Name: kad-node\n\nFiles: *\n'
    printf 'Copyright: %s\nLicense: Expat\n' "$(sed -n 's/^Copyright (c) //p' LICENSE)"
    sed -n '/^Permission/,$s/^$/./; /^Permission/,$s/^/ /p' LICENSE
} > "$doc/copyright"
gzip -9 -n < CHANGELOG.md > "$doc/changelog.gz"
{
    printf 'kad-node (%s) unstable; urgency=medium\n\n' "$version"
    printf '  * See changelog.gz.\n\n'
    printf ' -- %s  %s\n' "$maintainer" \
        "$(date -R -u -d "@$(git log -1 --format=%ct)")"
} | gzip -9 -n > "$doc/changelog.Debian.gz"

for script in postinst prerm postrm; do
    install -m 755 "deploy/debian/$script" "$root/DEBIAN/$script"
done
printf '/etc/kad-node/kad-node.toml\n' > "$root/DEBIAN/conffiles"
glibc=$(objdump -T "$root/usr/bin/kad-node" | sed -n 's/.*GLIBC_\([0-9.]*\)).*/\1/p' | sort -V | tail -1)
cat > "$root/DEBIAN/control" <<CONTROL
Package: kad-node
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -ks --exclude=DEBIAN "$root" | cut -f1)
Depends: libc6 (>= $glibc), libgcc-s1, init-system-helpers (>= 1.51)
Section: net
Priority: optional
Description: distributed key-value store on Kademlia
 A node hashes a text to a key and stores it on the nodes closest to that key.
 A client that has the key fetches the text from any node; there is no server.
 .
 It serves with one thread per core, each with its own io_uring and UDP socket,
 and needs Linux 6.0; on older kernels it falls back to recvmmsg.
CONTROL
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) \
    > "$root/DEBIAN/md5sums"

package=$folder/kad-node_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$root" "$package" >&2
printf '%s\n' "$package"
