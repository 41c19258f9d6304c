"""Uses the pages of a demo and of a plain node as a person does, in a real Chromium."""

import contextlib
import hashlib
import itertools
import pathlib
import re
import subprocess
import sys
import tempfile

from axe_playwright_python.sync_playwright import Axe
from browser import SCHEMES, WIDTHS, chromium, demo, node, opened
from playwright.sync_api import expect

MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
ROOT = pathlib.Path(__file__).parents[2]
NODES = 25
CHOSEN = 7
K = 20
LARGE_BYTES = 512 << 10
ALL_HOLD = re.compile(r": 20 of the 20 closest ")
SOME_HOLD = re.compile(r": ([2-9]|1\d|20) of the 20 closest ")
ALL_LEFT_HOLD = re.compile(r": (\d+) of the \1 closest ")
# Collects what the page says of the last key.
SAYS = """() => {
  window.says = [];
  const at = document.getElementById('key-said');
  new MutationObserver(() => window.says.push(at.textContent)).observe(at, {childList: true, characterData: true, subtree: true});
}"""
# What waits for the network to heal waits for values to be published again.
HEAL_MS = 60_000
REPUBLISH = ("--republish", "4s")


def put(page, text):
    """Puts a text; gives its key."""
    page.fill("#put-text", text)
    page.click("#put button")
    page.wait_for_selector("#values-said .good")
    expect(page.locator("#values-said")).to_contain_text("Its key is")
    return page.input_value("#get-key")


def fetched(program, address, key):
    """What another node gives for a key."""
    command = [program, "get", "--bootstrap", address, key]
    return subprocess.run(command, capture_output=True, check=True, timeout=30).stdout


def nodes(page):
    return page.request.get(f"{page.url}v1/demo").json()["nodes"]


def a_value_is_put_and_shown_as_text(page, _):
    put(page, MARKUP)
    expect(page.locator("#ring .halo.holder")).to_have_count(20)
    expect(page.locator("#key-said")).to_have_text(ALL_HOLD)
    page.click("#get button")
    page.wait_for_selector("#value:not([hidden])")
    assert page.text_content("#value") == MARKUP
    assert page.locator("#value *").count() == 0
    assert page.title().startswith("kad-node")


def a_put_is_drawn_hop_by_hop_and_store_by_store(page, _):
    put(page, "drawn as it is put")
    expect(page.locator("#lookup-said")).to_have_text(re.compile("^Put .*: 20 of the 20 "))
    assert page.locator("#hops li", has_text="hop ").count() > 2
    expect(page.locator("#hops li", has_text="holds it")).to_have_count(20)
    assert page.locator("path.hop.contacts").count() > 2


def a_put_through_the_page_is_found_through_another_node(page, program):
    key = put(page, "found elsewhere")
    found = fetched(program, nodes(page)[CHOSEN]["address"], key)
    assert found == b"found elsewhere", found


def a_file_is_put_as_it_is(page, program):
    file = pathlib.Path(tempfile.mkdtemp()) / "bytes"
    file.write_bytes(bytes(range(256)) * 4)
    page.set_input_files("#put-file", file)
    page.click("#put button")
    expect(page.locator("#values-said .good")).to_contain_text("bytes, 1 KiB, held by 20")
    key = page.input_value("#get-key")
    page.set_input_files("#put-file", [])
    assert fetched(program, nodes(page)[CHOSEN]["address"], key) == file.read_bytes()
    page.click("#get button")
    expect(page.locator("#value")).to_contain_text("Not a text. It begins with the bytes 00 01 02")


def a_picture_is_put_and_shown(page, program):
    picture = ROOT / "docs" / "page.png"
    page.set_input_files("#put-file", picture)
    page.click("#put button")
    expect(page.locator("#values-said .good")).to_contain_text("page.png, ")
    key = page.input_value("#get-key")
    page.set_input_files("#put-file", [])
    assert fetched(program, nodes(page)[CHOSEN]["address"], key) == picture.read_bytes()
    page.click("#get button")
    page.wait_for_selector("#picture:not([hidden])")
    assert page.evaluate("document.getElementById('picture').naturalWidth") > 100
    expect(page.locator("#value")).to_be_hidden()
    # Neither a file that only begins so nor one that may hold scripts is shown as a picture.
    for text in ("RIFFsizeWEBP is how it begins", "<svg xmlns='http://www.w3.org/2000/svg'/>"):
        put(page, text)
        expect(page.locator("#picture")).to_be_hidden()
        page.click("#get button")
        expect(page.locator("#value")).to_have_text(text)
        expect(page.locator("#picture")).to_be_hidden()


def put_elsewhere(page, program, value):
    """Puts a value of which the page's own node holds nothing; gives its key, and its holders."""
    ids = [int(node["id"], 16) for node in nodes(page)]
    for number in itertools.count():
        told = value + str(number).encode()
        key = int(hashlib.sha1(told).hexdigest(), 16)
        holders = sorted(range(NODES), key=lambda index: ids[index] ^ key)[:K]
        if 0 not in holders:
            break
    file = pathlib.Path(tempfile.mkdtemp()) / "value"
    file.write_bytes(told)
    command = [program, "put", "--bootstrap", nodes(page)[CHOSEN]["address"], "--file", file]
    subprocess.run(command, capture_output=True, check=True, timeout=30)
    return f"{key:040x}", holders


def a_large_value_shows_which_holder_has_sent_which_part(page, program):
    # Where one has sent all before another has answered, the next value is shared.
    second = page.locator("#pulled dt").nth(1)
    for attempt in range(5):
        page.fill("#get-key", put_elsewhere(page, program, bytes([attempt]) * LARGE_BYTES)[0])
        page.click("#get button")
        expect(page.locator("#values-said .good")).to_contain_text("512 KiB from ")
        try:
            expect(second).to_be_visible(timeout=2000)
            break
        except AssertionError:
            continue
    expect(second).to_be_visible()
    # The parts cover the value, each in its place.
    covered = """() => {
      const at = [...document.querySelectorAll('#parts span')].map(part => [parseFloat(part.style.left), parseFloat(part.style.width)]);
      return at.sort((a, b) => a[0] - b[0]).reduce((end, [left, width]) => Math.abs(left - end) < .01 ? left + width : NaN, 0);
    }"""
    page.wait_for_function(f"Math.abs(({covered})() - 100) < .01")
    assert page.locator("#ring .pull").count() == page.locator("#pulled dt").count()
    # What is not large is sent whole.
    page.fill("#get-key", put_elsewhere(page, program, b"small")[0])
    page.click("#get button")
    expect(page.locator("#lookup-said")).to_contain_text("Got ")
    expect(page.locator("#pull")).to_be_hidden()


def what_a_node_hands_off_counts_as_held_by_others(page, program):
    key, holders = put_elsewhere(page, program, b"handed off")
    page.fill("#get-key", key)
    page.click("#get button")
    expect(page.locator("#lookup-said")).to_contain_text("Got ")
    page.select_option("#demo-node", str(holders[0]))
    page.click("#demo-stop")
    # By the page's node, for having got it, would be at most one.
    expect(page.locator("#key-said")).to_have_text(SOME_HOLD)
    page.wait_for_selector("#ring .stopped.chosen", state="attached")
    page.click("#demo-start-all")
    page.wait_for_selector("#ring .stopped", state="detached")


def what_others_do_with_the_node_is_drawn_too(page, _):
    said = re.compile("^Put 922397eb…: 20 ")
    # One that comes right after another is passed over, so that the other can be read.
    for _ in range(20):
        page.request.post(f"{page.url}v1/values", data="put by another client")
        with contextlib.suppress(AssertionError):
            expect(page.locator("#lookup-said")).to_have_text(said, timeout=1000)
            break
    expect(page.locator("#lookup-said")).to_have_text(said)
    expect(page.locator("#key-said")).to_have_text(ALL_HOLD)


def a_lookup_that_finds_nothing_is_drawn_hop_by_hop(page, _):
    page.fill("#get-key", "00" * 20)
    page.click("#get button")
    page.wait_for_selector("#values-said .bad")
    expect(page.locator("#lookup-said")).to_have_text(re.compile("^Did not find"))
    hops = page.locator("#hops li").count()
    assert hops > 2 and page.locator("path.hop:not(.background)").count() >= hops


def line(page, node):
    """The line to a node that runs, if the page's node knows it."""
    return page.locator(f"#ring .edge[data-to='{node}']")


def a_killed_node_disappears_and_one_that_starts_comes_back(page, _):
    page.select_option("#demo-node", str(CHOSEN))
    node = nodes(page)[CHOSEN]["id"]
    expect(line(page, node)).to_have_count(1)
    page.click("#demo-kill")
    page.wait_for_selector("#ring .killed.chosen", state="attached")
    expect(line(page, node)).to_have_count(0)
    expect(page.locator("#demo-chosen")).to_have_text(f"Node {CHOSEN}: killed.")
    page.click("#demo-start")
    page.wait_for_selector("#ring .killed", state="detached")
    expect(line(page, node)).to_have_count(1)


def a_node_that_stops_hands_its_values_to_others(page, _):
    page.select_option("#demo-node", str(CHOSEN))
    expect(page.locator("#demo-chosen")).to_have_text(re.compile("holds [1-9]"), timeout=HEAL_MS)
    page.click("#demo-stop")
    page.wait_for_selector("#ring .moving", state="attached")
    expect(page.locator("#demo-moved")).to_contain_text("handed off by nodes that stop")
    page.wait_for_selector("#ring .stopped.chosen", state="attached")
    page.click("#demo-start-all")
    page.wait_for_selector("#ring .stopped", state="detached")


def the_network_is_seen_to_heal(page, _):
    put(page, "it is published again")
    expect(page.locator("#key-said")).to_have_text(ALL_HOLD)
    page.click("#demo-kill-some")
    expect(page.locator("#key-said")).not_to_have_text(ALL_LEFT_HOLD)
    expect(page.locator("#key-said")).to_have_text(ALL_LEFT_HOLD, timeout=HEAL_MS)
    # What starts again holds nothing at first: the page says so, however soon it heals.
    page.evaluate(SAYS)
    page.click("#demo-start-all")
    page.wait_for_selector("#ring .killed", state="detached")
    page.wait_for_function("window.says.length > 0")
    expect(page.locator("#key-said")).to_have_text(ALL_HOLD, timeout=HEAL_MS)
    assert any(not ALL_HOLD.search(said) for said in page.evaluate("window.says"))


def the_network_is_cut_and_joined(page, _):
    page.click("#demo-cut")
    page.wait_for_selector("line.cut", state="attached")
    page.click("#demo-cut")
    page.wait_for_selector("line.cut", state="detached")


def wrong_input_is_answered(page, _):
    page.fill("#get-key", "zz")
    page.click("#get button")
    # The page itself says so: the node is not asked.
    expect(page.locator("#values-said .bad")).to_have_text("A key has 40 hexadecimal digits, such as a put gives.")


def what_is_turned_away_is_shown(page, _):
    refused = page.request.get(page.url, headers={"Host": "evil.example"})
    assert refused.status == 421
    expect(page.locator("#away")).to_contain_text("to another host’s name")


def the_charts_have_lines_for_each_shard(page, _):
    for chart in ("rate", "trip", "busy"):
        expect(page.locator(f"#{chart} .u-series")).not_to_have_count(1)
        expect(page.locator(f"#{chart}[aria-label^='Now: ']")).to_have_count(1)


OF_DEMO = (
    a_value_is_put_and_shown_as_text,
    a_put_is_drawn_hop_by_hop_and_store_by_store,
    a_put_through_the_page_is_found_through_another_node,
    a_file_is_put_as_it_is,
    a_picture_is_put_and_shown,
    a_large_value_shows_which_holder_has_sent_which_part,
    what_a_node_hands_off_counts_as_held_by_others,
    what_others_do_with_the_node_is_drawn_too,
    a_lookup_that_finds_nothing_is_drawn_hop_by_hop,
    a_killed_node_disappears_and_one_that_starts_comes_back,
    a_node_that_stops_hands_its_values_to_others,
    the_network_is_seen_to_heal,
    the_network_is_cut_and_joined,
    wrong_input_is_answered,
    the_charts_have_lines_for_each_shard,
    what_is_turned_away_is_shown,
)


def a_plain_node_shows_what_it_knows_and_nothing_of_a_demo(page, program, other):
    expect(page.locator("#ring-title")).to_have_text("What this node knows")
    expect(page.locator("#ring .node")).to_have_count(1)
    expect(page.locator(".of-demo:visible")).to_have_count(0)
    key = put(page, "put at a plain node")
    expect(page.locator("#ring .halo.holder")).to_have_count(1)
    expect(page.locator("#ring .held.published")).to_have_count(1)
    assert fetched(program, other, key) == b"put at a plain node"
    page.click("#table summary")
    expect(page.locator("#contacts tr")).to_contain_text(other)
    expect(page.locator("#rate .u-series")).to_have_count(3)


def a_plain_node_shows_what_it_holds_for_others(page, program, other):
    command = [program, "put", "--bootstrap", other, "put by another node"]
    subprocess.run(command, capture_output=True, check=True, timeout=30)
    expect(page.locator("#ring .held.replicas")).to_have_count(1)
    expect(page.locator("#sources")).to_contain_text("127.0.0.11 value")
    expect(page.locator("#fill span")).to_have_count(1)


def nothing_is_hidden_from_those_who_do_not_see(page, scheme, width):
    page.click("#table summary")
    page.evaluate("document.getElementById('how').open = true")
    results = Axe().run(page)
    found = [(one["id"], one["nodes"][0]["html"][:200]) for one in results.response["violations"]]
    assert not found, (scheme, width, found)
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert over <= 0, f"{width} wide: {over} more"


def looks_right(browser, address):
    """Checks each width in both schemes; gives how many there are."""
    looks = [(scheme, width) for scheme in SCHEMES for width in WIDTHS]
    for scheme, width in looks:
        page, said = opened(browser, address, width, scheme)
        page.wait_for_selector("#busy .u-series", state="attached")
        nothing_is_hidden_from_those_who_do_not_see(page, scheme, width)
        assert not said, said
        page.close()
    return len(looks)


def main(program, only=""):
    passed = 0
    with chromium() as browser:
        with demo(program, NODES, *REPUBLISH) as address:
            page, said = opened(browser, address)
            for test in OF_DEMO:
                if only in test.__name__:
                    print(test.__name__, flush=True)
                    test(page, program)
                    passed += 1
            assert not said, said
            page.close()
            if not only:
                passed += looks_right(browser, address)
        with contextlib.ExitStack() as stack:
            other, _ = stack.enter_context(node(program))
            _, address = stack.enter_context(node(program, "--bootstrap", other, "--cores", "2"))
            page, said = opened(browser, address)
            a_plain_node_shows_what_it_knows_and_nothing_of_a_demo(page, program, other)
            a_plain_node_shows_what_it_holds_for_others(page, program, other)
            assert not said, said
            page.close()
            passed += 2 + looks_right(browser, address)
    print(f"{passed} passed, 0 failed")


main(*sys.argv[1:])
