#!/usr/bin/env bash
# Measures gets of 1 MiB over a path with delay and loss, beside TCP: two network namespaces
# with a path between them that delays and loses packets (path.py).
#
#   benches/transfer/far.sh [ROUND_TRIP_MS [LOSS_PERCENT]]
#
# It needs root, ip of iproute2, and /dev/net/tun. Loss is of each packet, each way.
set -euo pipefail
cd "$(dirname "$0")/../.."
round_trip_ms=${1:-50} loss_percent=${2:-1}
holder=kad-far-holder-$$ reader=kad-far-reader-$$
path_pid=

clean_up() {
    [ -z "$path_pid" ] || kill "$path_pid" 2>/dev/null || true
    ip netns del "$holder" 2>/dev/null || true
    ip netns del "$reader" 2>/dev/null || true
}
trap clean_up EXIT

for end in "$holder 10.77.0.1" "$reader 10.77.0.2"; do
    read -r namespace address <<<"$end"
    ip netns add "$namespace"
    ip -n "$namespace" link set lo up
    ip -n "$namespace" tuntap add dev path mode tun
    ip -n "$namespace" address add "$address/24" dev path
    ip -n "$namespace" link set path up
done
cargo bench --bench transfer --no-run
python3 benches/transfer/path.py "$holder" "$reader" "$round_trip_ms" "$loss_percent" &
path_pid=$!
cargo bench --quiet --bench transfer -- far "$holder" 10.77.0.1 "$reader"
