"""A demo of its own, and Chromium on its page."""

import contextlib
import re
import shutil
import subprocess

from playwright.sync_api import sync_playwright

SCHEMES = ("light", "dark")
WIDTHS = (390, 820, 1440)


@contextlib.contextmanager
def demo(program, nodes):
    """Runs a demo of so many nodes; gives the address of its page."""
    command = [program, "demo", "--nodes", str(nodes), "--http", "127.0.0.1:0"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        for line in process.stderr:
            found = re.search(r"http://[0-9.:]+/", line)
            if found:
                yield found.group()
                return
        raise SystemExit("the demo has ended before it served its page")
    finally:
        process.terminate()
        process.stderr.close()
        process.wait(30)


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
    """A page on which the network is drawn, and the list of what its console says."""
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
