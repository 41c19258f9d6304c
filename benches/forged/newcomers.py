"""Starts a seed and ten nodes that join by it, and prints how soon each is in all tables."""

import json
import subprocess
import sys
import time
import urllib.request

NEWCOMERS = 10
LATEST_S = 60
# How long the flood is counted before the newcomers come.
COUNTED_S = 3


def start(program, number):
    listen = ["--listen", f"10.77.0.1:{7000 + number}", "--http", f"127.0.0.1:{8000 + number}"]
    join = ["--bootstrap", "10.77.0.1:7000"] if number else []
    command = [program, "--network", "forged", "--cores", "1", "--no-history", *listen, *join]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def asked(number, path):
    """What a node says over HTTP; nothing while it starts."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{8000 + number}{path}", timeout=5) as reply:
            return json.load(reply)
    except OSError:
        return None


def known(number):
    """The ids that a node knows."""
    peers = asked(number, "/v1/peers") or {"buckets": []}
    return {contact["id"] for bucket in peers["buckets"] for contact in bucket["contacts"]}


def own_id(number):
    while not (node := asked(number, "/v1/node")):
        time.sleep(0.02)
    return node["id"]


def received():
    """Datagrams that the seed's loop has taken up, and those that found its socket's buffer full."""
    stats = asked(0, "/v1/stats")
    driver = stats["total"]["driver"]
    return driver["datagrams_received"], driver["kernel_drops"]


def flood(is_flooded):
    """Waits for the flood; says how many datagrams a second the seed takes up, and loses."""
    before, _ = received()
    while is_flooded and received()[0] < before + 1000:
        time.sleep(0.05)
    (first, dropped), _ = received(), time.sleep(COUNTED_S)
    last, dropped_last = received()
    return (last - first) / COUNTED_S, (dropped_last - dropped) / COUNTED_S


def main(program, name):
    seed = start(program, 0)
    nodes = [seed]
    try:
        ids = {0: own_id(0)}
        taken_up, lost = flood(name == "flooded")
        started = time.monotonic()
        nodes += [start(program, number) for number in range(1, NEWCOMERS + 1)]
        ids |= {number: own_id(number) for number in range(1, NEWCOMERS + 1)}
        everywhere = {}
        while len(everywhere) < NEWCOMERS and time.monotonic() - started < LATEST_S:
            tables = {number: known(number) for number in ids}
            now = time.monotonic() - started
            for number, own in ids.items():
                others = (table for other, table in tables.items() if other != number)
                if number and number not in everywhere and all(own in table for table in others):
                    everywhere[number] = now
            time.sleep(0.05)
        took = sorted(everywhere.values())
        said = ", ".join(f"{seconds:.1f}" for seconds in took)
        print(f"{name}: {taken_up:.0f} datagrams a second taken up, {lost:.0f} lost")
        print(f"{name}: {len(took)} of {NEWCOMERS} newcomers in all tables, after {said} s (bar: 5)")
    finally:
        for node in nodes:
            node.kill()
            node.wait()


main(*sys.argv[1:])
