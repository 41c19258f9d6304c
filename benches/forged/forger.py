"""Sends PINGs from made-up addresses, so many a second, until it is killed."""

import hashlib
import os
import socket
import struct
import sys
import time

NETWORK = hashlib.sha1(b"forged").digest()[:4]
# Made-up senders, each with an id, an address and a transaction id of its own.
SENDERS = 200_000
# A pause between bursts of a millisecond's worth keeps the rate.
BURST_S = 0.001


def datagram():
    """A PING as src/wire.rs has it: a peer's, without a token."""
    sender = os.urandom(20)
    head = bytes((0x4B, 1, 0x01, sender[-1]))
    return head + NETWORK + os.urandom(8) + sender + bytes(4) + bytes(8)


def packet(receiver, port):
    """It, in an IPv4 packet from some address of 10.128.0.0/9."""
    payload = datagram()
    source = bytes((10, 128 | os.urandom(1)[0] & 127)) + os.urandom(2)
    udp = struct.pack("!HHHH", 1024 + int.from_bytes(os.urandom(2), "big") % 60_000, port, 8 + len(payload), 0)
    # The kernel fills in what is 0: lengths, identification, checksum.
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0, source, receiver)
    return ip + udp + payload


def main(address, port, rate):
    receiver, port, rate = socket.inet_aton(address), int(port), int(rate)
    packets = [packet(receiver, port) for _ in range(SENDERS)]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    burst = max(1, int(rate * BURST_S))
    started, sent, said = time.monotonic(), 0, time.monotonic()
    while True:
        for index in range(sent, sent + burst):
            raw.sendto(packets[index % SENDERS], (address, 0))
        sent += burst
        now = time.monotonic()
        if now - said >= 5:
            print(f"forged PINGs a second  {sent / (now - started):.0f}", flush=True)
            started, sent, said = now, 0, now
        time.sleep(max(0, started + sent / rate - now))


main(*sys.argv[1:])
