"""``ranker-train schema``: the JSON Schema of a config."""

import json

from training.quiet_imports import quiet_imports


def schema() -> None:
    """Print the JSON Schema of a config, for editors."""
    with quiet_imports():
        from training.config.experiment import json_schema

    print(json.dumps(json_schema(), indent=2))
