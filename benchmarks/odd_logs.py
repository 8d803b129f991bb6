"""Fuzzes the log reader: each generated log gives the right rows, or an error that names the file.

The tests run a fixed part of this; here a failure is shrunk to the smallest log that causes it.
"""

import argparse
import time

from hypothesis import HealthCheck, given, seed, settings

from tests.training.data.odd_logs import OddLog, logs
from tests.training.data.test_odd_logs import check


def main() -> None:
    """Run both grammars; exit with status 1 if a log is read incorrectly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000, help="number of logs from each of the two grammars")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same logs")
    asked = parser.parse_args()
    many = settings(max_examples=asked.examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    for odd in (False, True):
        begun = time.monotonic()
        read(odd, many, asked.seed)
        kind = "odd logs: read correctly, or refused by name" if odd else "logs of consistent types: read correctly"
        print(f"{asked.examples:,} {kind}, {time.monotonic() - begun:.0f} s")


def read(odd: bool, many: settings, number: int) -> None:
    """Check as many logs as ``many`` says, of one of the grammars."""

    @seed(number)
    @many
    @given(logs(odd=odd))
    def each(log: OddLog) -> None:
        check(log, must_read=not odd)

    each()


if __name__ == "__main__":
    main()
