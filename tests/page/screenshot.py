"""Takes the README's picture: `screenshot.py PROGRAM FILE [WIDTH SCHEME [plain]]`.

With `plain` it shows a plain node with two others instead of a demo.
"""

import contextlib
import io
import sys

from browser import chromium, demo, node, opened
from PIL import Image

TEXTS = 30
NODES = 60
# Enough for the page, and a fourth of the bytes.
COLORS = 128


def put(page, text):
    page.fill("#put-text", text)
    page.click("#put button")
    page.wait_for_selector("#values-said .good")


def taken(page, file):
    page.wait_for_timeout(8000)  # for the charts to have a line
    page.evaluate("document.activeElement.blur()")
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    picture.convert("RGB").quantize(COLORS).save(file, optimize=True)


def of_demo(program, browser, file, width, scheme):
    with demo(program, NODES, "--republish", "5s") as address:
        page, _ = opened(browser, address, width, scheme)
        for index in range(TEXTS):
            page.request.post(f"{address}v1/values", data=f"text {index}")
        for index in (3, 11, 27):
            page.request.post(f"{address}v1/demo/nodes/{index}/kill")
        page.locator("#ring .killed").nth(2).wait_for(state="attached")
        page.wait_for_timeout(1000)  # until no other lookup has the picture
        put(page, "hello world")
        taken(page, file)


def of_a_node(program, browser, file, width, scheme):
    with contextlib.ExitStack() as stack:
        first, _ = stack.enter_context(node(program))
        for _ in range(6):
            stack.enter_context(node(program, "--bootstrap", first))
        _, address = stack.enter_context(node(program, "--bootstrap", first, "--cores", "2"))
        page, _ = opened(browser, address, width, scheme)
        for index in range(TEXTS):
            page.request.post(f"{address}v1/values", data=f"text {index}")
        page.wait_for_timeout(1000)
        put(page, "hello world")
        taken(page, file)


def main(program, file, width="1280", scheme="light", what="demo"):
    with chromium() as browser:
        take = of_a_node if what == "plain" else of_demo
        take(program, browser, file, int(width), scheme)


main(*sys.argv[1:])
