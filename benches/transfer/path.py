"""A path between two network namespaces that delays packets and loses some: what netem does,
for kernels without it. Packets come and go by a TUN device called path in each."""

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
# Packets under way in one direction: beyond it they are lost, as in a router's queue.
QUEUE_MAX = 1000


def open_path(namespace):
    """The TUN device of a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", b"path", IFF_TUN | IFF_NO_PI))
    return device


def main():
    holder, reader, round_trip_ms, loss_percent = sys.argv[1:]
    delay_s = float(round_trip_ms) / 2000
    loss = float(loss_percent) / 100
    ends = [open_path(holder), open_path(reader)]
    others = dict(zip(ends, reversed(ends)))
    under_way, counts, number = [], dict.fromkeys(ends, 0), 0
    while True:
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, _, end, packet = heapq.heappop(under_way)
            counts[end] -= 1
            try:
                os.write(end, packet)
            except BlockingIOError:
                pass
        wait = under_way[0][0] - now if under_way else None
        for end in select.select(ends, [], [], wait)[0]:
            other = others[end]
            try:
                packet = os.read(end, 1 << 16)
            except BlockingIOError:
                continue
            if random.random() >= loss and counts[other] < QUEUE_MAX:
                number += 1
                counts[other] += 1
                heapq.heappush(under_way, (time.monotonic() + delay_s, number, other, packet))


main()
