import json

import numpy as np
import pytest

from ranker.artifact import ArtifactError, load
from ranker.engines import EngineError, EngineOptions, OnnxRuntime
from serving.protocol.errors import RequestError
from serving.ranking.ranker import Ranker
from serving.ranking.request_trace import STAGES, DeadlineError, RequestTrace
from serving.settings import Settings, SettingsError
from tests.serving.asking import answered


def test_golden_requests_that_score_otherwise_are_refused(write_artifact, tmp_path):
    artifact = write_artifact(tmp_path, change_scores=1e-3)
    with pytest.raises(ArtifactError, match=r"golden request 0, task 'click': scores differ by 1\.00e-03"):
        Ranker(artifact, OnnxRuntime(artifact.model_path), max_candidates=10)


def test_a_spoilt_file_is_refused(write_artifact, tmp_path):
    artifact = write_artifact(tmp_path)
    artifact.model_path.write_bytes(artifact.model_path.read_bytes() + b"x")
    with pytest.raises(ArtifactError, match=r"model\.onnx: differs from what was exported"):
        load(tmp_path)


def test_a_device_that_is_not_there_is_explained(artifact):
    with pytest.raises(EngineError, match=r"CUDAExecutionProvider.*choose --device cpu"):
        OnnxRuntime(artifact.model_path, EngineOptions("cuda"))


def test_settings_come_back_from_the_environment():
    settings = Settings(
        artifact="/a", threads=3, max_candidates=7, watch=0.5, docs=False, admin_keys="0123456789abcdef"
    )
    assert Settings.from_environment(settings.environment()) == settings


def test_a_bad_setting_is_named():
    with pytest.raises(SettingsError, match=r"RANKER_SERVE_THREADS: .*got 'many'"):
        Settings.from_environment({"RANKER_SERVE_ARTIFACT": "/a", "RANKER_SERVE_THREADS": "many"})


def ranked(artifact, **request):
    service = Ranker(artifact, OnnxRuntime(artifact.model_path), max_candidates=100)
    body = {"context": artifact.golden[0].context, "candidates": artifact.golden[0].candidates, **request}
    return json.loads(answered(service, body))


def test_calibration_and_rules_of_the_artifact_are_served(write_artifact, tmp_path):
    fusion = {
        "name": "expression",
        "options": {
            "formula": "click + w * coalesce(length, 0)",
            "parameters": {"w": {"default": 0, "low": 0, "high": 1}},
        },
        "calibration": {"click": "platt"},
        "rules": {
            "city": {"kind": "boost", "where": 'city == "nowhere" or age > 1000', "add": 5},
            "floor": {"kind": "floor", "least": {"buy": 0.5}, "below": "drop"},
        },
    }
    state = {"calibration": {"click": {"method": "platt", "constants": {"slope": [2.0], "intercept": [-1.0]}}}}
    artifact = write_artifact(tmp_path / "a", fusion=fusion, state=state)
    golden = artifact.golden[0]
    click, buy = np.array(golden.scores["click"]), np.array(golden.scores["buy"])
    calibrated = 1 / (1 + np.exp(-(2 * np.log(click / (1 - click)) - 1)))
    kept = np.flatnonzero(buy >= 0.5)
    assert 0 < len(kept) < len(buy)
    answer = ranked(artifact)
    order = kept[np.argsort(-calibrated[kept], kind="stable")]
    assert answer["ids"] == [golden.candidates["item"][i] for i in order]
    np.testing.assert_allclose(answer["scores"]["click"], calibrated[order], atol=1e-5)
    np.testing.assert_allclose(answer["fused"], calibrated[order], atol=1e-5)
    lengths = np.array([length or 0.0 for length in golden.candidates["length"]])
    weighed = ranked(artifact, fusion={"parameters": {"w": 1}})["fused"]
    np.testing.assert_allclose(weighed, np.sort((calibrated + lengths)[kept])[::-1], atol=1e-5)


def test_a_formula_that_cannot_stand_alone_is_refused(artifact):
    with pytest.raises(RequestError, match="'percentile' must be fitted to a reference population"):
        ranked(artifact, fusion={"name": "percentile"})
    with pytest.raises(RequestError, match=r"options\.formula: is required"):
        ranked(artifact, fusion={"name": "expression"})


def test_a_request_may_name_another_fusion_of_the_artifact(write_artifact, tmp_path):
    buyers = {
        "options": {"parameters": {"share": {"click": 0}}, "rules": {"f": {"kind": "floor", "least": {"buy": 2}}}}
    }
    artifact = write_artifact(tmp_path, buyers=buyers)
    answer = ranked(artifact, fusion={"name": "buyers", "parameters": {"share": {"watch": 0}}})
    np.testing.assert_allclose(answer["fused"], answer["scores"]["buy"], atol=1e-6)
    assert answer["fusion"]["parameters"]["share"] == {"click": 0.0, "buy": 1.0, "watch": 0.0}
    assert ranked(artifact) == ranked(artifact, fusion={"name": "default"})


def test_nothing_is_done_after_the_deadline(artifact):
    service = Ranker(artifact, OnnxRuntime(artifact.model_path), max_candidates=100)
    body = {"context": artifact.golden[0].context, "candidates": artifact.golden[0].candidates}
    late = RequestTrace(deadline=0.0)
    with pytest.raises(DeadlineError, match="parse"):
        answered(service, body, late)
    assert late.packed is None
    timely = RequestTrace(deadline=float("inf"))
    answered(service, body, timely)
    assert tuple(timely.seconds) == tuple(stage for stage in STAGES[2:] if stage != "sift")
    assert timely.packed is not None
    assert timely.scores.shape == (20, 3)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b"])
def test_a_manifest_that_names_files_elsewhere_is_refused(write_artifact, tmp_path, name):
    artifact = write_artifact(tmp_path)
    manifest = json.loads((artifact.folder / "manifest.json").read_text())
    manifest["files"][name] = "0"
    (artifact.folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="which is not a file of the artifact"):
        load(tmp_path)
