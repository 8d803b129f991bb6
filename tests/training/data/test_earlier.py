import numpy as np

from ranker.encoding import EncoderFitter
from ranker.schema import Schema
from training.data.earlier import read_ids, write_ids


def test_facts_of_features_and_of_label_statistics_are_read_as_written(tmp_path):
    schema = Schema.model_validate(
        {
            "context": {"user": {"kind": "categorical"}},
            "candidate": {"item": {"kind": "categorical"}, "price": {"kind": "numeric", "transform": "buckets"}},
            "tasks": {"click": {"kind": "binary"}},
            "label_statistics": {"of": ["item", ["user", "item"]], "windows": [2]},
        }
    )
    fitter = EncoderFitter(schema)
    columns = {"user": ["u"] * 4, "item": ["a", "b", "a", "b"], "price": np.arange(4.0)}
    days = np.array([1, 2, 3, 3])
    fitter.add(columns, np.ones((4, 1)), np.ones((4, 1), dtype=bool), days, days)
    facts = fitter.facts()
    write_ids(tmp_path, facts)
    read = read_ids(tmp_path)
    assert read.keys() == {"user", "item", "price", "label_statistics(item)", "label_statistics(user, item)"}
    assert read["label_statistics(item)"]["days"].tolist() == [3, 2, 3]  # of a, and of b; day 1 is in no window
    for name, parts in facts.items():
        assert read[name].keys() == parts.keys()
        for part, array in parts.items():
            np.testing.assert_array_equal(read[name][part], array)
