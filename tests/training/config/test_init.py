import subprocess
import sys

import pytest
import yaml

from tests.training.conftest import QUICK
from training import config


def test_a_config_is_read_from_a_dict_by_the_packages_names():
    assert isinstance(config.checked(QUICK), config.Experiment)
    with pytest.raises(config.ConfigError, match="the config has"):
        config.checked({})


def test_a_config_is_read_and_described_without_tensorflow():
    code = (
        "import sys, yaml\nfrom training.config import checked\nfrom training.config.experiment import json_schema\n"
        "checked(yaml.safe_load(sys.stdin)); json_schema(); assert 'tensorflow' not in sys.modules"
    )
    ended = subprocess.run([sys.executable, "-c", code], input=yaml.safe_dump(QUICK), text=True, check=False)
    assert ended.returncode == 0
