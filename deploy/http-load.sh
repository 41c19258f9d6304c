#!/usr/bin/env bash
# What HTTP costs the datapath: the p99 of small GETs over UDP while a load tool asks the same
# node over HTTP as fast as it can, divided by the p99 without it. Fails above 1.5.
#
# It needs wrk or oha, curl and python3, and a quiet machine with a core for each shard, for
# loadgen, for the HTTP API and for the load tool. With fewer cores any other work delays the
# shard, so there the p99 is divided by that beside two loops that do nothing, of the
# priorities of the load tool and of the API: what is left is what HTTP costs.
#
# All are measured in turn, ROUNDS times, in another order each time, and the medians are
# compared.
#
#   [ROUNDS=5] [RATE=20k] [CORES=1] [DURATION=5s] [TOOL=wrk|oha] deploy/http-load.sh
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-5} rate=${RATE:-20k} cores=${CORES:-1} duration=${DURATION:-5s}
tool=${TOOL:-$(basename "$(command -v wrk || command -v oha || echo wrk)")}
case $tool in
wrk | oha) command -v "$tool" >/dev/null || { echo "TOOL=$tool is not installed" >&2; exit 2; } ;;
*)
    echo "TOOL=$tool is neither wrk nor oha" >&2
    exit 2
    ;;
esac
# Those of the load tool and of the thread of the HTTP API.
readonly TOOL_NICE=19 API_NICE=10
cargo build --quiet --release --workspace
scratch=$(mktemp -d)
node=
end() {
    [ -z "$node" ] || kill "$node"
    rm -r "$scratch"
}
trap end EXIT
target/release/kad-node --listen 127.0.0.1:0 --http 127.0.0.1:0 --cores "$cores" \
    </dev/null >"$scratch/out" 2>"$scratch/log" &
node=$!
until grep -q ' http: ' "$scratch/log"; do kill -0 "$node"; done
udp=$(sed -n 's/.* ready .*address=\([^ ]*\).*/\1/p' "$scratch/log")
http=$(sed -n 's/.* http: .*address=\([^ ]*\).*/\1/p' "$scratch/log")
key=$(curl --silent --data-binary 'a small value' "http://$http/v1/values" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])')

# The p99 in microseconds.
measure() {
    target/release/loadgen --target "$udp" --rate "$rate" --duration "$duration" --json "$scratch/run.json" \
        >/dev/null 2>"$scratch/progress"
    python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["runs"][0]["corrected"]["p99_ns"] / 1000)' "$scratch/run.json"
}

# Asks over HTTP until it is interrupted, and says how fast in $scratch/tool.
load() {
    case $tool in
    wrk) exec nice -n $TOOL_NICE wrk --threads 1 --connections 32 --duration 600s "$1" ;;
    oha) exec nice -n $TOOL_NICE oha --no-tui -c 32 -z 600s "$1" ;;
    esac >"$scratch/tool" 2>&1
}

spin() { exec nice -n "$1" sh -c 'while :; do :; done'; }

alone() { measure >>"$scratch/alone"; }

# How often the system has taken the core from the shard.
switches() {
    local task
    for task in /proc/"$node"/task/*; do
        [ "$(cat "$task/comm")" != shard-0 ] || sed -n 's/^nonvoluntary.*:\s*//p' "$task/status"
    done
}

beside() {
    load "http://$http/v1/values/$key" &
    local loader=$! before begun
    before=$(switches) begun=$(date +%s%N)
    measure >>"$scratch/beside"
    echo $((($(switches) - before) * 1000000000 / ($(date +%s%N) - begun))) >>"$scratch/switches"
    kill -INT "$loader" || {
        cat "$scratch/tool" >&2
        exit 2
    }
    wait "$loader" || true
}

loops() {
    spin $TOOL_NICE &
    local first=$!
    spin $API_NICE &
    local second=$!
    measure >>"$scratch/loops"
    kill "$first" "$second"
    wait "$first" "$second" || true
}

for round in $(seq "$rounds"); do
    if [ $((round % 2)) = 1 ]; then alone && loops && beside; else beside && loops && alone; fi
    requests=$(sed -n 's/.*Requests.sec: *\([0-9]*\).*/\1/p' "$scratch/tool" | head -1)
    echo "$requests" >>"$scratch/requests"
    printf 'round %s: p99 alone %s us, beside loops %s us, beside HTTP %s us; %s requests/s\n' \
        "$round" "$(tail -n 1 "$scratch/alone")" "$(tail -n 1 "$scratch/loops")" \
        "$(tail -n 1 "$scratch/beside")" "$requests"
done
python3 - "$scratch" "$((cores + 3))" <<'PYTHON'
import os, statistics, sys
alone, loops, beside, switches, requests = (
    statistics.median(map(float, open(f"{sys.argv[1]}/{name}")))
    for name in ("alone", "loops", "beside", "switches", "requests"))
has_cores = len(os.sched_getaffinity(0)) >= int(sys.argv[2])
print(f"medians: alone {alone:.0f} us, beside loops {loops:.0f}, beside HTTP {beside:.0f}")
print(f"p99 beside HTTP / alone: {beside / alone:.2f}")
print(f"p99 beside HTTP / beside loops: {beside / loops:.2f}")
print(f"the shard lost its core {switches / requests:.2f} times for each HTTP request")
if not has_cores:
    print(f"fewer than {sys.argv[2]} cores: the second counts")
sys.exit(beside > 1.5 * (alone if has_cores else loops))
PYTHON
