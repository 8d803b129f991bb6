"""Thousands of broken requests: each is refused with a reason, and the service keeps working."""

import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import orjson

from benchmarks.under_fire.service import ADMIN, body_of, started
from benchmarks.under_fire.verdict import Verdict
from tests.serving.fuzzing import FORMATS, fuzz

UNSAID = "positive_data_acceptance"
"""The excluded check: JSON Schema cannot express that columns of unequal length or unknown fusions are refused."""


def broken(artifact: Path, count: int, seed: int, schemathesis: Path, examples: int) -> Verdict:
    """Send mutated bodies in each format, then run schemathesis on every operation of the OpenAPI document."""
    with started(artifact) as service:
        request = orjson.loads(body_of(service, 20))
        before = service.ranking(orjson.dumps(request))
        begun, answers, complaints = time.monotonic(), {}, []
        for form in FORMATS:
            found = fuzz(service.url, request, form, count, seed)
            answers[form.name] = dict(sorted(found.statuses.items()))
            complaints += found.complaints
        took = time.monotonic() - begun
        code, told = _schemathesis(schemathesis, service.url, seed, examples)
        after = service.ranking(orjson.dumps(request))
    return Verdict(
        "fuzz",
        {
            "bodies a format": count,
            "answers by status": answers,
            "seconds": round(took, 1),
            "complaints": complaints[:10],
            "schemathesis": told,
        },
        {
            **{f"{count} bodies as {name}": _total(answers[name]) == count for name in answers},
            "no 5xx, no hang, a reason in every refusal": not complaints,
            "schemathesis finds nothing": code == 0,
            "the good request ranks as before": after == before,
        },
    )


def _total(statuses: dict[int, int]) -> int:
    return sum(Counter(statuses).values())


def _schemathesis(program: Path, url: str, seed: int, examples: int) -> tuple[int, str]:
    """Run schemathesis on the document, including admin routes; return its exit status and the end of its output."""
    if not program.is_file():
        return -1, f"{program} is not installed: see the README of the benchmarks"
    command = [str(program.resolve()), "run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {ADMIN}"]
    command += ["--exclude-checks", UNSAID, "--max-examples", str(examples), "--seed", str(seed), "--no-color"]
    command += ["--request-timeout", "20"]
    environment = {**os.environ, "COLUMNS": "120"}
    with tempfile.TemporaryDirectory() as folder:  # it writes its findings to the working directory
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    return ended.returncode, (ended.stdout + ended.stderr)[-3000 if ended.returncode else -400 :].strip()
