"""The settings ``precision`` and ``precision_min_ndcg``: what is said and what is refused."""

import logging
import re

import pytest

from ranker.engines import ENGINES, EngineError
from serving import cli
from serving.http.model_info import overview
from serving.ranking.ranker import ONLY_MODEL, PRECISIONS, Ranker
from serving.registry.snapshot import Snapshot
from serving.settings import Settings, SettingsError
from tests.rounded import LOADED, Rounded
from tests.serving.conftest import server


@pytest.fixture
def settings(artifact, monkeypatch, tmp_path):
    monkeypatch.setitem(ENGINES._entries, "rounded", Rounded)
    LOADED.clear()
    return Settings(artifact=artifact.folder, engine="rounded", threads=1, runtime=tmp_path, precision="auto")


def test_auto_is_chosen_once_for_all_workers_and_said_in_the_log_the_start_line_and_model(
    artifact, settings, caplog, capsys
):
    caplog.set_level(logging.INFO, logger="ranker.serving")
    (settings.runtime / PRECISIONS).mkdir()
    (settings.runtime / PRECISIONS / "of-an-earlier-start").write_text("float16")
    cli._check(settings)
    agrees = r"NDCG@10 0\.9999\d, top-10 overlap 1\.000, scores within 7\.\de-03, 1 requests"
    assert re.search(rf"by rounded in bfloat16 \({agrees}\) from ", capsys.readouterr().out)
    assert not (settings.runtime / PRECISIONS / "of-an-earlier-start").exists()
    logged = {record.getMessage(): record.fields for record in caplog.records}
    assert logged["precision not used"]["precision"] in ("float16", "tf32")
    assert logged["precision"]["precision"] == "bfloat16"
    LOADED.clear()
    worker = Ranker.of(artifact, settings)
    assert LOADED == ["bfloat16"]  # without timing others
    told = overview(Snapshot({ONLY_MODEL: worker}, ONLY_MODEL))["models"][ONLY_MODEL]
    assert told["precision"] == "bfloat16"
    assert told["agreement"] == logged["precision"]["agreement"]
    assert told["agreement"] == {
        "difference": pytest.approx(7.7e-3, rel=0.01),
        "ndcg": pytest.approx(0.99997, abs=1e-5),
        "overlap": 1.0,
        "fusion": "default",
        "requests": 1,
    }


def test_a_named_precision_beyond_the_bound_ends_the_start_and_float32_says_no_agreement(artifact, settings):
    strict = settings.model_copy(update={"precision": "bfloat16", "precision_min_ndcg": 0.99999})
    with pytest.raises(EngineError, match=r"precision 'bfloat16' is refused: .*precision_min_ndcg is 0\.99999"):
        cli._check(strict)
    assert Ranker.of(artifact, strict.model_copy(update={"precision_min_ndcg": 0.9})).precision == "bfloat16"
    ranker = Ranker.of(artifact, settings.model_copy(update={"precision": "float32"}))
    assert (ranker.precision, ranker.agreement) == ("float32", None)


def test_what_is_no_precision_and_no_bound_is_named():
    artifact = {"RANKER_SERVE_ARTIFACT": "/a"}
    with pytest.raises(SettingsError, match=r"RANKER_SERVE_PRECISION: .*'bfloat16'.*got 'bf16'"):
        Settings.from_environment({**artifact, "RANKER_SERVE_PRECISION": "bf16"})
    with pytest.raises(SettingsError, match=r"RANKER_SERVE_PRECISION_MIN_NDCG: .*got '1.5'"):
        Settings.from_environment({**artifact, "RANKER_SERVE_PRECISION_MIN_NDCG": "1.5"})


def test_a_service_with_auto_on_an_engine_of_one_precision_runs_in_float32(artifact):
    with server(artifact.folder, precision="auto") as running:
        assert {line["precision"] for line in running.logged("precision")} == {"float32"}
