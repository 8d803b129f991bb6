"""Draws odd log files by the thousand and reads them as ``fit`` does: the right rows, or an error that names the file.

The tests run a fixed slice of the same; a failure here is shrunk to the smallest log that shows it.
"""

import argparse
import time

from hypothesis import HealthCheck, given, seed, settings

from tests.training.data.odd_logs import logs
from tests.training.data.test_odd_logs import check


def main() -> None:
    """Run both grammars; the exit status is 1 where a log is read wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000, help="logs of each of the two grammars")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same logs")
    asked = parser.parse_args()
    many = settings(max_examples=asked.examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    for odd in (False, True):
        begun = time.monotonic()

        @seed(asked.seed)
        @many
        @given(logs(odd=odd))
        def read(log: object, must_read: bool = not odd) -> None:
            check(log, must_read)

        read()
        kind = "odd logs: read right, or named" if odd else "logs of types that agree: read right"
        print(f"{asked.examples:,} {kind}, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
