"""Uses the page of a demo as a person does, in a real Chromium."""

import re
import subprocess
import sys

from axe_playwright_python.sync_playwright import Axe
from browser import SCHEMES, WIDTHS, chromium, demo, opened
from playwright.sync_api import expect

MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
NODES = 25
CHOSEN = 7


def put(page, text):
    """Puts a text; gives its key."""
    page.fill("#put-text", text)
    page.click("#put button")
    page.wait_for_selector("#values-said .good")
    return page.input_value("#get-key")


def a_value_is_put_and_shown_as_text(page):
    key = put(page, MARKUP)
    assert page.locator(".halo").count() >= 20, "the closest nodes are marked"
    page.click("#get button")
    page.wait_for_selector("#value:not([hidden])")
    assert page.text_content("#value") == MARKUP
    assert page.locator("#value *").count() == 0
    assert page.title().startswith("kad-node")
    return key


def a_put_through_the_page_is_found_through_another_node(page, program):
    key = put(page, "found elsewhere")
    other = page.request.get(f"{page.url}v1/demo").json()["nodes"][CHOSEN]["address"]
    command = [program, "get", "--bootstrap", other, key]
    found = subprocess.run(command, capture_output=True, check=True, timeout=30)
    assert found.stdout == b"found elsewhere", found


def a_lookup_is_drawn_hop_by_hop(page):
    page.fill("#get-key", "00" * 20)
    page.click("#get button")
    page.wait_for_selector("#values-said .bad")
    expect(page.locator("#lookup-said")).to_have_text(re.compile("^Not found"))
    hops = page.locator("#hops li").count()
    assert hops > 2 and page.locator("path.hop").count() >= hops


def line(page, node):
    """The line to a node that runs, if the page's node knows it."""
    return page.locator(f"#ring .edge[data-to='{node}']")


def a_killed_node_disappears_and_one_that_starts_comes_back(page):
    page.select_option("#demo-node", str(CHOSEN))
    node = page.request.get(f"{page.url}v1/demo").json()["nodes"][CHOSEN]["id"]
    expect(line(page, node)).to_have_count(1)
    page.click("#demo-kill")
    page.wait_for_selector("#ring .killed.chosen", state="attached")
    expect(line(page, node)).to_have_count(0)
    page.click("#demo-start")
    page.wait_for_selector("#ring .killed", state="detached")
    expect(line(page, node)).to_have_count(1)
    page.click("#demo-stop")
    page.wait_for_selector("#ring .stopped.chosen", state="attached")
    expect(page.locator(f"#ring [data-id='{node}']")).to_have_class(re.compile("stopped"))
    page.click("#demo-start-all")
    page.wait_for_selector("#ring .stopped", state="detached")


def the_network_is_cut_and_joined(page):
    page.click("#demo-cut")
    page.wait_for_selector("line.cut", state="attached")
    page.click("#demo-cut")
    page.wait_for_selector("line.cut", state="detached")


def wrong_input_is_answered(page):
    page.fill("#get-key", "zz")
    page.click("#get button")
    assert "40 hexadecimal digits" in page.text_content("#values-said .bad")


def nothing_is_hidden_from_those_who_do_not_see(page, scheme, width):
    results = Axe().run(page)
    found = [(one["id"], one["nodes"][0]["html"][:200]) for one in results.response["violations"]]
    assert not found, (scheme, width, found)
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert over <= 0, f"{width} wide: {over} more"


def main(program):
    passed = 0
    with demo(program, NODES) as address, chromium() as browser:
        page, said = opened(browser, address)
        for test, arguments in (
            (a_value_is_put_and_shown_as_text, (page,)),
            (a_put_through_the_page_is_found_through_another_node, (page, program)),
            (a_lookup_is_drawn_hop_by_hop, (page,)),
            (a_killed_node_disappears_and_one_that_starts_comes_back, (page,)),
            (the_network_is_cut_and_joined, (page,)),
            (wrong_input_is_answered, (page,)),
        ):
            test(*arguments)
            passed += 1
        assert not said, said
        for scheme in SCHEMES:
            for width in WIDTHS:
                page, said = opened(browser, address, width, scheme)
                nothing_is_hidden_from_those_who_do_not_see(page, scheme, width)
                page.close()
                passed += 1
    print(f"{passed} passed, 0 failed")


main(sys.argv[1])
