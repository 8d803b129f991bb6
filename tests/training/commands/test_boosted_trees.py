import io
from copy import deepcopy

import numpy as np
import onnx
import pytest
from rich.console import Console

from ranker.engines import EngineOptions
from ranker.engines.onnxruntime import MergingOnnxRuntime
from ranker.inference import Model
from ranker.log_files.log_reader import DataError
from tests.training.conftest import QUICK, trained_once
from training.commands.fit import fit
from training.commands.inspect import inspect_artifact
from training.data.carried_notes import check_carriable
from training.data.earlier import opened

BOOSTED = deepcopy(QUICK) | {
    "architecture": "boosted_trees",
    "trees": {"rounds": 8, "leaves": 5, "folds": 2},
    "weighting": "pcgrad",
    "interaction": "fm",
}


@pytest.fixture(scope="session")
def boosted(log, shared, tmp_path_factory):
    """Of ``BOOSTED``: balancing and interaction are those of a config that was written for a network."""
    return trained_once("boosted", BOOSTED, log, shared, tmp_path_factory.mktemp("boosted"))


@pytest.fixture(scope="session")
def model(boosted):
    return Model.load(boosted.output)


def test_the_logits_are_the_trees_sums(model):
    request, encoder = model.artifact.golden[0], model.artifact.encoder
    context = {name: [value] for name, value in request.context.items()}
    packed = encoder.encode(context, request.candidates)
    sums = encoder.trees.scores(encoder._tree_columns, packed)
    scores = model.score(request.context, request.candidates)
    click, like = (1 / (1 + np.exp(-sums[:, place])) for place in (0, 1))
    np.testing.assert_allclose(scores["click"], click, atol=1e-5)
    np.testing.assert_allclose(scores["like"], click * like, atol=1e-5)
    np.testing.assert_allclose(scores["watch_time"], click * np.expm1(np.maximum(sums[:, 2], 0)), rtol=1e-4)


def test_the_graph_reads_the_candidates_numbers_alone_and_is_inspected(model):
    assert model.artifact.manifest.experiment["weighting"]["name"] == "pcgrad"
    graph = onnx.load(str(model.artifact.model_path)).graph
    assert [node.name for node in graph.input] == ["candidate_numbers"]
    screen = io.StringIO()
    blocks = inspect_artifact(model.artifact.folder, 1, Console(file=screen, width=160))
    assert blocks[0].parameters == 0
    assert "head_click" in screen.getvalue()


def test_the_stacked_graph_scores_alike(model):
    requests = []
    for request in model.artifact.golden:
        context = {name: [value] for name, value in request.context.items()}
        requests.append(model.artifact.encoder.encode(context, request.candidates))
    merged = MergingOnnxRuntime(model.artifact.model_path, EngineOptions()).score_many(requests)
    for request, scores in zip(requests, merged, strict=True):
        np.testing.assert_allclose(scores, model.engine.score(request), atol=1e-5)


def test_it_is_measured_in_one_epoch_and_explained(boosted, model):
    assert boosted.printed.count("epoch 1: ") == 1
    assert "epoch 2: " not in boosted.printed
    assert model.artifact.manifest.metrics["tasks"]["click"]["auc"] > 0.55
    request = model.artifact.golden[0]
    ranking = model.rank(request.context, request.candidates, explain=2)
    assert len(ranking.explanations.contributions["click"]) == 2


def test_a_finished_run_is_not_fitted_again(boosted):
    again = fit(boosted.experiment, str(boosted.log), output=boosted.output, progress=False)
    assert again.artifact.manifest.version == 1
    assert len(fit(boosted.experiment, str(boosted.log), output=boosted.output, progress=False).history) == 1


def test_it_cannot_be_carried_on(boosted, model):
    with pytest.raises(DataError, match="trees: the config has trees, which --from cannot carry on"):
        check_carriable(boosted.experiment, opened(model.artifact))
