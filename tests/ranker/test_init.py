import os
import subprocess
import sys


def run(code, **environment):
    env = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"} | environment
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)


def test_it_imports_nothing_heavy():
    heavy = "{'tensorflow', 'pandas', 'pyarrow', 'numpy'}"
    ended = run(f"import ranker, sys; assert not {heavy} & set(sys.modules), sorted({heavy} & set(sys.modules))")
    assert ended.returncode == 0, ended.stderr


def test_what_serving_needs_imports_no_tensorflow():
    code = "import sys, serving.app, serving.cli; assert not {'tensorflow', 'pandas', 'openvino'} & set(sys.modules)"
    assert run(code).returncode == 0


def test_tensorflow_imported_first_is_explained():
    ended = run("import sys, types; sys.modules['tensorflow'] = types.ModuleType('tensorflow'); import ranker")
    assert "Import ranker first, or set TF_USE_LEGACY_KERAS=1" in ended.stderr


def test_keras_3_chosen_by_hand_is_explained():
    assert "set it to 1, or leave it unset" in run("import ranker", TF_USE_LEGACY_KERAS="0").stderr


def test_training_can_be_imported_first():
    assert run("import training; import os; assert os.environ['TF_USE_LEGACY_KERAS'] == '1'").returncode == 0
