"""The page as a browser shows it."""

import pytest

from tests.training.pages.browser import dom
from training.pages import Page, bars, heatmap, reliability, scatter

RECORDS = [{"name [a.b]": "</script><b>x</b>", "cost: ms": 1.5, "auc": 0.7, "spread": 0.01, "other": "p"}]


def test_every_chart_is_drawn_without_a_network(tmp_path):
    page = Page("Title & more").heading("One").text("<i>plain</i>").note("careful").code("a: <b>")
    page.table(["", "n"], [["<td>", "1"]])
    page.chart(scatter(RECORDS, "cost: ms", "auc", "name [a.b]", error="spread", log=True))
    page.chart(heatmap(RECORDS, "name [a.b]", "other", "auc")).chart(bars(RECORDS, "auc", "name [a.b]"))
    page.chart(reliability([{"scores": state, "predicted": 0.1, "observed": 0.2} for state in ("model", "platt")]))
    shown = dom(page.html(), tmp_path)
    assert shown.count("<canvas") + shown.count('class="marks"') >= 4
    assert "Title &amp; more" in shown
    assert "<i>plain</i>" not in shown
    assert "<b>x</b>" not in shown


def test_a_page_without_charts_needs_no_script():
    assert "<script" not in Page("Plain").text("x").html()


@pytest.mark.parametrize("url", ["http://", "https://"])
def test_nothing_is_loaded_from_elsewhere(url):
    page = Page("x").chart(bars(RECORDS, "auc", "other")).html()
    assert f'src="{url}' not in page
    assert f'href="{url}' not in page
