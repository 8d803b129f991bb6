import numpy as np

from training.export.row_sample import examples, sampled


def test_whole_requests_are_drawn_up_to_the_limit():
    groups = np.random.default_rng(0).integers(1, 51, 1000) * 7
    rows, requests = sampled(groups, 1000, 300)
    assert 250 < len(rows) <= 300
    assert (np.diff(rows) > 0).all()
    for key in np.unique(groups[rows]):  # whole, and told apart
        assert (groups == key).sum() == (groups[rows] == key).sum()
        assert len(np.unique(requests[groups[rows] == key])) == 1
    assert requests.max() + 1 == len(np.unique(groups[rows]))
    again = sampled(groups, 1000, 300)
    np.testing.assert_array_equal(again[0], rows)


def test_all_rows_where_they_are_few_and_runs_where_nothing_groups_them():
    rows, requests = sampled(None, 45, 1000)
    assert rows.tolist() == list(range(45))
    assert requests.tolist() == [0] * 20 + [1] * 20 + [2] * 5
    rows, requests = sampled(np.full(100, 7), 100, 30)  # one request of more rows than the limit
    assert len(rows) == 30
    assert not requests.any()


def test_rows_of_no_group_are_left_out():
    rows, requests = sampled(np.array([0, 9, 0, 4, 9, 0]), 6, 100)
    assert rows.tolist() == [1, 3, 4]
    assert requests.tolist() == [1, 0, 1]
    rows, requests = sampled(np.zeros(25, dtype=np.int64), 25, 100)  # no row has one: as if nothing grouped them
    assert rows.tolist() == list(range(25))
    assert requests.tolist() == [0] * 20 + [1] * 5


def test_examples_are_of_handy_size_with_responses_to_many_objectives():
    sizes = [3, 10, 10, 10, 60, 12, 8, 9, 9]
    requests = np.repeat(np.arange(len(sizes)), sizes)
    positive = np.zeros((len(requests), 3), dtype=bool)
    for request, objectives in {2: [0, 1, 2], 5: [0, 1], 7: [0], 4: [0, 1, 2], 0: [0, 1, 2]}.items():
        positive[np.flatnonzero(requests == request)[0], objectives] = True
    shown = examples(requests, positive)
    assert len(shown) == 6
    chosen = {int(requests[rows[0]]) for rows in shown}
    assert {2, 5, 7} <= chosen
    assert not {0, 4} & chosen
    assert all(len(rows) == sizes[requests[rows[0]]] for rows in shown)
    only = examples(np.zeros(100, dtype=np.int64), np.ones((100, 1), dtype=bool))
    assert [len(rows) for rows in only] == [40]
