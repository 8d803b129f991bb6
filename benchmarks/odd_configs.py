"""Fuzzes the config loader: each generated config is accepted, or refused with an error that names the file.

The tests run a fixed part of this; here the first of each kind of error is printed with a small config that causes it.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.training.config.odd_configs import complaint, odd_config, smallest


def main() -> None:
    """Load the requested number of configs; exit with status 1 if one is neither accepted nor refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000, help="configs to load")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first config; the next ones follow")
    asked = parser.parse_args()
    begun, kinds, slowest = time.monotonic(), set[str](), (0.0, 0)
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(asked.seed, asked.seed + asked.examples):
            text, started = odd_config(seed), time.monotonic()
            found = complaint(text, Path(folder))
            slowest = max(slowest, (time.monotonic() - started, seed))
            if found is not None and (kind := found[:60]) not in kinds:
                kinds.add(kind)
                print(f"seed {seed}: {found}\n{smallest(text, Path(folder))[:2000]!s}\n")
    print(f"{asked.examples:,} configs, {time.monotonic() - begun:.0f} s, kinds of errors: {len(kinds)}")
    print(f"the slowest took {slowest[0]:.1f} s (seed {slowest[1]})")
    sys.exit(bool(kinds))


if __name__ == "__main__":
    main()
