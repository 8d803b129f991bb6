"""``ranker-train schema``: the JSON Schema of a config."""

import json


def schema() -> None:
    """Print the JSON Schema of a config, for editors."""
    from training.config.experiment import json_schema

    print(json.dumps(json_schema(), indent=2))
