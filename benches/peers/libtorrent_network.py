"""A network of libtorrent's DHT nodes in this process: `libtorrent_network.py NODES PORT`."""
import sys
import time

import libtorrent

from peers_common import SETTLE_S, libtorrent_session, serve

PATIENCE_S = 20

nodes, port = int(sys.argv[1]), int(sys.argv[2])
network = [libtorrent_session(port + index) for index in range(nodes + 2)]
for index, session in enumerate(network):
    for step in (1, 2, 4, 8):
        session.add_dht_node(("127.0.0.1", port + (index + step) % len(network)))
putter, getter = network[-2:]
time.sleep(SETTLE_S)


def wait_for(session, kind, is_wanted):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        session.wait_for_alert(100)
        for alert in session.pop_alerts():
            if isinstance(alert, kind) and is_wanted(alert):
                return alert
    raise RuntimeError("no answer")


def put(value):
    key = putter.dht_put_immutable_item(value)
    done = wait_for(putter, libtorrent.dht_put_alert, lambda alert: alert.target == key)
    if not done.num_success:
        raise RuntimeError("not stored")
    return str(key)


def get(key):
    target = libtorrent.sha1_hash(bytes.fromhex(key))
    getter.dht_get_immutable_item(target)
    kind = libtorrent.dht_immutable_item_alert
    return wait_for(getter, kind, lambda alert: alert.target == target).item["value"]


serve(put, get)
