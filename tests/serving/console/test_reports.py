import json
import os

import pytest

from serving.console import reports
from serving.console.report_content import Report
from serving.console.reports import newest

NUMBERS = ("value", "control_value", "difference", "low", "high", "relative", "relative_low", "relative_high")
COMPARISON = {
    **dict.fromkeys(NUMBERS, 0.25),
    "metric": "clicks",
    "group": "bold",
    "formula": "click / users",
    "p_corrected": None,
    "outcome": "open",
    "undefined": None,
}
RAIL = {
    "guardrail": "click / users >= 0",
    "group": "bold",
    "relative": False,
    "state": "holds",
    "value": 1.0,
    "low": 0.5,
    "high": None,
}
WHOLE = {
    "experiment": "june",
    "state": "open",
    "why": ["bold: too few users"],
    "control": "control",
    "first": "2026-03-03T00:00:05Z",
    "last": "2026-03-09T23:59:58Z",
    "method": "normal",
    "level": 0.05,
    "correction": "holm",
    "comparisons": [COMPARISON],
    "guardrails": [RAIL],
    "notes": [],
    "groups": {
        "control": {"units": 10, "requests": 20, "state": None, "why": []},
        "bold": {"units": 11, "requests": 21, "state": "open", "why": ["too few users"]},
    },
}


def test_the_newest_file_of_a_folder_is_shown(tmp_path):
    for age, name in enumerate(["c", "a", "b"]):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({**WHOLE, "experiment": name, "days": [1, 2, 3]}))
        os.utime(file, (1e9 - age, 1e9 - age))
    (tmp_path / "later.html").write_text("no report")
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    content = {**WHOLE, "experiment": "c"}
    assert newest(tmp_path) == {"file": "c.json", "time": "2001-09-09T01:46:40+00:00", "content": content}
    assert newest(tmp_path / "b.json")["content"]["experiment"] == "b"
    assert set(content) == set(Report.model_fields)
    assert newest(None) is None


NOT_ONE = "report.json: is not a report of ranker-train experiment --json: "


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "report.json: is not valid JSON"),
        ("[1]", f"{NOT_ONE}Input should be an object"),
        ('{"experiment": "june"}', f"{NOT_ONE}state: Field required"),
        ({**WHOLE, "comparisons": "<img src=x>"}, f"{NOT_ONE}comparisons: Input should be a valid array"),
        ({**WHOLE, "groups": {"bold": None}}, f"{NOT_ONE}groups.bold: Input should be an object"),
        (
            {**WHOLE, "comparisons": [{**COMPARISON, "low": "0.1"}]},
            f"{NOT_ONE}comparisons.0.low: Input should be a valid number",
        ),
        ({**WHOLE, "first": None}, f"{NOT_ONE}first: Input should be a valid datetime"),
        ({**WHOLE, "notes": ["x" * 5000]}, "report.json: has more than 5000 bytes"),
    ],
)
def test_what_cannot_be_shown_is_told(tmp_path, monkeypatch, text, reason):
    monkeypatch.setattr(reports, "LARGEST", 5000)
    (tmp_path / "report.json").write_text(text if isinstance(text, str) else json.dumps(text))
    found = newest(tmp_path)
    assert (found["file"], found["reason"]) == ("report.json", reason)
    assert "content" not in found


def test_nothing_there_is_told(tmp_path):
    assert newest(tmp_path) == {"reason": f"{tmp_path.name}: holds no *.json"}
    assert newest(tmp_path / "none.json") == {"reason": "none.json: cannot be read: No such file or directory"}
