#!/bin/sh
# Compiles kad-node and loadgen as static programs and puts them, stripped, into
# a folder that is an image's whole file system.
#
#   docker/package.sh [FOLDER]      (default: target/image)
#
# Static glibc resolves names by its own DNS client, without shared objects. It reads
# /etc/resolv.conf, which the engine mounts into every container.
set -eu
cd "$(dirname "$0")/.."
image=${1:-target/image}
host=$(rustc -vV | sed -n 's/^host: //p')

# With an explicit target the flags do not apply to build scripts and macros.
RUSTFLAGS='-C target-feature=+crt-static' \
CARGO_PROFILE_RELEASE_DEBUG=0 \
CARGO_PROFILE_RELEASE_STRIP=symbols \
    cargo build --release --locked --target "$host" -p kad-node -p loadgen

mkdir -p "$image/data" # a volume of a container takes over its owner
for program in kad-node loadgen; do
    cp "${CARGO_TARGET_DIR:-target}/$host/release/$program" "$image/$program"
done
