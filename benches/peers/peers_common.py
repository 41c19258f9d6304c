"""What the scripts of the peers share."""
import sys
import time

# How long a network has to find itself: nothing tells when it has.
SETTLE_S = 5


def libtorrent_session(port):
    """A session that is nothing but a DHT node on loopback, without limits of its own."""
    import libtorrent

    return libtorrent.session({
        "listen_interfaces": f"127.0.0.1:{port}",
        "enable_dht": True,
        "dht_bootstrap_nodes": "",
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "alert_mask": libtorrent.alert.category_t.dht_notification,
        # All nodes have one address.
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "dht_prefer_verified_node_ids": False,
        # It is asked as fast as it answers.
        "dht_upload_rate_limit": 100_000_000,
        "dht_block_ratelimit": 1_000_000,
        "dht_max_dht_items": 10000,
    })


def serve(put, get):
    """Carries out what standard input says; see src/network.rs."""
    print("ready", flush=True)
    for line in sys.stdin:
        command, argument = line.split()
        value = bytes.fromhex(argument) if command == "put" else argument
        began = time.perf_counter_ns()
        try:
            answer = put(value) if command == "put" else get(argument)
            took = time.perf_counter_ns() - began
            answer = answer if command == "put" else answer.hex()
            print(answer, took, flush=True)
        except Exception as error:  # noqa: BLE001 - whatever fails is counted
            print("failed", repr(error).replace("\n", " "), flush=True)
