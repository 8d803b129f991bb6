"""The page as a browser shows it."""

import pytest
import vl_convert

from tests.training.reports.browser import dom
from training.reports import Page, bars, front, heatmap, lines, parallel, reliability, scatter

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


def test_fronts_are_drawn_with_the_pick_and_its_axis_turned(tmp_path):
    where = {"picked": (0.7, 2.0, 0), "on the front": (0.8, 3.0, 1), "dominated": (0.6, 4.0, None)}
    points = [
        {"auc [a.b]": auc, "rmse": rmse, "setting": name, "method": "m", "standing": name, "step": step}
        for name, (auc, rmse, step) in where.items()
    ]
    lines = [{"setting": n, "standing": n, "axis: x": a, "better": 0.5} for n in where for a in ("p", "q")]
    page = Page("Fronts").chart(front(points, "auc [a.b]", "rmse", "setting", "method", lower=["rmse"]))
    shown = dom(page.chart(parallel(lines, "axis: x", "better", "setting")).html(), tmp_path)
    assert shown.count("<canvas") + shown.count('class="marks"') >= 2
    chart = page._charts[0]
    assert "picked" in str(chart["layer"][3])
    for layer in chart["layer"]:
        assert layer["encoding"]["y"]["scale"]["reverse"]
        assert not layer["encoding"]["x"]["scale"]["reverse"]


def test_names_with_dots_colons_and_brackets_find_their_values() -> None:
    points = [
        {"auc: a.b [c]": 0.1 * i, "rmse.d": -0.2 * i, "set.of": f"s{i}", "standing": "picked", "step": i}
        for i in range(3)
    ]
    drawn = [
        front(points, "auc: a.b [c]", "rmse.d", "set.of", "set.of"),
        scatter(points, "auc: a.b [c]", "rmse.d", "set.of"),
        lines(points, "auc: a.b [c]", "rmse.d", "set.of"),
    ]
    for chart in drawn:
        assert "NaN" not in vl_convert.vegalite_to_svg(chart.to_json())


def test_a_page_without_charts_needs_no_script():
    assert "<script" not in Page("Plain").text("x").html()


@pytest.mark.parametrize("url", ["http://", "https://"])
def test_nothing_is_loaded_from_elsewhere(url):
    page = Page("x").chart(bars(RECORDS, "auc", "other")).html()
    assert f'src="{url}' not in page
    assert f'href="{url}' not in page
