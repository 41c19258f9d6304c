#!/usr/bin/env bash
# What HTTP costs the datapath: the p99 of small GETs over UDP while a load tool asks the same
# node over HTTP as fast as it can, divided by the p99 without it. The two are measured in turn,
# ROUNDS times, the one first in odd rounds and the other in even ones, and the medians are
# compared. Fails above 1.5.
#
# It needs wrk or oha, curl and python3, and a quiet machine with a core for each shard, for
# loadgen and for the load tool.
#
#   [ROUNDS=5] [RATE=20k] [CORES=1] [DURATION=5s] [TOOL=wrk|oha] deploy/http-load.sh
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-5} rate=${RATE:-20k} cores=${CORES:-1} duration=${DURATION:-5s}
tool=${TOOL:-$(basename "$(command -v wrk || command -v oha || echo wrk)")}
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
    wrk) exec wrk --threads 1 --connections 32 --duration 600s "$1" ;;
    oha) exec oha --no-tui -c 32 -z 600s "$1" ;;
    *)
        echo "TOOL=$tool is neither wrk nor oha" >&2
        exit 2
        ;;
    esac >"$scratch/tool" 2>&1
}

alone() { measure >>"$scratch/alone"; }

beside() {
    load "http://$http/v1/values/$key" &
    local loader=$!
    measure >>"$scratch/beside"
    kill -INT "$loader" || {
        cat "$scratch/tool" >&2
        exit 2
    }
    wait "$loader" || true
}

for round in $(seq "$rounds"); do
    if [ $((round % 2)) = 1 ]; then alone && beside; else beside && alone; fi
    printf 'round %s: p99 alone %s us, beside HTTP %s us; %s\n' "$round" \
        "$(tail -n 1 "$scratch/alone")" "$(tail -n 1 "$scratch/beside")" \
        "$(grep --max-count=1 Requests/sec "$scratch/tool" | tr -s ' ')"
done
python3 - "$scratch" <<'PYTHON'
import statistics, sys
alone, beside = (statistics.median(map(float, open(f"{sys.argv[1]}/{name}")))
                 for name in ("alone", "beside"))
print(f"p99 beside HTTP / alone: {beside / alone:.2f} (medians {beside:.0f} and {alone:.0f} us)")
sys.exit(beside > 1.5 * alone)
PYTHON
