"""Padded runs on bound arrays, on the CPU: only the capturing itself needs a GPU."""

import threading

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from ranker.encoding import Packed
from ranker.engines.onnx_captured import CONTEXT_ROWS, CapturedRuns, UncapturedError, on_device
from ranker.engines.row_tables import RowTables


def session_of(*nodes):
    """Scores [N, 1]: the sum of a candidate's number and of its context's, by default."""
    rows = {"context_numbers": "contexts", "candidate_numbers": "candidates"}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [row, 1]) for name, row in rows.items()]
    inputs.append(helper.make_tensor_value_info(CONTEXT_ROWS, TensorProto.INT64, ["candidates"]))
    nodes = nodes or (
        helper.make_node("Gather", ["context_numbers", CONTEXT_ROWS], ["of_context"], axis=0),
        helper.make_node("Add", ["of_context", "candidate_numbers"], ["scores"]),
    )
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["candidates", 1])
    graph = helper.make_graph(list(nodes), "graph", inputs, [scores])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString())


def request(context, *candidates):
    none = np.empty((len(candidates), 0), np.int32)
    numbers = np.array(candidates, np.float32)[:, None]
    return Packed(none[:1], np.array([[context]], np.float32), none, numbers)


@pytest.fixture(scope="module")
def runs():
    return CapturedRuns(session_of(), RowTables({}, {}), "cpu", sizes=(8, 4))


def test_a_request_is_padded_to_the_next_size(runs):
    assert runs.sizes == (4, 8)
    for count in (1, 4, 5, 8):
        scores = runs.score([request(10, *range(count))])
        np.testing.assert_array_equal(scores, 10 + np.arange(count, dtype=np.float32)[:, None])


def test_merged_requests_keep_their_contexts(runs):
    scores = runs.score([request(10, 1, 2, 3), request(20, 4), request(30, 5, 6)])
    assert scores.ravel().tolist() == [11, 12, 13, 24, 35, 36]
    assert runs.score([request(1, 2)]).tolist() == [[3]]  # nothing of the earlier run is left


def test_more_than_the_largest_size_is_left_to_the_caller(runs):
    assert runs.score([request(0, *range(9))]) is None
    assert runs.score([request(0, 1)] * 65) is None


def test_scores_do_not_change_with_the_next_run(runs):
    first = runs.score([request(1, 1)])
    runs.score([request(5, 5)])
    assert first.tolist() == [[2]]


def test_threads_do_not_mix_their_requests(runs):
    wrong = []

    def ask(number):
        for _ in range(50):
            if runs.score([request(number, 1, 2)]).ravel().tolist() != [number + 1, number + 2]:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(10 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_device_has_one_thread():
    names = {on_device(lambda: threading.current_thread().name) for _ in range(3)}
    assert len(names) == 1
    assert threading.current_thread().name not in names


def test_wrong_replays_are_found():
    random = helper.make_node("RandomNormalLike", ["candidate_numbers"], ["scores"])
    with pytest.raises(UncapturedError, match="replayed scores of 4 candidates differ by"):
        CapturedRuns(session_of(random), RowTables({}, {}), "cpu", sizes=(4,))


def test_an_error_of_the_library_is_told():
    wrong = helper.make_node("Reshape", ["candidate_numbers", CONTEXT_ROWS], ["scores"])
    with pytest.raises(UncapturedError, match="Reshape"):
        CapturedRuns(session_of(wrong), RowTables({}, {}), "cpu", sizes=(4,))
