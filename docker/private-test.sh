#!/usr/bin/env bash
# Starts the network of docker-compose.yml with docker/private.yml: what is put on one node is
# got on another, and what lacks the key, or has another, gets nothing. Half a minute.
#
#   docker/package.sh && docker build --target packaged --tag kad-node . && docker/private-test.sh
#
# KAD_IMAGE names another image. Needs root, to give the key to the image's user, and compose.
set -euo pipefail
cd "$(dirname "$0")/.."

export KAD_IMAGE=${KAD_IMAGE:-kad-node} KAD_HTTP=127.0.0.1:
readonly PROJECT=kadprivate$$ USER_OF_IMAGE=65532
folder=$(mktemp -d)
export KAD_NETWORK_KEY=$folder/key

if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
compose() {
    "${compose[@]}" -p "$PROJECT" -f docker-compose.yml -f docker/private.yml "$@"
}
clean_up() {
    compose down --volumes --timeout 3 >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap clean_up EXIT

fail() {
    printf 'private-test: %s\n' "$*" >&2
    exit 1
}

make_key() { # FILE
    docker run --rm "$KAD_IMAGE" keygen >"$1"
    chown "$USER_OF_IMAGE" "$1"
    chmod 400 "$1"
}

# Runs kad-node in the container of a node.
in_node() { # NUMBER WORD...
    docker exec "$(compose ps -q node | sed -n "$1p")" /kad-node "${@:2}"
}

# A client in the same network, which must find no node.
outsider() { # OPTION...
    local status=0
    docker run --rm --network "${PROJECT}_default" "$@" --timeout 2s \
        --bootstrap seed:9001 "$key" >"$folder/got" 2>"$folder/said" || status=$?
    [ "$status" = 4 ] && [ ! -s "$folder/got" ] || fail "an outsider ended with $status: $(cat "$folder/said")"
}

make_key "$KAD_NETWORK_KEY"
make_key "$folder/other"
compose up -d --no-build --scale node=3
key=$(in_node 1 put --log error --bootstrap 127.0.0.1:9001 'among members')
got=$(in_node 2 get --log error --bootstrap seed:9001 "$key" 2>/dev/null)
[ "$got" = 'among members' ] || fail "got '$got'"
outsider "$KAD_IMAGE" get
outsider -v "$folder/other:/key:ro" "$KAD_IMAGE" get --network-key /key
counters=$(docker exec "$(compose ps -q seed)" /kad-node stats --http 127.0.0.1:9080)
for counter in unsealed_received seals_refused; do
    [[ $counters =~ $counter\ +[1-9] ]] || fail "$counter is 0"
done
printf 'private-test: passed\n'
