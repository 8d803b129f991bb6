"""Graphs of one size each, compiled as they are asked for."""

import time

import pytest

from ranker.artifact import difference
from serving.runtime import OpenVino
from serving.runtime.openvino import padded
from tests.serving.runtime.test_engines import expected, packed_of


@pytest.fixture
def engine(artifact):
    return OpenVino(artifact.model_path, "cpu", 1, kept=2)


def settled(engine, *sizes):
    until = time.monotonic() + 30
    while engine.sizes != sizes and time.monotonic() < until:
        time.sleep(0.01)
    assert engine.sizes == sizes


@pytest.mark.parametrize(
    ("rows", "size"), [(1, 8), (8, 8), (60, 64), (65, 72), (100, 104), (128, 128), (500, 512), (513, 576)]
)
def test_requests_are_padded_by_an_eighth_of_a_power_of_two_at_most(rows, size):
    assert padded(rows) == size


def test_padding_is_an_eighth_at_most():
    assert all(rows <= padded(rows) <= rows * 1.125 for rows in range(64, 10_000))


def test_a_size_is_compiled_when_it_is_first_asked_for_and_scores_the_same(engine, artifact):
    assert engine.sizes == ()
    for rows in (95, 96, 90, 91):  # 90 behind 96: what an earlier request left in the padding is not seen
        assert difference(engine.score(packed_of(artifact, rows)), expected(artifact, rows)) < 1e-5
        settled(engine, 96)
    engine.score(packed_of(artifact, 7))
    settled(engine, 8, 96)


def test_no_more_sizes_are_kept_than_asked(engine, artifact):
    for rows in (10, 20, 30, 40):
        assert difference(engine.score(packed_of(artifact, rows)), expected(artifact, rows)) < 1e-5
    settled(engine, 16, 24)
    engine.score(packed_of(artifact, 40))
    time.sleep(0.1)
    assert engine.sizes == (16, 24)


def test_a_size_that_cannot_be_compiled_is_logged_and_scored_all_the_same(engine, artifact, monkeypatch, caplog):
    def fails(_):
        raise RuntimeError("no memory left")

    monkeypatch.setattr(engine, "_compile", fails)
    engine.score(packed_of(artifact, 10))
    engine._background.shutdown(wait=True)
    assert [record.getMessage() for record in caplog.records] == ["graph not compiled"]
    assert caplog.records[0].fields == {"candidates": 16}
    assert difference(engine.score(packed_of(artifact, 10)), expected(artifact, 10)) < 1e-5
