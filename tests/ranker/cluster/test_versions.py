import numpy as np
import pytest

import ranker
from ranker.cluster.session import ClusterError
from ranker.cluster.versions import require_same, versions


def test_the_same_versions_pass():
    found = versions("onnxruntime")
    assert list(found) == ["ranker", "pyarrow", "numpy", "onnxruntime"]
    assert (found["ranker"], found["numpy"]) == (ranker.__version__, np.__version__)
    require_same(found)


def test_another_version_and_a_missing_package_are_named_with_the_machine():
    with pytest.raises(ClusterError, match=rf"has numpy {np.__version__}, and this one has 0\.1; .* the same version"):
        require_same({"ranker": ranker.__version__, "numpy": "0.1"})
    with pytest.raises(ClusterError, match=r"lacks no_such_package, and this one has 1\.0;"):
        require_same({"no_such_package": "1.0"})
