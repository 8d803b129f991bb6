"""Graphs of one size each beside the one of any size."""

import numpy as np
import pytest

from ranker.artifact import difference
from ranker.engines import EngineOptions, OpenVino
from tests.ranker.engines.test_engines import expected, packed_of


@pytest.fixture(scope="module")
def engine(artifact):
    return OpenVino(artifact.model_path, EngineOptions(threads=1), sizes=(10, 100))


# 9 and 84 are padded, for 83, 11 and 101 the graph of any size is taken.
@pytest.mark.parametrize("rows", [8, 9, 10, 11, 83, 84, 100, 101, 2100])
def test_scores_are_the_same_whichever_graph_runs(engine, artifact, rows):
    assert difference(engine.score(packed_of(artifact, rows)), expected(artifact, rows)) < 1e-5


def test_what_an_earlier_request_left_in_the_padding_is_not_seen(engine, artifact):
    alone = OpenVino(artifact.model_path, EngineOptions(threads=1), sizes=(100,)).score(packed_of(artifact, 90))
    engine.score(packed_of(artifact, 100, first=7))
    np.testing.assert_array_equal(engine.score(packed_of(artifact, 90)), alone)


def test_a_request_gets_the_same_scores_to_the_last_digit_every_time(engine, artifact):
    packed = packed_of(artifact, 95)
    first = engine.score(packed)
    for rows in (100, 7, 95, 99):
        engine.score(packed_of(artifact, rows))
        np.testing.assert_array_equal(engine.score(packed), first)
