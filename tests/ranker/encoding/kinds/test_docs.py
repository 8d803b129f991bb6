"""The feature kind of the docs is registered in a process of its own, before the schema's union is made."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
USE = """
import numpy as np
from ranker.encoding import EncoderFitter, from_state, to_state
from ranker.schema import Schema
from serving.protocol.column_types import expected

hour = {"kind": "cyclic", "period": 24}
schema = Schema.model_validate({"candidate": {"hour": hour}, "tasks": {"click": {"kind": "binary"}}})
fitter, columns = EncoderFitter(schema), {"hour": [0, 6, 24, None]}
fitter.add(columns, np.zeros((4, 1)), np.ones((4, 1), dtype=bool), np.zeros(4, dtype=np.int64))
encoder = from_state(schema, *to_state(fitter.fitted()))
numbers = encoder.encode({}, columns).candidate_numbers
np.testing.assert_allclose(numbers, [[0, 1], [1, 0], [0, 1], [0, 0]], atol=1e-6)
assert expected(encoder, "hour").json() == {"anyOf": [{"type": "number"}, {"type": "boolean"}]}
"""


def test_the_feature_kind_in_the_docs_encodes_as_documented(tmp_path):
    section = (ROOT / "docs" / "extending.md").read_text().split("\n## A feature kind\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (tmp_path / "cyclic_of_the_docs.py").write_text(block)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import cyclic_of_the_docs\n{USE}"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
