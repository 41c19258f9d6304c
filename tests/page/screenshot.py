"""Takes the README's picture: `screenshot.py PROGRAM FILE [WIDTH SCHEME]`."""

import io
import sys

from browser import chromium, demo, opened
from PIL import Image

TEXTS = 30
# Enough for the page, and a fourth of the bytes.
COLORS = 128


def main(program, file, width="1280", scheme="light"):
    with demo(program, 60) as address, chromium() as browser:
        page, _ = opened(browser, address, int(width), scheme)
        for index in range(TEXTS):
            page.request.post(f"{address}v1/values", data=f"text {index}")
        page.fill("#get-key", "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed")
        page.click("#get button")
        page.wait_for_selector("#values-said .bad")
        for index in (3, 11, 27):
            page.request.post(f"{address}v1/demo/nodes/{index}/kill")
        page.locator("#ring .killed").nth(2).wait_for(state="attached")
        page.wait_for_timeout(8000)  # for the charts to have a line
        page.evaluate("document.activeElement.blur()")
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        picture.convert("RGB").quantize(COLORS).save(file, optimize=True)


main(*sys.argv[1:])
