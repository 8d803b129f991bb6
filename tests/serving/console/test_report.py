"""What the page shows of an experiment is what ``ranker-train experiment`` says of it."""

import json

import pytest

from tests.serving.console.shown import DASH, go, number, poll, table
from tests.training.commands.test_experiment import SINCE, judged, simulated


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A group whose clicks are lifted, and which breaks a guardrail."""
    folder = tmp_path_factory.mktemp("judged")
    rails = ("click / requests >= 100%", "watch.value / users >= -50%")
    rare = "rare = min(watch.value, 0) / users"
    metrics = ("click / requests", "watch.value / users", rare)
    return judged(simulated(folder, lift=0.4), since=SINCE, metrics=metrics, guardrails=rails).to_dict()


@pytest.fixture
def shown_report(console, page, report):
    """The page with the report, which is of an experiment that has the running one's name."""
    console.reports.mkdir(exist_ok=True)
    file = console.reports / "june.json"
    go(page, "experiment")
    page.until("document.body.innerText.includes('reports: holds no *.json')")
    file.write_text(json.dumps({**report, "experiment": "june"}))
    poll(page)
    yield page
    file.unlink()


def of(text, scale=1.0):
    return None if text == DASH else number(text.removeprefix("+")) / scale


def test_every_number_is_that_of_the_report(shown_report, report):
    rows = table(shown_report, "Differences to control")
    assert len(rows) == len(report["comparisons"]) == 3
    for row, one in zip(rows, report["comparisons"], strict=True):
        assert (row["Metric"], row["Group"]) == (one["metric"], "bold")
        assert of(row["Value"]) == pytest.approx(one["value"], rel=1e-3)
        assert of(row["Control"]) == pytest.approx(one["control_value"], rel=1e-3)
        known = one["relative"] is not None
        ends = ("relative", "relative_low", "relative_high") if known else ("difference", "low", "high")
        for column, name in zip(("Difference", "From", "To"), ends, strict=True):
            assert row[column].endswith(" %") == known
            told = of(row[column], 100.0 if known else 1.0)
            assert told == (one[name] if one[name] is None else pytest.approx(one[name], abs=5.1e-5 if known else 6e-3))
        assert of(row["p"]) == (
            one["p_corrected"] if one["p_corrected"] is None else pytest.approx(one["p_corrected"], rel=6e-3)
        )
        assert row["Outcome"] == (one["undefined"] or one["outcome"])
    assert rows[0]["Outcome"] == "better"
    assert rows[2]["Outcome"] == report["comparisons"][2]["undefined"] is not None


def test_verdicts_guardrails_and_notes_are_those_of_the_report(shown_report, report):
    rails = {row["Guardrail"]: row for row in table(shown_report, "Guardrails")}
    assert {name: row["State"] for name, row in rails.items()} == {
        one["guardrail"]: one["state"] for one in report["guardrails"]
    }
    assert {row["State"] for row in rails.values()} == {"broken", "holds"}
    groups = {row["Group"]: row for row in table(shown_report, "Groups of the report")}
    for name, one in report["groups"].items():
        assert (number(groups[name]["Users"]), number(groups[name]["Requests"])) == (one["units"], one["requests"])
        assert groups[name]["Verdict"] == one.get("state", "control")
    text = shown_report.text()
    for line in [*report["why"], *report["notes"]]:
        assert line.removeprefix("bold: ") in text
    assert report["state"] in text
    assert "is running now" not in text


def test_a_report_of_another_experiment_is_told(console, shown_report, report):
    (console.reports / "june.json").write_text(json.dumps(report))
    poll(shown_report)
    name = report["experiment"]
    shown_report.until(f"document.body.innerText.includes('This report is of {name}; june is running now.')")
