"""A network of OpenDHT nodes in this process: `opendht_network.py NODES PORT`."""
import sys
import threading
import time

import opendht

from peers_common import SETTLE_S, serve

PATIENCE_S = 20


def node(port, first):
    config = opendht.DhtConfig()
    config.setRateLimit(-1, -1)
    runner = opendht.DhtRunner()
    runner.run(port=port, ipv4="127.0.0.1", ipv6="", config=config)
    if first:
        runner.bootstrap("127.0.0.1", str(first))
    return runner


nodes, port = int(sys.argv[1]), int(sys.argv[2])
network = [node(port, None)]
network += [node(port + index, port) for index in range(1, nodes + 2)]
time.sleep(SETTLE_S)
putter, getter = network[-2:]


def put(value):
    key = opendht.InfoHash.get(value.decode())
    if not putter.put(key, opendht.Value(value)):
        raise RuntimeError("not stored")
    return str(key)


def get(key):
    found, done = [], threading.Event()

    def take(value):
        found.append(value.data)
        done.set()
        return False

    getter.get(opendht.InfoHash(key.encode()), take, lambda ok, nodes: done.set())
    if not done.wait(PATIENCE_S) or not found:
        raise RuntimeError("not found")
    return found[0]


serve(put, get)
