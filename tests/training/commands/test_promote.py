"""``ranker-train promote`` from two artifacts and a log to a verdict, numbers, a page, and a service that follows."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

import training
from ranker.artifact import load, with_fusions
from tests.serving.asking import CLIENT
from tests.serving.conftest import server
from tests.training.command import ranker_train
from tests.training.promotion.linear import CONFIG, fitted, simulated
from tests.training.reports.browser import dom
from training.admin_client import ServiceError
from training.commands.promote import PromotionOptions, _split_alike, promote
from training.config.experiment import ConfigError
from training.promotion.activation import Service

KEY = "a key for administrators"
QUICKLY = ("--bootstrap", 60, "--engine", "onnxruntime")


@pytest.fixture(scope="module")
def past():
    return simulated(500, seed=0)


@pytest.fixture(scope="module")
def root(past, tmp_path_factory):
    """Version 1 is in service."""
    root = tmp_path_factory.mktemp("versions")
    fitted(root, past)
    return root


@pytest.fixture(scope="module")
def old(root):
    return load(root / "1")


@pytest.fixture(scope="module")
def holdout(tmp_path_factory):
    file = tmp_path_factory.mktemp("holdout") / "day.parquet"
    simulated(800, seed=1, day=2).to_parquet(file)
    return file


@pytest.fixture(scope="module")
def equal(past, tmp_path_factory):
    """Of another seed."""
    return fitted(tmp_path_factory.mktemp("equal"), past, seed=1)


@pytest.fixture(scope="module")
def worse(past, tmp_path_factory):
    """Trained on shuffled clicks."""
    shuffled = past.assign(click=past["click"].sample(frac=1, random_state=0).to_numpy())
    return fitted(tmp_path_factory.mktemp("worse"), shuffled, seed=1)


def louder(kernel, bias):
    bias[1] += 0.5


@pytest.fixture(scope="module")
def miscalibrated(past, tmp_path_factory):
    """Its likes are too likely by about 40 %."""
    return fitted(tmp_path_factory.mktemp("miscalibrated"), past, seed=1, change=louder)


def test_an_equal_version_is_promoted_with_numbers_and_a_page(equal, old, holdout, tmp_path):
    files = ("--json", tmp_path / "numbers.json", "--output", tmp_path / "page.html")
    words = ("promote", equal.folder, "--against", old.folder, "--data", holdout, "--by", "tab", "--slice-rows", 500)
    ended = ranker_train(*words, *files, *QUICKLY)
    assert ended.returncode == 0, ended.stderr
    assert "Promoted: the data shows no bound to be broken." in ended.stdout
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert (numbers["promoted"], numbers["new"]["folder"]) == (True, str(equal.folder))
    assert {check["state"] for check in numbers["checks"]} <= {"met", "open"}
    assert set(numbers["slices"]) == {"tab = home", "tab = search", "tab = shop"}
    named = {one["name"] for one in numbers["differences"] if one["slice"] is None}
    assert {
        "click.auc",
        "like.gauc",
        "click.log_loss",
        "like.calibration",
        "fused(default).ndcg@10(like)",
        "latency_ms",
    } <= named
    fused = numbers["rankings"][0]
    assert fused["name"] == "fused"
    assert 0.8 < fused["tau"] < 1
    assert 0.8 < fused["overlap"] <= 1
    page = (tmp_path / "page.html").read_text()
    for text in ("Promotion: version 1 against version 1", "tab = shop: ", "Kendall", "too few rows for a slice"):
        assert text in page
    shown = dom(page, tmp_path)
    assert shown.count("<canvas") + shown.count('class="marks"') >= 5  # a chart per metric


def test_a_worse_version_is_not(worse, old, holdout):
    ended = ranker_train("promote", worse.folder, "--against", old.folder, "--data", holdout, *QUICKLY)
    assert ended.returncode == 3
    refusals = [line for line in ended.stderr.splitlines() if line.startswith("not promoted: ")]
    assert any("click.auc: gain -0." in line for line in refusals)
    assert not any("like." in line for line in refusals), "likes were learnt as before"


def test_nor_is_a_miscalibrated_one(miscalibrated, old, holdout):
    found = promote(miscalibrated, old, holdout, PromotionOptions(bootstrap=60, engine="onnxruntime"), progress=False)
    assert not found.promoted
    broken = {check.measure for check in found.decision.failed}
    assert "like.calibration" in broken
    assert not broken & {"click.calibration", "click.auc", "like.auc"}
    [like] = [one for one in found.decision.differences if one.name == "like.calibration"]
    assert like.new > 1.2 * like.old


def test_bounds_of_the_call_come_before_those_of_the_config(past, old, holdout, tmp_path):
    strict = {"like.calibration": {"within": 0.01}}
    new = fitted(tmp_path / "new", past, seed=1, change=louder, promotion=strict)
    options = ("promote", new.folder, "--against", old.folder, "--data", holdout, *QUICKLY)
    ended = ranker_train(*options)
    assert (ended.returncode, ended.stderr.count("not promoted")) == (3, 1)
    assert "not promoted: like.calibration: 1." in ended.stderr
    (tmp_path / "bounds.yaml").write_text(yaml.safe_dump({"promotion": {"like.calibration": {"within": 0.9}}}))
    assert ranker_train(*options, "--bounds", tmp_path / "bounds.yaml").returncode == 0
    (tmp_path / "bounds.yaml").write_text(yaml.safe_dump({"promotion": {"lik.auc": {"least": 0}}}))
    ended = ranker_train(*options, "--bounds", tmp_path / "bounds.yaml")
    assert ended.returncode == 1
    assert "promotion.lik.auc: no such measure; did you mean 'like.auc'?" in ended.stderr


def test_the_config_s_bounds_of_a_new_objective_wait_for_the_next_version(past, old, holdout, tmp_path):
    tasks = {**CONFIG["schema"]["tasks"], "share": {"kind": "binary"}}
    frames = [frame.assign(share=frame["like"]) for frame in (past, pd.read_parquet(holdout))]
    bounds = {"share.auc": {"least": 0.1}, "like.auc": {"least": -0.1}}
    new = fitted(tmp_path, frames[0], schema={**CONFIG["schema"], "tasks": tasks}, promotion=bounds)
    options = PromotionOptions(bootstrap=20, engine="onnxruntime")
    found = promote(new, old, frames[1], options, progress=False)
    assert [check.measure for check in found.decision.checks] == ["like.auc"]
    assert "objective 'share' is new: there is nothing to compare it with" in found.decision.notes


def test_trained_models_of_different_schemas_are_compared(trained, quickly_trained, tmp_path):
    """On the rows that both held out, which are said not to be seen by either."""
    words = ("promote", quickly_trained.output, "--against", trained.output, "--data", trained.log, "--validation")
    ended = ranker_train(*words, "--group-by", "user_id", "--json", tmp_path / "numbers.json", *QUICKLY)
    assert ended.returncode in (0, 3)
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert numbers["promoted"] == (ended.returncode == 0)
    assert numbers["rows"] == 1000
    assert "caution" not in " ".join(numbers["notes"])
    values = {one["name"]: one for one in numbers["differences"]}
    for side, run in (("new", quickly_trained), ("old", trained)):
        saved = load(run.output).manifest.metrics["tasks"]
        for name in ("click.auc", "like.log_loss", "watch_time.rmse"):
            task, metric = name.split(".")
            assert values[name][side] == pytest.approx(saved[task][metric], abs=1e-5)
    assert values["fused(default).ndcg@10(watch_time)"]["new"] > 0
    quickly = PromotionOptions(bootstrap=20, engine="onnxruntime")
    seen = training.promote(quickly_trained.output, trained.output, trained.log, quickly, progress=False)
    assert sum("version: caution: " in note for note in seen.decision.notes) == 2


def test_a_version_may_be_judged_on_the_files_that_its_config_validates_on(past, old, holdout, tmp_path):
    new = fitted(tmp_path, past, seed=1, data={"split": {"by": "files", "paths": [str(holdout)]}})
    options = PromotionOptions(bootstrap=20, engine="onnxruntime", validation=True)
    found = promote(new, old, None, options, progress=False)
    assert found.decision.rows == len(pd.read_parquet(holdout))
    assert found.promoted


def test_versions_without_a_config_and_bad_options_are_named(artifact, old, holdout):
    with pytest.raises(ConfigError, match="was exported without its config"):
        promote(artifact, old, holdout, progress=False)
    for options, message in (
        ({"level": 0.7}, "--level: must be above 0 and below 0.5, got 0.7"),
        ({"bootstrap": 3}, "--bootstrap: must be from 20 to 100000, got 3"),
        ({"slice_rows": 0}, "--slice-rows: must be at least 1, got 0"),
        ({"by": ("tab", "tab")}, "--by: names a column twice: tab, tab"),
        ({"engine": "onnx"}, "--engine: 'onnx' is unknown; did you mean"),
    ):
        with pytest.raises(ConfigError, match=message):
            PromotionOptions(**options)
    with pytest.raises(ConfigError, match=r"promotion\.click\.auc\.lest: unknown key 'lest'"):
        promote(old, old, holdout, PromotionOptions(bounds={"click.auc": {"lest": 0}}), progress=False)


def test_a_version_is_not_compared_with_itself(root, holdout):
    ended = ranker_train("promote", root / "1", "--against", root / "1", "--data", holdout)
    assert ended.returncode == 1
    assert f"--against {root / '1'}: is the new version itself" in ended.stderr


def served(url):
    return CLIENT.get(f"{url}/models").json()["models"]["default"]["version"]


def test_a_running_service_is_asked_to_serve_what_is_promoted_and_nothing_else(past, root, worse, holdout, tmp_path):
    with server(root, admin_keys=KEY, engine="onnxruntime") as service:
        assert served(service.url) == 1
        new = fitted(root, past, seed=1)
        assert new.manifest.version == 2
        words = ("--data", holdout, *QUICKLY, "--activate", service.url, "--admin-key-env", "THE_KEY")
        ended = ranker_train("promote", worse.folder, "--against", root / "1", *words, THE_KEY=KEY)
        assert ended.returncode == 3
        assert served(service.url) == 1

        ended = ranker_train("promote", new.folder, "--against", root / "1", *words, THE_KEY="another key")
        assert ended.returncode == 1
        assert f"POST {service.url}/admin/reload: answers 401: " in ended.stderr
        assert served(service.url) == 1

        ended = ranker_train("promote", new.folder, "--against", root / "1", *words, THE_KEY=KEY)
        assert ended.returncode == 0, ended.stderr
        assert f"activated: version 2 in 1 worker of {service.url}" in ended.stdout.replace("\n", "")
        assert served(service.url) == 2
        assert Service(service.url, KEY).activate(new) == 1  # served already

        with pytest.raises(ServiceError, match=r"/admin/reload: answers 404: model: .*'main'"):
            Service(service.url, KEY, "main").activate(new)
        other = with_fusions(new, new.fusions, new.manifest.experiment, tmp_path)
        assert other.manifest.version == 1
        with pytest.raises(ServiceError, match=r"serves another artifact with the number 1, .*/admin/rollback"):
            Service(service.url, KEY).activate(other)
        fitted(tmp_path, past)
        third_of_another_folder = fitted(tmp_path, past)
        with pytest.raises(ServiceError, match="answers 404: version: there is no version 3"):
            Service(service.url, KEY).activate(third_of_another_folder)


class Odd(BaseHTTPRequestHandler):
    """Redirects, or answers with no JSON object."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/")
        else:
            self.send_response(200)
        body = b"[1]"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Print nothing."""


def test_whatever_a_service_does_is_one_line(equal):
    with HTTPServer(("127.0.0.1", 0), Odd) as odd:
        thread = Thread(target=odd.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{odd.server_port}"
        try:
            with pytest.raises(ServiceError, match="its answer is no JSON object; is it a ranker-serve"):
                Service(url, KEY).activate(equal)
            with pytest.raises(ServiceError, match="answers 302"):
                Service(f"{url}/moved", KEY).activate(equal)
        finally:
            odd.shutdown()
            thread.join()
    with pytest.raises(ServiceError, match=r"/admin/reload: cannot be asked: .*refused"):
        Service(url, KEY).activate(equal)


def test_the_address_and_the_key_are_checked_before_any_work(equal, old, monkeypatch):
    def ended(*words, **environment):
        return ranker_train("promote", equal.folder, "--against", old.folder, *words, **environment)

    for url in ("localhost:8000", "ftp://host", "http://", "http://[::1", "http://host:x", "http://host/?a=b"):
        refused = ended("--activate", url, "--admin-key-env", "THE_KEY", THE_KEY=KEY)
        assert refused.returncode == 1
        assert f"--activate {url!r}: name a service by its address" in refused.stderr
    assert "needs --admin-key-env" in ended("--activate", "http://host").stderr
    monkeypatch.delenv("THE_KEY", raising=False)
    words = ("--activate", "http://host", "--admin-key-env", "THE_KEY")
    assert "--admin-key-env THE_KEY: the environment has no such variable" in ended(*words).stderr
    assert "characters that a header cannot have" in ended(*words, THE_KEY="kéy").stderr


def test_the_columns_to_slice_by_must_be_there(equal, old, holdout):
    ended = ranker_train(
        "promote", equal.folder, "--against", old.folder, "--data", holdout, "--by", "device", *QUICKLY
    )
    assert ended.returncode == 1
    assert "'device'" in ended.stderr


@pytest.mark.parametrize(("by", "other"), [("random", False), ("group", True)])
def test_random_splits_hold_the_same_rows_out_of_the_same_files_only(by, other):
    def version(*digests):
        seen = {"files": [{"name": "log", "size": 1, "digest": digest} for digest in digests]}
        experiment = {"data": {"split": {"by": by, "fraction": 0.1}}, "training": {"seed": 0}}
        return SimpleNamespace(manifest=SimpleNamespace(experiment=experiment, trained_on=seen))

    assert _split_alike(version("a", "b"), version("a", "b"))
    assert _split_alike(version("a", "b"), version("a")) == other
