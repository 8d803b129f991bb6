"""The page of a run as a browser shows it."""

from tests.training.reports.browser import dom
from training.reports.run import run_page
from training.trainer.curves import trace


def test_the_page_of_a_fit_shows_balancing_and_gates(trained, tmp_path):
    page = (trained.output / "run" / "report.html").read_text()
    shown = dom(page, tmp_path)
    for title in ("validation AUC", "training loss", "weight of the task", "norm of the task", "cosine between"):
        assert title in shown
    assert "click, watch_time" in shown
    places = page.count('<div id="chart-')
    assert shown.count("<canvas") + shown.count('class="marks"') == places >= 5  # quality and four kinds of curves
    assert "the weights of epoch" in shown


def test_a_run_without_gradients_or_gates(trained):
    curves = trace(trained.output / "run" / "steps.jsonl")
    page = run_page({kind: curves[kind] for kind in ("step", "loss", "weight")}, [], {}, 1)
    assert "cosine between" not in page.partition("<script>")[0]
    assert "Gates" not in page.partition("<script>")[0]
