"""Draws odd configs by the thousand and loads them: each is taken, or refused with an error that names the file.

The tests run a fixed slice of the same; here the first of each kind of complaint is shown with a small config for it.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.training.config.odd_configs import complaint, odd_config, smallest


def main() -> None:
    """Load as many configs as asked; the exit status is 1 where one is neither taken nor refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000, help="configs to load")
    parser.add_argument("--seed", type=int, default=0, help="the first config; the next ones follow it")
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
    print(f"{asked.examples:,} configs, {time.monotonic() - begun:.0f} s, kinds of complaints: {len(kinds)}")
    print(f"the slowest took {slowest[0]:.1f} s (seed {slowest[1]})")
    sys.exit(bool(kinds))


if __name__ == "__main__":
    main()
