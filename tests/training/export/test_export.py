import io
import json
import shutil
from contextlib import suppress
from dataclasses import replace

import numpy as np
import onnx
import pytest
import tensorflow as tf
from rich.console import Console

from ranker.artifact import ArtifactError, difference, load, new_version, with_fusions
from ranker.engines import OnnxRuntime
from ranker.engines.row_tables import described
from ranker.fusion import Candidates
from ranker.inference import Model
from ranker.inference.agreement import Agreement, measure
from ranker.inference.sample import SAMPLE, read_sample
from ranker.log_files.log_reader import Log
from ranker.metrics import binned
from ranker.model import INPUTS
from tests.training.conftest import CONFIG
from tests.training.disk_full import small_files
from training.commands.export import export_run
from training.commands.inspect import inspect_artifact
from training.config.experiment import Experiment
from training.data.encode import encode_all
from training.data.split.held_out import split
from training.disk_full import DiskFullError
from training.distillation.student import full_tables
from training.evaluation.onnx_scorer import onnx_scorer
from training.export.export import SAMPLE_CANDIDATES, SAMPLE_CONTEXTS, ExportError, accept, examples_of, export
from training.export.fit_fusions import fitted_fusions
from training.export.rounded_products import rounded_agreement
from training.export.tables import TableOptions
from training.trainer.train import reopen


@pytest.fixture(scope="module")
def run(trained):
    return reopen(trained.output)


@pytest.fixture(scope="module")
def small_run(quickly_trained):
    return reopen(quickly_trained.output)


@pytest.fixture(scope="module")
def batch(trained):
    artifact = load(trained.output)
    chunk = next(encode_all(artifact.schema, artifact.encoder, Log([trained.log]), None))
    return {name: array for name, array in chunk.items() if name not in ("labels", "known")}


def test_onnx_and_savedmodel_score_as_keras_does(trained, run, batch):
    artifact = load(trained.output)
    expected = run.model({name: tf.constant(array) for name, array in batch.items()}).numpy()
    assert difference(onnx_scorer(artifact.model_path)(batch), expected) < 1e-5
    saved = tf.saved_model.load(str(artifact.saved_model_path)).signatures["serving_default"]
    assert difference(saved(**{n: tf.constant(a) for n, a in batch.items()})["scores"].numpy(), expected) < 1e-5


def test_one_context_row_scores_as_joined_rows_do(trained, batch):
    score = onnx_scorer(load(trained.output).model_path)
    one = {name: array[:1] if name.startswith("context") else array[:50] for name, array in batch.items()}
    joined = {
        name: np.repeat(array, 50, axis=0) if name.startswith("context") else array for name, array in one.items()
    }
    assert difference(score(one), score(joined)) < 1e-6


def test_tables_are_initialisers_and_not_copied(trained, run):
    graph = onnx.load(str(load(trained.output).model_path)).graph
    sizes = {node.name: int(np.prod(node.dims)) for node in graph.initializer}
    tables = {f"table_{key}": int(np.prod(table.shape)) for key, table in run.model.embedding.tables.items()}
    assert {name: sizes.get(name) for name in tables} == tables
    assert sorted(node.name for node in graph.input) == sorted(batch_names(run))


def batch_names(run):
    return [
        f"{side}_{kind}"
        for side, layout in run.model.embedding.layout.sides()
        for kind in ("ids", "numbers")
        if (layout.ids if kind == "ids" else layout.numbers)
    ]


def test_the_sample_has_lists_of_validation_rows_with_the_scores_of_the_served_graph(trained):
    artifact = load(trained.output / "1")
    requests = read_sample(artifact)
    assert len(requests) == SAMPLE_CONTEXTS
    assert len({tuple(map(str, request.context.values())) for request in requests}) > 1
    sizes = {len(values) for request in requests for values in request.candidates.values()}
    assert len(sizes) == 1
    assert 20 < sizes.pop() <= SAMPLE_CANDIDATES
    agreement = measure(artifact, OnnxRuntime(artifact.model_path), (*artifact.golden, *requests))
    assert agreement.difference < 1e-5
    assert agreement.requests == len(artifact.golden) + len(requests)
    assert agreement.ndcg == pytest.approx(1.0, abs=1e-6)
    assert (artifact.folder / SAMPLE).stat().st_size < 2**20


def test_the_export_tells_how_far_rankings_agree_if_products_are_rounded(run, trained):
    agreement = rounded_agreement(load(trained.output / "1"), run.model)
    assert 1e-5 < agreement.difference < 5e-2
    assert 0.99 < agreement.ndcg <= 1
    assert f"in bfloat16: {agreement}" in trained.printed


def test_the_manifest_says_what_it_is_and_names_no_place(trained, shared):
    text = (trained.output / "1" / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["tasks"] == ["click", "like", "watch_time"]
    assert {"model.onnx", "encoder.json", "encoder.npz", "fusion.json", "golden.json"} <= set(manifest["files"])
    assert "tensorflow" in manifest["packages"]
    assert not [place for place in (trained.output, shared) if str(place) in text]


def exported(run, root):
    rows = split(run.log, run.experiment.data.split, run.experiment.training.seed)
    fusions = fitted_fusions(run.experiment, run.predictions)
    examples = examples_of(rows, run.experiment)
    return export(
        root, run.experiment, run.prepared.encoder, run.model, fusions, run.metrics, examples, run.predictions.scores
    )


def test_versions_count_up_and_a_failed_export_leaves_nothing(small_run, tmp_path, monkeypatch):
    assert exported(small_run, tmp_path).manifest.version == 1
    assert exported(small_run, tmp_path).manifest.version == 2
    monkeypatch.setattr("training.export.export.TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="ONNX and Keras differ"):
        exported(small_run, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".export.lock", "1", "2"]
    assert load(tmp_path).manifest.version == 2


def test_what_killed_exports_left_is_removed_and_what_is_being_written_is_not(tmp_path):
    (tmp_path / ".writing-killed").mkdir()
    (tmp_path / ".writing-killed" / "model.onnx").write_bytes(b"half")

    def left():
        return sorted(path for path in tmp_path.iterdir() if path.name.startswith(".writing-"))

    with suppress(ArtifactError), new_version(tmp_path) as folder:
        assert left() == [folder]
        with suppress(ArtifactError), new_version(tmp_path) as another:
            assert left() == sorted([folder, another])
        (tmp_path / ".writing-killed").mkdir()
        with suppress(ArtifactError), new_version(tmp_path):
            assert folder in left()
    with suppress(ArtifactError), new_version(tmp_path) as folder:
        assert left() == [folder]
    assert left() == []


def test_an_export_to_a_full_disk_is_one_line_and_leaves_nothing(small_run, tmp_path):
    with small_files(4096), pytest.raises(DiskFullError, match="no space left on the disk for the export"):
        exported(small_run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".export.lock"]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda f: (f / "model.onnx").unlink(), r"model\.onnx: is missing"),
        (lambda f: (f / "model.onnx").write_bytes((f / "model.onnx").read_bytes()[:-9]), r"model\.onnx: differs from"),
        (lambda f: (f / "golden.json").write_text("[]"), r"golden\.json: differs from"),
        (lambda f: (f / "manifest.json").write_text("{"), r"manifest\.json: cannot be read"),
        (lambda f: (f / "manifest.json").write_text('{"format": 99}'), "format 99; this version of ranker reads"),
    ],
)
def test_a_spoilt_artifact_is_refused(trained, tmp_path, spoil, expected):
    shutil.copytree(trained.output / "1", tmp_path / "1")
    spoil(tmp_path / "1")
    with pytest.raises(ArtifactError, match=expected):
        load(tmp_path)


def test_fusions_come_back_as_they_were_fitted(small_run, tmp_path):
    fusions = {
        "shares": {"name": "percentile", "calibration": {"click": "platt", "watch_time": "scale"}},
        "fresh": {"rules": {"new": {"kind": "boost", "where": "user_age < 30", "multiply": 2}}},
    }
    plain = small_run.experiment.model_dump(mode="json", by_alias=True)
    asked = {**plain, "fusion": CONFIG["fusion"], "fusions": fusions}
    changed = replace(small_run, experiment=Experiment.model_validate(asked))
    fitted = fitted_fusions(changed.experiment, small_run.predictions)
    artifact = exported(changed, tmp_path)
    assert list(artifact.fusions) == ["default", "shares", "fresh"]
    features = {"user_age": [20.0] * 50 + [60.0] * 50}
    candidates = Candidates.of(artifact.manifest.tasks, small_run.predictions.scores[:100], features=features)
    for name, plan in artifact.fusions.items():
        np.testing.assert_array_equal(plan.rank(candidates).fused, fitted[name].rank(candidates).fused)
    known = small_run.predictions.known[:, 0]
    everything = Candidates.of(artifact.manifest.tasks, small_run.predictions.scores)
    scores = artifact.fusions["shares"].calibrated(everything).scores
    assert scores[known, 0].mean() == pytest.approx(small_run.predictions.labels[known, 0].mean(), rel=1e-4)
    assert artifact.fusion.fusion.values["power"] == {"click": 1.0, "like": 0.5, "watch_time": 1.0}


def test_an_empty_folder_is_no_artifact(tmp_path):
    with pytest.raises(ArtifactError, match=r"has no manifest\.json and no numbered version"):
        load(tmp_path)


def test_the_spread_of_validation_scores_is_sealed(trained, run):
    artifact = load(trained.output)
    assert "scores.json" in artifact.manifest.files
    assert list(artifact.spreads) == list(run.experiment.log_schema.tasks)
    for i, spread in enumerate(artifact.spreads.values()):
        counts = binned(run.predictions.scores[:, i], spread.edges)
        np.testing.assert_allclose(spread.shares, counts / counts.sum(), atol=1e-9)
        assert len(spread.shares) == len(spread.edges) + 1


def test_an_artifact_without_spreads_is_loaded(trained, tmp_path):
    shutil.copytree(trained.output / "1", tmp_path / "1")
    (tmp_path / "1" / "scores.json").unlink()
    manifest = json.loads((tmp_path / "1" / "manifest.json").read_text())
    del manifest["files"]["scores.json"]
    (tmp_path / "1" / "manifest.json").write_text(json.dumps(manifest))
    assert load(tmp_path).spreads == {}


class Keras:
    """A model as an engine, with its tables as trained."""

    name, sizes, precision = "keras", (), "float32"

    def __init__(self, model) -> None:
        self._model = model

    def score(self, packed):
        return self._model(
            {name: tf.constant(array) for name, array in zip(INPUTS, packed, strict=True) if array.shape[1]}
        ).numpy()


def test_tables_beside_the_graph_are_exported_mapped_and_described(quickly_trained, tmp_path, monkeypatch):
    monkeypatch.setattr("ranker.encoding.saved_arrays.MAPPED", 100)
    console = Console(file=io.StringIO(), width=200)
    artifact = export_run(quickly_trained.output, tmp_path, console, TableOptions("beside", "float16"))
    assert "rows of tables in float16: NDCG@10 " in console.file.getvalue()
    assert artifact.manifest.format == 3
    tables = described(artifact.model_path)
    assert tables["beside"].keys() == {"user_id", "item_id"}
    assert tables["agreement"]["ndcg"] >= 0.999
    assert {"model.tables/item_id.npy", "encoder/item_id.ids.npy"} <= artifact.manifest.files.keys()
    exact = load(quickly_trained.output)
    for width, rows in full_tables(exact).items():  # what a student starts from
        np.testing.assert_allclose(full_tables(artifact)[width], rows, rtol=1e-3, atol=1e-6)
    for name in ("onnxruntime", "openvino", "tensorflow"):  # loading replays the golden requests at 1e-5
        golden = exact.golden[0]
        found = Model.load(artifact.folder, engine=name, threads=1).score(golden.context, golden.candidates)
        for task, scores in golden.scores.items():
            np.testing.assert_allclose(found[task], scores, rtol=1e-2)
    inspect_artifact(artifact.folder, 1, console)
    assert "table of item_id: " in console.file.getvalue()
    again = with_fusions(artifact, artifact.fusions, artifact.manifest.experiment, tmp_path)
    Model.load(again.folder, engine="tensorflow", threads=1)
    assert again.manifest.files["model.tables/item_id.npy"] == artifact.manifest.files["model.tables/item_id.npy"]
    bad = Agreement(difference=0.1, ndcg=0.98, overlap=0.7, requests=5)
    with pytest.raises(
        ExportError, match=r"table_precision: int8 changes rankings too much: NDCG@10 0.98000, .* is 0.999"
    ):
        accept(artifact.model_path, bad, TableOptions("beside", "int8"))


def test_the_sample_of_rounded_tables_has_the_scores_of_the_rows_that_are_stored(quickly_trained, small_run, tmp_path):
    console, tables = Console(file=io.StringIO(), width=200), TableOptions("beside", "int8", min_ndcg=0.5)
    artifact = export_run(quickly_trained.output, tmp_path, console, tables)
    requests = read_sample(artifact)
    assert measure(artifact, OnnxRuntime(artifact.model_path), requests).difference <= 1e-5
    by_exact_rows = measure(artifact, Keras(small_run.model), requests)
    assert by_exact_rows.difference > 1e-5
    in_bfloat16 = rounded_agreement(artifact, small_run.model, tables)
    assert f"in bfloat16: {in_bfloat16}" in console.file.getvalue()
    assert in_bfloat16 != rounded_agreement(artifact, small_run.model)
    assert measure(artifact, Keras(small_run.model), requests) == by_exact_rows  # the model is as before
    assert not list(tmp_path.glob(".writing-*"))
