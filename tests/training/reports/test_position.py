from training.reports.page import Page
from training.reports.position import add_position

CURVE = {
    "column": "slot",
    "method": "additive",
    "positions": [0, 1, 2],
    "shared": True,
    "rows": [1500, 0, 7],
    "unknown": 12,
    "tasks": {"click": {"relative": [1.0, None, 0.25], "odds_ratio": [1.0, 0.5, 0.2]}},
}


def test_places_rows_and_both_ratios_are_shown():
    html = Page("run")
    add_position(html, CURVE)
    text = html.html()
    assert "&#x27;slot&#x27;" in text
    assert "<th>click, relative to the first</th><th>click, odds ratio to the first</th>" in text
    assert "<td>0</td><td>1,500</td><td>1.000</td><td>1.000</td>" in text
    assert "<td>1</td><td>0</td><td>-</td><td>0.500</td>" in text
    assert "<td>2 and later</td><td>7</td><td>0.250</td><td>0.200</td>" in text
    assert "12 training rows have no position." in text


def test_a_log_without_late_or_unknown_places_says_nothing_of_them():
    page = Page("run")
    add_position(page, {**CURVE, "shared": False, "unknown": 0})
    assert "and later" not in page.html()
    assert "have no position" not in page.html()
