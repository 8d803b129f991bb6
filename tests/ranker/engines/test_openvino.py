"""Fixed-size graphs give the same scores as the dynamic one."""

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
def test_scores_do_not_depend_on_the_graph_used(engine, artifact, rows):
    assert difference(engine.score(packed_of(artifact, rows)), expected(artifact, rows)) < 1e-5


def test_padding_from_an_earlier_request_does_not_change_scores(engine, artifact):
    alone = OpenVino(artifact.model_path, EngineOptions(threads=1), sizes=(100,)).score(packed_of(artifact, 90))
    engine.score(packed_of(artifact, 100, first=7))
    np.testing.assert_array_equal(engine.score(packed_of(artifact, 90)), alone)


def test_a_repeated_request_gets_bitwise_equal_scores(engine, artifact):
    packed = packed_of(artifact, 95)
    first = engine.score(packed)
    for rows in (100, 7, 95, 99):
        engine.score(packed_of(artifact, rows))
        np.testing.assert_array_equal(engine.score(packed), first)
