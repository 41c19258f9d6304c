#!/bin/sh
# Builds the Debian package of kad-node, by cargo-deb (cargo install cargo-deb --locked): what
# is in it, says [package.metadata.deb] of Cargo.toml.
#
#   deploy/debian/build.sh [FOLDER]      (default: target/debian; prints the package's path)
#
# VERSION     the package's version (default: that of Cargo.toml)
# SOURCE_DATE_EPOCH  the time of the changelog (default: that of the last commit, or now)
# MAINTAINER  who answers for the package, NAME <ADDRESS>; the project has no address of its own
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-target/debian}
version=${VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)-1}
maintainer=${MAINTAINER:-The kad-node authors <kad-node@localhost>}
command -v cargo-deb > /dev/null || {
    echo "deploy/debian/build.sh: needs cargo-deb: cargo install cargo-deb --locked" >&2
    exit 2
}
cargo build --release --locked -p kad-node --bin kad-node >&2
program=${CARGO_TARGET_DIR:-target}/release/kad-node

# The program writes its own pages and completions, of the definitions of its flags.
time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || date +%s)}
made=target/debian/made
rm -rf "$made"
mkdir -p "$made/man"
"$program" man > "$made/man/kad-node.1"
for command in $("$program" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    [ "$command" = help ] || "$program" man "$command" > "$made/man/kad-node-$command.1"
done
"$program" completions bash > "$made/kad-node"
"$program" completions zsh > "$made/_kad-node"
"$program" completions fish > "$made/kad-node.fish"
{
    printf 'kad-node (%s) unstable; urgency=medium\n\n' "$version"
    printf '  * See changelog.gz.\n\n'
    printf ' -- %s  %s\n' "$maintainer" "$(date -R -u -d "@$time")"
} > "$made/changelog"
gzip -9 -n < CHANGELOG.md > "$made/changelog.gz"
cargo deb --no-build --quiet --strip --maintainer "$maintainer" --deb-version "$version" \
    --output "$folder"
