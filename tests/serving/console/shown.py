"""Expressions that read the console's page as its reader does."""

import json
from typing import Any

from tests.browser_tab import Tab

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
"""Of negative numbers, and of what there is no number of."""


def table(opened: Tab, caption: str) -> list[dict[str, str]]:
    """Rows of a table as shown, by the names of its columns; empty ones are left out."""
    script = """((caption) => {
      const table = [...document.querySelectorAll('table')].find((one) => one.caption?.textContent === caption);
      if (!table) return null;
      const texts = (row) => [...row.cells].map((cell) => cell.innerText.trim());
      const rows = [...table.tBodies[0].rows].filter((row) => !row.matches('.details'));
      return [texts(table.tHead.rows[0]), ...rows.map(texts)];
    })"""
    found = opened.until(f"{script}({json.dumps(caption)})")
    heads, rows = found[0], found[1:]
    return [{head: cell for head, cell in zip(heads, row, strict=True) if head} for row in rows]


def number(text: str) -> float:
    """A number as the page writes it."""
    return float(text.replace(",", "").replace(MINUS, "-").removesuffix(" %"))


def go(opened: Tab, view: str) -> None:
    """Choose a view by its link."""
    opened.run(f"document.querySelector('nav a[href=\"#{view}\"]').click()")
    opened.until(f"document.querySelector('nav a[aria-current]').hash === '#{view}'")


def poll(opened: Tab) -> None:
    """Have the page ask the service at once, as one that comes into view does."""
    opened.run("document.dispatchEvent(new Event('visibilitychange'))")


def bench(opened: Tab) -> None:
    """Go to the bench and start from the golden request."""
    go(opened, "bench")
    opened.until("[...document.querySelectorAll('#pick option')].some((one) => one.textContent.startsWith('Golden'))")
    golden = "[...document.querySelectorAll('#pick option')].find((one) => one.textContent.startsWith('Golden')).value"
    choose(opened, "#pick", opened.run(golden))
    ranked(opened)


def ranked(opened: Tab, lane: str = "A") -> list[dict[str, str]]:
    """The list of a lane, once it is there and no answer is awaited."""
    opened.until(f"document.querySelectorAll('.lane')[{ord(lane) - 65}]?.querySelector('tbody tr') != null")
    opened.until("document.querySelector('[aria-busy]') === null")
    return table(opened, f"Ranking {lane}")


def choose(opened: Tab, selector: str, value: str, event: str = "change", index: int = 0) -> None:
    """Give a field of the page a value, as a person would."""
    script = """((selector, value, event, index) => {
      const field = document.querySelectorAll(selector)[index];
      field.value = value;
      if (field.value !== value) throw new Error(`${selector} takes no ${value}`);
      field.dispatchEvent(new Event(event, {bubbles: true}));
    })"""
    arguments = ", ".join(map(json.dumps, (selector, value, event, index)))
    opened.run(f"{script}({arguments})")


def request(opened: Tab, body: Any) -> None:
    """Paste a request into the bench and press its button."""
    text = body if isinstance(body, str) else json.dumps(body)
    choose(opened, "#request", text, "input")
    opened.run("[...document.querySelectorAll('button')].find((one) => one.textContent === 'Rank').click()")
