"""Every format of rows: what is read is near what was stored, and does not change when it is stored again."""

import numpy as np
import pytest

from ranker.engines.row_formats import ROW_FORMATS
from ranker.engines.row_tables import RowInput, RowTables, described, write_agreement, write_facts, write_rows

LARGEST_ERROR = {"float32": 0.0, "float16": 2.0**-11, "int8": 0.5 / 127}
"""Of an entry, as a fraction of its row's largest; a new format needs a line here."""


@pytest.mark.parametrize("name", list(ROW_FORMATS))
def test_rows_are_read_as_they_were_stored(name, tmp_path, monkeypatch):
    monkeypatch.setattr("ranker.engines.row_tables.CHUNK", 7)  # the last chunk is not full
    rows = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32) * np.logspace(-3, 3, 40)[:, None]
    rows = rows.astype(np.float32)
    rows[3] = 0
    model = tmp_path / "model.onnx"
    facts = write_rows(model, "item", name, rows, rows.shape)
    assert facts.size <= rows.nbytes
    write_facts(model, {"item": facts}, {"candidate_rows_item": RowInput("item", "candidate_ids", 1, 2)})
    ids = np.random.default_rng(1).integers(0, 40, (11, 4)).astype(np.int32)
    found = RowTables.beside(model).rows("candidate_rows_item", {"candidate_ids": ids})
    stored_as = ROW_FORMATS[name]()
    np.testing.assert_array_equal(found, stored_as.rounded(rows)[ids[:, 1:3]].reshape(11, 12))
    error = np.abs(stored_as.rounded(rows) - rows) / np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-30)
    assert error.max() <= LARGEST_ERROR[name] * (1 + 1e-5)
    again = stored_as.rounded(stored_as.rounded(rows))
    np.testing.assert_allclose(again, stored_as.rounded(rows), rtol=1e-6)
    write_agreement(model, {"ndcg": 1.0})
    assert described(model) == {"beside": {"item": facts._asdict()}, "bytes": facts.size, "agreement": {"ndcg": 1.0}}


def test_broken_facts_are_named(tmp_path):
    model = tmp_path / "model.onnx"
    rows = np.ones((3, 2), dtype=np.float32)
    facts = write_rows(model, "item", "float32", rows, rows.shape)
    write_facts(model, {"item": facts}, {"candidate_rows_shop": RowInput("shop", "candidate_ids", 0, 1)})
    with pytest.raises(ValueError, match=r"tables\.json: has inputs of tables that it does not list: shop"):
        RowTables.beside(model)
    (tmp_path / "model.tables" / "tables.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tables\.json: cannot be read: KeyError: 'tables'"):
        RowTables.beside(model)
