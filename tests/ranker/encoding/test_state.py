import io

import numpy as np
import orjson

from ranker.encoding import from_state, to_state
from tests.ranker.conftest import columns_of


def test_a_saved_encoder_encodes_alike_without_pickle(rows):
    state, arrays = to_state(rows.encoder)
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        again = from_state(rows.schema, orjson.loads(orjson.dumps(state)), dict(loaded))
    columns = columns_of(40, seed=9)
    columns["city"][:3] = ["", "Köln\0", "北京"]
    for first, second in zip(rows.encoder.encode(columns, columns), again.encode(columns, columns), strict=True):
        np.testing.assert_array_equal(first, second)
    assert again.layout == rows.encoder.layout
