"""Nodes of its own, and Chromium on their pages."""

import contextlib
import re
import shutil
import subprocess
import threading

from playwright.sync_api import sync_playwright

SCHEMES = ("light", "dark")
WIDTHS = (390, 820, 1440)


@contextlib.contextmanager
def running(command, *wanted):
    """Runs a program; gives what its log says by each of the patterns."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        found = []
        for line in process.stderr:
            match = re.search(wanted[len(found)], line)
            if match:
                found.append(match.group(1))
            if len(found) == len(wanted):
                # A full pipe would lose the rest of the log, not more; it is read all the same.
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield found
                return
        raise SystemExit(f"{command} has ended before it said {wanted[len(found)]}")
    finally:
        process.terminate()
        process.wait(30)


PAGE = r"(http://[0-9.:]+/)"
READY = r" ready .*address=(\S+)"


@contextlib.contextmanager
def demo(program, nodes, *more):
    """Runs a demo of so many nodes; gives the address of its page."""
    command = [program, "demo", "--nodes", str(nodes), "--http", "127.0.0.1:0", *more]
    with running(command, PAGE) as (page,):
        yield page


@contextlib.contextmanager
def node(program, *more):
    """Runs a plain node; gives its address and that of its page."""
    command = [program, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *more]
    with running(command, READY, PAGE) as found:
        yield found


@contextlib.contextmanager
def chromium():
    """The Chromium of the system."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


def opened(browser, address, width=1440, scheme="light"):
    """A page on which contacts are drawn, and the list of what its console says."""
    viewport = {"width": width, "height": 1000}
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    said = []
    page.on("console", lambda line: said.append(line.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda one: one.url.startswith((address, "data:", "blob:")) or said.append(one.url))
    page.goto(address)
    page.wait_for_selector("#live.on")
    page.wait_for_selector(".edge", state="attached")
    return page, said
