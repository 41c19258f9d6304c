"""One libtorrent node with its DHT: `libtorrent_node.py PORT`. It says `ready`."""
import sys

from peers_common import libtorrent_session

session = libtorrent_session(int(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
