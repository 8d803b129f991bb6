import subprocess
import sys

SCRIPT = """
import sys
from ranker.fusion import build_fusion
tree = {"feature": [0], "threshold": [0.5], "missing_left": [True], "left": [-1], "right": [-2], "value": [1.0, 2.0]}
linear = {"bias": 0.5, "score": [2.0], "log": [0.0]}
fusion = build_fusion("learned", ("click",), {}, {"label": "click"}, {"linear": linear, "trees": [tree]})
assert fusion.fuse([[0.25], [0.75]]).tolist() == [2.0, 4.0]
heavy = {"lightgbm", "sklearn", "scipy", "pandas", "pyarrow", "tensorflow"} & set(sys.modules)
assert not heavy, heavy
"""


def test_a_learned_fusion_is_served_without_its_training_libraries():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
