"""The report of a trained artifact, as a browser shows it, and as a person moves it."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ranker.artifact import load
from ranker.fusion import Candidates, FusionOptions, Requests, StoredFusion, plan_for
from tests.training.command import ranker_train
from tests.training.reports.browser import dom
from training.export.report_data import read
from training.reports.artifact.page import to_html
from training.reports.artifact.trade_off import points, quality
from training.trainer.train import reopen

NUMBER = re.compile(r'<tr data-row="(\d+)"><td>(\d+)</td><td>([^<]*)</td>')


@pytest.fixture(scope="module")
def artifact(trained):
    return load(trained.output)


@pytest.fixture(scope="module")
def kept(artifact):
    return read(artifact.folder)


@pytest.fixture(scope="module")
def page(artifact, kept):
    return to_html(artifact, kept, sets=10)


def driven(page: str, script: str) -> str:
    """The page with a script at its end, which does what a person would."""
    head, _, tail = page.rpartition("</body>")
    return f"{head}<script>{{ {script} }}</script></body>{tail}"


def ranked_rows(shown: str) -> list[tuple[int, int, str]]:
    return [(int(row), int(place), moved) for row, place, moved in NUMBER.findall(shown)]


def test_the_page_shows_quality_calibration_training_and_the_trade_off(page, tmp_path):
    assert 'src="http' not in page
    assert 'href="http' not in page
    shown = dom(page, tmp_path)
    for title in ("Quality by objective", "validation AUC", "Calibration", "Balancing", "cosine between", "Gates"):
        assert title in shown
    assert "watch_time, scale" in shown
    assert "like AUC" in shown
    assert "watch_time rank correlation" in shown
    assert "picked" in shown
    places = page.count('<div id="chart-')
    assert shown.count("<canvas") + shown.count('class="marks"') == places >= 10


def test_requests_stand_as_the_artifact_ranks_them(page, artifact, kept, tmp_path):
    rows = ranked_rows(dom(page, tmp_path))
    candidates = kept.candidates(artifact.fusion, kept.shown[0])
    expected = artifact.fusion.rank(candidates).order()
    assert [row for row, _, _ in rows] == expected.tolist()
    assert [place for _, place, _ in rows] == list(range(1, len(expected) + 1))
    assert {moved for _, _, moved in rows} == {""}


def test_a_moved_slider_ranks_the_request_anew(page, artifact, kept, tmp_path):
    move = """
      const input = document.querySelectorAll('#live-fusion input[type=number]')[4];  // power of watch_time
      input.value = -3;
      input.dispatchEvent(new Event('input'));
    """
    shown = dom(driven(page, move), tmp_path)
    plan = artifact.fusion.replaced({"power": {"watch_time": -3.0}})
    candidates = kept.candidates(plan, kept.shown[0])
    expected, before = plan.rank(candidates).order().tolist(), artifact.fusion.rank(candidates).order().tolist()
    rows = ranked_rows(shown)
    assert [row for row, _, _ in rows] == expected
    assert expected != before
    for row, place, moved in rows:
        change = before.index(row) + 1 - place
        assert moved == ("" if change == 0 else f"▲ {change}" if change > 0 else f"▼ {-change}")
    assert '"power":{"click":1,"like":0.5,"watch_time":-3}' in shown.replace("&quot;", '"')


def test_a_formula_without_javascript_stands_as_the_artifact_ranks_it_and_says_so(page, artifact, kept, tmp_path):
    assert page.count('"formula": "multiplicative"') == 1
    shown = dom(page.replace('"formula": "multiplicative"', '"formula": "another"'), tmp_path)
    assert "This page cannot compute another" in shown
    expected = artifact.fusion.rank(kept.candidates(artifact.fusion, kept.shown[0])).order()
    assert [row for row, _, _ in ranked_rows(shown)] == expected.tolist()
    assert '<input type="range"' not in shown


def test_values_beyond_the_bounds_are_brought_back_and_a_request_can_be_chosen(page, artifact, kept, tmp_path):
    move = """
      const input = document.querySelectorAll('#live-fusion input[type=number]')[0];
      input.value = 1e6;
      input.dispatchEvent(new Event('input'));
      const requests = document.querySelectorAll('#live-fusion select')[1];
      requests.value = 1;
      requests.dispatchEvent(new Event('change'));
    """
    shown = dom(driven(page, move), tmp_path)
    assert '"click":10,' in shown
    plan = artifact.fusion.replaced({"power": {"click": 10.0}})
    expected = plan.rank(kept.candidates(plan, kept.shown[1])).order()
    assert [row for row, _, _ in ranked_rows(shown)] == expected.tolist()


def test_what_is_kept_are_the_runs_own_validation_rows(trained, artifact, kept):
    run = reopen(trained.output)
    np.testing.assert_array_equal(kept.rows.scores, run.predictions.scores)  # few enough to keep all
    np.testing.assert_array_equal(kept.rows.labels, run.predictions.labels)
    keys = run.predictions.groups
    assert len(np.unique(keys)) == kept.rows.groups.max() + 1
    assert len(np.unique(np.stack([keys, kept.rows.groups]), axis=1).T) == len(np.unique(keys))
    assert kept.grouped_by == "user_id"
    flat = [row for request in kept.shown for row in request]
    for request in kept.shown:
        assert len(set(kept.rows.groups[request].tolist())) == 1
    users = kept.columns["user_id"]
    assert [len({users[flat.index(row)] for row in request}) for request in kept.shown] == [1] * len(kept.shown)
    assert set(kept.columns) == {"user_id", "user_age", "device", "item_id", "duration_s"}
    assert {"report.json", "report.npz"} <= set(artifact.manifest.files)


def test_quality_by_hand_and_against_the_reports_own_metrics(artifact, kept):
    for i, (task, name) in enumerate((("click", "click AUC"), ("like", "like AUC"))):
        found = quality(artifact.schema, kept, kept.rows.scores[:, i].astype(np.float64))
        assert found[name] == pytest.approx(artifact.manifest.metrics["tasks"][task]["auc"], abs=1e-9)
    watched = kept.rows.labels[:, 2].astype(np.float64)
    assert quality(artifact.schema, kept, watched)["watch_time rank correlation"] == pytest.approx(1.0)
    assert quality(artifact.schema, kept, -watched)["watch_time rank correlation"] == pytest.approx(-1.0)


def test_points_are_of_what_they_say(artifact, kept):
    found = points(artifact.schema, artifact.fusions, kept, "default", sets=10)
    assert [point.standing for point in found].count("picked") == 1
    assert found[0].standing == "picked"
    requests = Requests.of(kept.rows.groups)
    fused = artifact.fusion.rank(Candidates.of(artifact.fusion.objectives, kept.rows.scores, requests)).fused
    assert found[0].quality == pytest.approx(quality(artifact.schema, kept, fused))
    for point in found:
        beaten = any(
            all(other.quality[o] > value for o, value in point.quality.items()) for other in found if other is not point
        )
        assert not (beaten and point.standing == "on the front")


def test_what_a_learned_fusion_shows_of_its_own_rows_is_said_to_be_too_good(artifact, kept):
    options = {"name": "learned", "options": {"label": "good", "trees": 5, "folds": 2}}
    plan = plan_for(artifact.schema, StoredFusion(options=FusionOptions.model_validate(options)))
    rows = kept.rows
    fitted = plan.fit(rows.scores, rows.labels, rows.known, log={"good": rows.labels[:, 0]})
    page = to_html(replace(artifact, fusions={**artifact.fusions, "held": fitted}), kept, sets=3)
    assert "Fusions learned on these rows look too good" in page
    assert f"AUC {fitted.fusion.state['held_out']['value']:.4f} of good" in page
    assert '"formula": "learned"' in page
    assert "Fusions learned" not in to_html(artifact, kept, sets=3)


def test_the_command_writes_the_page_beside_the_artifact_or_where_it_is_told(trained, tmp_path):
    ended = ranker_train("report", trained.output)
    assert "report-1.html" in "".join(ended.stdout.split())
    assert "Try fusion parameters" in (trained.output / "report-1.html").read_text(encoding="utf-8")
    missing = ranker_train("report", tmp_path)
    assert missing.returncode == 1
    assert missing.stderr.startswith("error:")


def test_an_artifact_without_a_sample_says_so(trained, artifact, tmp_path):
    shutil.copytree(artifact.folder, tmp_path / "1")
    for name in ("report.json", "report.npz"):
        (tmp_path / "1" / name).unlink()
    manifest = json.loads((tmp_path / "1" / "manifest.json").read_text())
    manifest["files"] = {name: sha for name, sha in manifest["files"].items() if not name.startswith("report.")}
    (tmp_path / "1" / "manifest.json").write_text(json.dumps(manifest))
    bare = load(tmp_path)
    page = to_html(bare, read(bare.folder))
    assert "export it again to see more" in page
    assert "Try fusion parameters" not in page
