"""``python -m benchmarks.costs STAGE INPUTS SIZE``: measure one stage in this process; prints JSON."""

import json
import sys

from benchmarks.costs.inputs import Inputs
from benchmarks.costs.stages import STAGES


def main(stage: str, told: str, size: str) -> None:
    """Measure and print."""
    print(json.dumps(STAGES[stage](Inputs.from_json(told), **json.loads(size))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
