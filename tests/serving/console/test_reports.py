import json
import os

import pytest

from serving.console import reports
from serving.console.reports import KEPT, newest

WHOLE = dict.fromkeys(KEPT, "some")


def test_the_newest_file_of_a_folder_is_shown(tmp_path):
    for age, name in enumerate(["c", "a", "b"]):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({**WHOLE, "experiment": name, "days": [1, 2, 3]}))
        os.utime(file, (1e9 - age, 1e9 - age))
    (tmp_path / "later.html").write_text("no report")
    content = {**WHOLE, "experiment": "c"}
    assert newest(tmp_path) == {"file": "c.json", "time": "2001-09-09T01:46:40+00:00", "content": content}
    assert newest(tmp_path / "b.json")["content"]["experiment"] == "b"
    assert newest(None) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "report.json: is not valid JSON"),
        ("[1]", "report.json: is not a report of ranker-train experiment --json"),
        ('{"experiment": "june"}', "report.json: is not a report of ranker-train experiment --json"),
        (f'"{"x" * 200}"', "report.json: has more than 100 bytes"),
    ],
)
def test_what_cannot_be_shown_is_told(tmp_path, monkeypatch, text, reason):
    monkeypatch.setattr(reports, "LARGEST", 100)
    (tmp_path / "report.json").write_text(text)
    found = newest(tmp_path)
    assert (found["file"], found["reason"]) == ("report.json", reason)
    assert "content" not in found


def test_nothing_there_is_told(tmp_path):
    assert newest(tmp_path) == {"reason": f"{tmp_path.name}: holds no *.json"}
    assert newest(tmp_path / "none.json") == {"reason": "none.json: cannot be read: No such file or directory"}
