"""Measures how smooth the page of a demo of 500 nodes is: `smooth.py PROGRAM [NODES]`.

For 20 s values are put, nodes are killed and started, and the page draws it all. It prints the
frames a second, the tasks of more than 50 ms, for how much of a second the page's own thread has a
processor, and for how much all of the browser has: it paints on other threads. These are what
counts on a busy machine, where frames come late for other reasons.
"""

import os
import pathlib
import sys
import time

from browser import chromium, demo, opened

SECONDS = 20

WATCH = """() => {
  window.seen = {frames: 0, long: []};
  const frame = () => { window.seen.frames++; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  new PerformanceObserver(list => list.getEntries().forEach(one => window.seen.long.push(one.duration)))
    .observe({type: 'longtask'});
}"""
WORK = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")


def work(devtools):
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in metrics if one["name"] in WORK}


def browser_s():
    """Processor time of all processes of the browser."""
    ticks = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = stat.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue  # it has ended
        if name.startswith("chrom"):
            ticks += sum(map(int, fields.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def main(program, nodes="500"):
    with demo(program, int(nodes), "--republish", "5s") as address, chromium() as browser:
        page, said = opened(browser, address)
        page.wait_for_timeout(3000)  # until the first polls and charts are through
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.evaluate(WATCH)
        before, all_before, begun = work(devtools), browser_s(), time.monotonic()
        for second in range(SECONDS):
            page.request.post(f"{address}v1/values", data=f"smooth {second}")
            act = "kill" if second % 2 == 0 else "start"
            for index in range(1, 1 + min(10, int(nodes) - 1)):
                page.request.post(f"{address}v1/demo/nodes/{index}/{act}")
            page.wait_for_timeout(max(0, 1000 * (begun + second + 1 - time.monotonic())))
        took = time.monotonic() - begun
        after, all_after, seen = work(devtools), browser_s(), page.evaluate("window.seen")
        long = [round(ms) for ms in seen["long"]]
        print(f"{nodes} nodes: {seen['frames'] / took:.0f} frames a second, long tasks: {long} ms")
        for name in WORK:
            print(f"  {name}: {1000 * (after[name] - before[name]) / took:.0f} ms a second")
        print(f"  all of the browser: {1000 * (all_after - all_before) / took:.0f} ms a second")
        print(f"  console: {said}")


main(*sys.argv[1:])
