#!/usr/bin/env bash
# Counts the instructions that the node needs for a request, from the received datagram to
# the datagram in the outbox: callgrind's count of a long run minus that of a short one.
# A lookup is a whole get of an absent key, with some twenty replies. find-value-journal is a
# hit of a node with `--data`, find-value-held one of a value that is held for others, and
# find-value-sealed one in a private network, opened and sealed. Of a put it is 20 STOREs and
# their replies, and before them a lookup, but for put-known: there other puts have found the
# nodes.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly SHORT=100 LONG=1100

bench=$(cargo bench --bench node --no-run --message-format=json |
    sed -n 's/.*"name":"node".*"executable":"\([^"]*\)".*/\1/p')

count() { # KIND N
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" --repeat "$1" "$2" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

for kind in ping find-node find-value find-value-journal find-value-held find-value-sealed find-values store lookup put put-known; do
    printf '%-18s %7d instructions a request\n' "$kind" \
        $((($(count "$kind" $LONG) - $(count "$kind" $SHORT)) / (LONG - SHORT)))
done
