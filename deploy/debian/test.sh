#!/bin/bash
# Builds the package, has lintian judge it, and installs, starts, upgrades, removes and purges
# it in a fresh Debian of its own, without any network but loopback.
#
#   deploy/debian/test.sh      (root; lintian and debootstrap of Debian; cargo-deb)
#
# CHROOT      a folder that debootstrap has filled (default: one is made and deleted)
set -euo pipefail
cd "$(dirname "$0")/../.."
step() {
    printf '== %s\n' "$*" >&2
}
fail() {
    printf 'deploy/debian/test.sh: %s\n' "$*" >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
step build
first=$(deploy/debian/build.sh "$work")
second=$(VERSION=99.0-1 deploy/debian/build.sh "$work")

step lintian
# It is no package of Debian, so no bug of Debian asks for it, and the project has no address.
lintian --fail-on error,warning --suppress-tags \
    initial-upload-closes-no-bugs,bogus-mail-host,bogus-mail-host-in-debian-changelog "$first"

root=${CHROOT:-$work/root}
if [ ! -e "$root/bin/sh" ]; then
    step debootstrap
    debootstrap --variant=minbase bookworm "$root" > "$work/debootstrap.log" 2>&1 ||
        { tail -5 "$work/debootstrap.log" >&2; fail "debootstrap failed"; }
fi
cp "$first" "$root/first.deb"
cp "$second" "$root/second.deb"

# In namespaces of its own: loopback is its own, and what it starts ends with it.
inside() {
    unshare --mount --net --pid --fork --mount-proc="$root/proc" chroot "$root" /bin/sh -euc "$1"
}
lo='ip link set lo up 2>/dev/null || true'

# systemd is not process 1 here. What the package asks of it is written down, and is what counts.
mkdir -p "$root/run/systemd/system"
cat > "$root/usr/local/bin/systemctl" <<'SYSTEMCTL'
#!/bin/sh
echo "$*" >> /asked
case $* in *is-enabled*) echo enabled ;; esac
SYSTEMCTL
chmod 755 "$root/usr/local/bin/systemctl"
# Fails unless it was asked for this alone since the last time.
asked() {
    local found
    found=$(sed -n 's/.*\<\(start\|restart\|stop\) kad-node.service$/\1/p' "$root/asked" | paste -sd ' ')
    [ "$found" = "$1" ] || fail "systemd is asked to '$found' the node, not to '$1' it"
    rm "$root/asked"
}

step install
inside 'dpkg --install /first.deb'
asked start
inside 'kad-node --version
    test -L /etc/systemd/system/multi-user.target.wants/kad-node.service
    for command in $(kad-node --help | sed -n "/^Commands:/,/^\$/s/^  \([a-z]*\) .*/\1/p"); do
        test $command = help || test -e /usr/share/man/man1/kad-node-$command.1.gz
    done'

step start
unshare --mount --net --pid --fork --mount-proc="$root/proc" /bin/sh -euc "
    $lo
    chroot '$root' /bin/sh -euc '
        kad-node --config /etc/kad-node/kad-node.toml --io mmsg --http 127.0.0.1:9080 \
            --data /var/lib/kad-node < /dev/null &
        node=\$!
        for try in \$(seq 100); do
            kad-node ping --timeout 1s 2> /dev/null && break
            [ \$try -lt 100 ] && sleep 0.1
        done
        key=\$(kad-node put --bootstrap 127.0.0.1:9001 --io mmsg packaged)
        test \"\$(kad-node get --bootstrap 127.0.0.1:9001 --io mmsg \$key)\" = packaged
        kad-node stats | grep \"^holds\"
        kill \$node
        wait \$node
    '"

step upgrade
echo '# kept' >> "$root/etc/kad-node/kad-node.toml"
inside 'dpkg --install /second.deb && dpkg-query --show kad-node | grep -F 99.0-1'
# It serves until its new program is there: restarted, not stopped before and started after.
asked restart
grep -qx '# kept' "$root/etc/kad-node/kad-node.toml" || fail "an upgrade changed the settings"

step remove
inside 'dpkg --remove kad-node'
asked stop
[ ! -e "$root/usr/bin/kad-node" ] || fail "the program is still there"
[ -e "$root/var/lib/kad-node" ] || fail "the values are gone before the purge"
[ -e "$root/etc/kad-node/kad-node.toml" ] || fail "the settings are gone before the purge"
step purge
inside 'dpkg --purge kad-node'
left=$(find "$root/etc" "$root/usr" "$root/var/lib" -name '*kad-node*')
[ -z "$left" ] || fail "left behind: $left"
step passed
