import subprocess
import sys

import pytest

from tests.training.conftest import QUICK
from training import config


def test_a_config_is_read_from_a_dict_by_the_packages_names():
    assert isinstance(config.checked(QUICK), config.Experiment)
    with pytest.raises(config.ConfigError, match="the config has"):
        config.checked({})
    with pytest.raises(AttributeError, match="has no attribute 'lod'"):
        config.lod  # noqa: B018


def test_early_checks_import_no_tensorflow():
    code = "import sys, training.config.early_checks; assert 'tensorflow' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
