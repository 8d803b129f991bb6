"""``ranker-train distill`` from an artifact and a log to the next version with a student."""

import re

import numpy as np
import onnx
import pandas as pd
import pytest

import ranker
from ranker.artifact import ArtifactError, fusion_digest, load, with_fusions, with_student
from ranker.encoding import Packed
from ranker.fusion import Candidates
from ranker.log_files.log_reader import DataError
from tests.training.command import ranker_train
from training.commands.distill import WORK, DistillOptions, distill
from training.commands.report import report_artifact
from training.config.experiment import ConfigError
from training.config.student import StudentOptions, load_student
from training.distillation.student import narrower, principal, student_experiment

CONFIG = """
architecture: {name: shared_bottom, bottom: [32, 16], towers: []}
dimension: 3
optimizer: {dense: {learning_rate: 0.02, schedule: cosine}}
epochs: 8
batch_size: 256
recombined: 1
"""
LENGTH = 80


@pytest.fixture(scope="module")
def done(trained, tmp_path_factory):
    """A refused run, and the same with --force, which resumes it."""
    folder = tmp_path_factory.mktemp("distilled")
    (folder / "student.yaml").write_text(CONFIG)
    words = ["distill", trained.output, "--data", trained.log, "--output", folder / "out"]
    words += ["--config", folder / "student.yaml", "--lists", 12, "--candidates", LENGTH, "--min-ndcg", 1]
    refused = ranker_train(*words)
    kept = (folder / "out" / WORK / "rows").is_dir()
    return folder / "out", refused, kept, ranker_train(*words, "--force")


@pytest.fixture(scope="module")
def artifact(done):
    return load(done[0])


def test_a_student_below_the_bound_is_refused_and_kept_for_another_try(done):
    output, refused, kept, forced = done
    assert refused.returncode == 3, refused.stderr
    assert re.search(
        r"nothing is exported to .*: NDCG@10 with fusion 'default' is 0\.\d+, below 1; --force", refused.stderr
    )
    assert kept
    assert forced.returncode == 0, forced.stderr
    assert "using the student in" in forced.stdout
    assert not (output / WORK).exists()
    assert [path.name for path in output.iterdir() if path.is_dir()] == ["1"]


def test_the_next_version_has_both_models_and_what_they_agree_on(done, artifact, trained):
    full = load(trained.output)
    for name, digest in full.manifest.files.items():
        assert artifact.manifest.files[name] == digest
    assert {"student.onnx", "student.json"} == artifact.manifest.files.keys() - full.manifest.files.keys()
    sampled, logged = artifact.student.agreement
    assert (sampled.lists, sampled.count, logged.lists) == ("sampled", 12, "logged")
    assert 50 < sampled.candidates <= LENGTH
    assert [point.share for point in sampled.points] == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1]
    for curve in (sampled, logged):
        ndcg, recall, regret = (
            [getattr(point, name) for point in curve.points] for name in ("ndcg", "recall", "regret")
        )
        assert ndcg == sorted(ndcg)
        assert recall == sorted(recall)
        assert (ndcg[-1], recall[-1], regret[-1]) == (pytest.approx(1), 1, pytest.approx(0, abs=1e-12))
    assert all(point.cost > 0 for point in sampled.points)
    assert {point.cost for point in logged.points} == {None}
    assert sampled.points[0].kept == pytest.approx(50 / sampled.candidates, rel=0.05)
    assert artifact.student.fusions["default"].ndcg == sampled.at(0.25).ndcg < 1
    assert "below 1" in artifact.student_doubt()
    assert full.student is None


def test_it_is_small_and_starts_as_the_full_model(artifact):
    widths = {
        tuple(c.dims)[1] for c in onnx.load(artifact.student_path).graph.initializer if c.name.startswith("table_")
    }
    assert widths == {3}
    table = np.random.default_rng(0).normal(size=(9, 2)) @ np.ones((2, 5)) + 1.0
    reduced = principal(table.astype(np.float32), [0, 4], 2)
    np.testing.assert_allclose(reduced[:4] @ reduced[:4].T, table[:4] @ table[:4].T, atol=1e-4)
    layout = artifact.encoder.layout
    assert narrower(layout, 1000).tables == layout.tables
    assert narrower(layout, 1).widths() == layout.widths()


def test_the_student_has_learnt_the_full_models_scores(artifact, trained):
    """Each served score, products along `given` included, on pairs of other rows: better than any constant."""
    frame = pd.read_parquet(trained.log).sample(400, random_state=1)
    model = ranker.load(artifact.folder, engine="onnxruntime")
    columns = {name: frame[name].tolist() for name in artifact.schema.input_columns()}
    context = {
        artifact.schema.column(name): columns[artifact.schema.column(name)][:1] for name in artifact.schema.context
    }
    packed: Packed = artifact.encoder.encode(context, columns)
    full, student = model.engine.score(packed), model.cascade.engine.score(packed)
    for i, task in enumerate(model.tasks):
        assert np.corrcoef(full[:, i], student[:, i])[0, 1] > 0.5, task
    plan = artifact.fusion
    fused = [plan.rank(Candidates.of(plan.objectives, scores)).fused for scores in (full, student)]
    assert np.corrcoef(*fused)[0, 1] > 0.5
    assert model.rank({k: v[0] for k, v in context.items()}, columns, cascade=0.25).scored_by.count("full") == 100
    assert model.rank({k: v[0] for k, v in context.items()}, columns).scored_by is None


def test_a_students_large_tables_are_exported_beside_its_graph(quickly_trained, tmp_path, monkeypatch):
    monkeypatch.setattr("training.export.tables.LARGE", 1)
    (tmp_path / "student.yaml").write_text(CONFIG.replace("epochs: 8", "epochs: 1"))
    options = DistillOptions(candidates=LENGTH, lists=3, student=load_student(tmp_path / "student.yaml"))
    found = distill(quickly_trained.output, quickly_trained.log, options, output=tmp_path / "out", progress=False)
    changed = with_fusions(
        found.artifact, {"default": found.artifact.fusion.replaced({"share": {"click": 3.0}})},
        found.artifact.manifest.experiment, tmp_path / "changed",
    )  # fmt: skip
    found = distill(
        changed, quickly_trained.log, options, output=tmp_path / "out", progress=False
    )  # scored, but not measured
    assert found.student.fusions["default"].fusion == fusion_digest(changed.fusion)
    first = found.export()
    assert "student.tables/item_id.npy" in first.manifest.files
    assert not (tmp_path / "out" / WORK).exists()
    again = found.export(tmp_path / "elsewhere")
    assert again.manifest.files == first.manifest.files
    model = ranker.load(first.folder, engine="onnxruntime")  # replays the student's golden scores
    golden = first.golden[0]
    columns = {name: values * 5 for name, values in golden.candidates.items()}
    scored_by = model.rank(golden.context, columns, cascade=0.5).scored_by
    assert {"full", "student"} == set(scored_by)

    file = tmp_path / "small.onnx"
    onnx.save_model(onnx.load(first.student_path), file)
    plain = with_student(first, first.student, file, tmp_path / "plain")
    assert not [name for name in plain.manifest.files if name.startswith("student.tables/")]


def test_tasks_of_a_student_stand_alone(artifact, trained, tmp_path):
    experiment = student_experiment(artifact, StudentOptions())
    assert [task.given for task in experiment.log_schema.tasks.values()] == [None] * 3
    assert experiment.log_schema.tasks["watch_time"].transform == "log1p"
    unfit = StudentOptions.model_validate({"architecture": {"name": "aitm", "order": ["click", "lik"]}})
    with pytest.raises(ConfigError, match=r"^architecture\.order: 'lik' is not a task; did you mean 'like'"):
        distill(artifact, trained.log, DistillOptions(student=unfit), output=tmp_path, progress=False)


def test_a_report_shows_the_curve(artifact, trained, tmp_path):
    from rich.console import Console

    page = report_artifact(artifact.folder, tmp_path / "report.html", Console(quiet=True)).read_text()
    assert "Ranking in two stages" in page
    assert "Used only by requests that ask for it" in page
    assert "12 sampled lists of" in page
    plain = report_artifact(trained.output, tmp_path / "plain.html", Console(quiet=True)).read_text()
    assert "Ranking in two stages" not in plain


def test_bad_input_is_named(artifact, trained, tmp_path):
    for options, message in (
        ({"keep": 0.0}, r"--keep: must be above 0 and at most 1, got 0"),
        ({"min_ndcg": 1.5}, r"--min-ndcg: must be above 0 and at most 1, got 1.5"),
        ({"lists": 0}, r"--lists: must be at least 1, got 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            DistillOptions(**options)
    (tmp_path / "student.yaml").write_text("dimensions: 4\n")
    with pytest.raises(ConfigError, match=r"unknown key 'dimensions'; did you mean 'dimension'"):
        load_student(tmp_path / "student.yaml")
    frame = pd.read_parquet(trained.log)
    held_out = frame[frame["date"] >= sorted(frame["date"].unique())[-2]]
    with pytest.raises(DataError, match="no row to train the student on"):
        distill(artifact, held_out, output=tmp_path / "out", progress=False)


def test_a_spoilt_student_is_refused(artifact, tmp_path):
    import shutil

    copy = tmp_path / "1"
    shutil.copytree(artifact.folder, copy)
    (copy / "student.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"student\.json: differs from what was exported"):
        load(copy)
