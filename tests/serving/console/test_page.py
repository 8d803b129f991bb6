"""The page for all its readers: by key alone, by the keyboard, by a screen reader, narrow and wide, light and dark."""

from itertools import product

from tests.serving.asking import patiently
from tests.serving.console.conftest import ADMIN, RANK, sign_in
from tests.serving.console.shown import bench, go, poll, ranked, table

VIEWS = ("overview", "experiment", "bench")
NAMED = {
    *(
        "button",
        "link",
        "textbox",
        "combobox",
        "slider",
        "spinbutton",
        "checkbox",
        "dialog",
        "image",
        "table",
        "region",
    ),
    *("navigation", "DisclosureTriangle", "columnheader", "rowheader", "heading"),
}
"""Roles that a screen reader announces by name."""
UNREADABLE = """(() => {
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = parts(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const seen = (one) => one.checkVisibility() && !one.disabled && !one.closest('svg, .unseen');
  return [...document.querySelectorAll('body *')].filter((one) => own(one) && seen(one))
    .map((one) => {
      const [a, b] = [light(parts(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
      return [one.textContent.slice(0, 40), (a + 0.05) / (b + 0.05)];
    }).filter(([, contrast]) => contrast < 4.5);
})()"""
"""Texts with less contrast to their ground than WCAG 2.1 asks for (1.4.3, level AA)."""


def everything(page):
    """Show each view in its fullest state, one after the other."""
    go(page, "overview")
    table(page, "Models and their versions")
    yield "overview"
    go(page, "experiment")
    table(page, "Groups of june")
    yield "experiment"
    bench(page)
    if page.run("document.querySelectorAll('.lane').length") == 1:
        page.run(
            "[...document.querySelectorAll('button')].find((one) => one.textContent.startsWith('Compare')).click()"
        )
    ranked(page, "B")
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.run("document.querySelector('tbody td button[aria-expanded=false]').click()")
    yield "bench"


def test_every_view_is_for_all_its_readers(console, page):
    """It fits its screen, can be read in light and dark, is named for screen readers, and asks no other service."""
    for view in everything(page):
        for width, scheme in product((390, 1280), ("light", "dark")):
            page.show_as(width, scheme=scheme)
            assert page.run("document.documentElement.scrollWidth") <= width, view
            assert page.run(UNREADABLE) == [], view
            dark = page.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0] < 128")
            assert dark == (scheme == "dark")
        nodes = page.accessible()
        nameless = [node for node in nodes if node["role"] in NAMED and not node["name"].strip()]
        assert nameless == [], view
        roles = {node["role"] for node in nodes}
        assert {"navigation", "main", "heading", "table", "status"} <= roles, view
        current = [node["name"] for node in nodes if node["role"] == "link" and node["name"].lower() == view]
        assert len(current) == 1
    assert {"image", "combobox", "textbox", "slider", "spinbutton", "checkbox", "alert"} <= roles
    buttons = [node["name"] for node in nodes if node["role"] == "button"]
    assert len({name for name in buttons if name.startswith("Why ")}) >= 9  # named by candidate

    assert {address.split("/")[2] for address in page.requested if address != "about:blank"} == {
        console.url.removeprefix("http://")
    }
    assert page.errors == []


def test_the_keyboard_alone_reaches_and_works_everything(console, page):
    def focus(wanted, most=60, modifiers=0):
        """Press Tab until a script about the focused element is true; the focus can be seen all the way."""
        for _ in range(most):
            if page.run(f"((at) => {wanted})(document.activeElement)"):
                return
            page.key("Tab", modifiers)
            ring = page.run("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none" or page.run("document.activeElement.matches('main, body')")
        raise AssertionError(f"Tab does not reach {wanted}")

    focus("at.textContent === 'Skip to the content'", modifiers=8)
    focus("at.hash === '#bench'")
    page.key("Enter")
    ranked(page)
    focus("at.id === 'pick'")
    focus("at.tagName === 'SUMMARY'")
    page.key("Enter")
    focus("at.type === 'range'")
    page.key("ArrowRight")
    page.until("document.querySelector('thead').textContent.includes('vs start')")
    assert page.run("document.activeElement.type") == "range"  # what it moves does not take the focus away
    focus("at.textContent.startsWith('Back to')")
    page.key("Enter")
    page.until("!document.querySelector('thead').textContent.includes('vs start')")
    page.run("document.querySelector('.lane details').open = false")
    focus("at.getAttribute('role') === 'region'")
    focus("at.textContent === 'Why?'")
    page.key(" ")
    assert page.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    focus("at.textContent === 'Rank'", modifiers=8)
    focus("at.id === 'request'", modifiers=8)
    page.key("Enter", 2)
    assert len(ranked(page)) == 20


def test_a_change_asks_first_and_escape_takes_it_back(console, page):
    press = "[...document.querySelectorAll('td button')].find((one) => one.textContent === '{}')"
    page.until(f"{press.format('Reload')} !== undefined")
    page.run(f"{press.format('Reload')}.focus()")
    page.key("Enter")
    assert page.run("document.querySelector('dialog').textContent").startswith(
        "Serve version 3 of shop, the newest one"
    )
    page.key("Escape")
    page.until("document.querySelector('dialog') === null")
    page.run(f"{press.format('Reload')}.click()")
    page.until("document.querySelector('dialog[open]') !== null")
    page.key("Enter")
    told = page.until("document.querySelector('section .problem').textContent")
    assert "scores differ by 1.00e-02" in told
    assert console.get("/admin/status")["models"]["shop"]["version"] == 2


def test_a_key_that_is_not_valid_shows_nothing(console, browser_tab):
    """As it is not for a key for ranking, nor one that no header can hold."""
    browser_tab.open(console.page)
    browser_tab.run("sessionStorage.clear()")
    browser_tab.open("about:blank")
    browser_tab.open(console.page)
    for key in ("a wrong key of many letters", RANK, "a key with \N{SNOWMAN} in it"):
        browser_tab.until("document.activeElement?.id === 'key'")
        browser_tab.run(
            "document.querySelector('#key').value = document.querySelector('#key-problem').textContent = ''"
        )
        browser_tab.type(key)
        browser_tab.key("Enter")
        assert browser_tab.until("document.querySelector('#key-problem').textContent") == "That key is not valid."
        browser_tab.until("!document.querySelector('form button').disabled")
    assert "shop" not in browser_tab.text()
    assert browser_tab.run("sessionStorage.length") == 0
    assert browser_tab.run("document.querySelector('#views').hidden")
    sign_in(browser_tab)
    assert not any(key in address for address in browser_tab.requested for key in ("key%20", "key+", "snowman"))


def test_signing_out_forgets_the_key(console, page):
    assert page.run("Object.values(sessionStorage)") == [ADMIN]
    page.run("[...document.querySelectorAll('button')].find((one) => one.textContent === 'Sign out').click()")
    assert page.run("document.activeElement.id") == "key"
    assert page.run("[sessionStorage.length, localStorage.length, document.cookie]") == [0, 0, ""]
    assert "shop" not in page.text()
    sign_in(page)
    page.until("document.body.innerText.includes('shop')")


def test_an_answer_that_comes_after_signing_out_shows_nothing(page):
    """Nor does it go on asking without a key."""
    page.run(
        """{
          const asked = window.fetch;
          window.fetch = async (...call) => {
            const answer = await asked(...call);
            await new Promise((go) => { window.answers = [...window.answers ?? [], go]; });
            return answer;
          };
        }"""
    )
    poll(page)
    page.until("window.answers?.length === 2")
    page.run("[...document.querySelectorAll('button')].find((one) => one.textContent === 'Sign out').click()")
    page.run("window.timers = 0; window.setTimeout = () => { window.timers += 1; }")
    frame = "new Promise((done) => requestAnimationFrame(done))"
    page.run(f"window.answers.forEach((go) => go()); {frame}.then(() => {frame})")
    assert page.run("window.timers") == 0
    assert page.run("document.querySelector('#key-problem').textContent") == ""


def test_a_service_that_goes_away_is_told_and_found_again(console, page):
    page.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    poll(page)
    page.until("document.querySelector('#session').textContent.includes('No answer since')")
    assert "does not answer" in page.run("document.getElementById('announcement').textContent")
    page.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    poll(page)
    page.until("document.querySelector('#session').textContent.includes('Updated')")
    patiently(lambda: page.run("document.getElementById('announcement').textContent") == "The service answers again.")
