"""Loads an engine in a precision, if its rankings agree with those of the exported 32-bit scores.

A precision that is asked for by name is refused if they do not; ``auto`` takes the fastest that agrees.
"""

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from ranker.artifact import TOLERANCE, Artifact, ArtifactError, Golden
from ranker.encoding import Packed
from ranker.engines import ENGINES, FLOAT32, PRECISIONS, Engine, EngineError, EngineOptions, engine_of
from ranker.file_locks import locked
from ranker.files import replace_file
from ranker.inference.agreement import MIN_NDCG, TOP, Agreement, measure
from ranker.inference.pool import Sent
from ranker.inference.sample import read_sample
from ranker.registry import alternatives

AUTO = "auto"
NAMES = (*PRECISIONS, AUTO)
TOLERANCES = {FLOAT32: TOLERANCE, "tf32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}
"""Largest difference of scores from the exported ones by precision: a few roundings of 24, 11, 11 and 8 bits."""
CUDA_TOLERANCE = 1e-3
"""The smallest tolerance on CUDA, whose sums have another order."""

GAIN = 1.1
"""By this factor ``auto`` wants a precision to be faster than float32."""
ROWS, ROUNDS, WARM_UPS, SECONDS = 500, 20, 3, 1.0
"""Candidates of the timed call; timed and untimed rounds; time after which no further round begins."""

Load = Callable[[str, EngineOptions], Engine]
"""Loads the graph into a named engine, in this process or elsewhere."""
Notify = Callable[[str, str], None]
"""Told of an engine or a precision that is not used, and the reason."""


class Loaded(NamedTuple):
    """An engine, and how far its rankings agree with the exported ones; ``None`` in float32, where scores are equal."""

    engine: Engine
    agreement: Agreement | None


def _ignore(name: str, reason: str) -> None:
    """Ignore what is not used."""


def load_engine(
    artifact: Artifact,
    name: str,
    options: EngineOptions,
    *,
    min_ndcg: float = MIN_NDCG,
    load: Load | None = None,
    refused: Notify = _ignore,
    choices: Path | None = None,
) -> Loaded:
    """Load an artifact's graph into an engine.

    Parameters
    ----------
    artifact
        Its golden requests and its sample, if it has one, are measured on.
    name
        A name in :data:`ranker.engines.ENGINES`, or ``auto``: the best installed one for the device and precision.
    options
        Its ``precision`` may also be ``auto``: the fastest of the engine's that keeps the bound, and float32 unless
        another is faster by a factor of 1.1.
    min_ndcg
        Lowest NDCG@10 of fused rankings, as in :func:`ranker.inference.agreement.measure`, that a precision may have.
    load
        Loads the graph; by default :func:`ranker.engines.engine_of`.
    refused
        Called for a precision that ``auto`` cannot take.
    choices
        Folder in which processes share what ``auto`` chose, since their timings could differ.

    Raises
    ------
    EngineError
        If no engine can run the graph in this precision, or its rankings agree less than ``min_ndcg``.
    ArtifactError
        If the artifact's sample cannot be read.
    """
    if options.precision not in NAMES:
        raise EngineError(f"precision {options.precision!r} is unknown{alternatives(options.precision, NAMES)}")
    load = load or (lambda engine, how: engine_of(engine, artifact.model_path, how))
    if options.precision != AUTO:
        return _named(artifact, name, options, min_ndcg, load)
    if choices is None:
        return _fastest(artifact, name, options, min_ndcg, load, refused)
    file = choices / _key(artifact, name, options, min_ndcg)
    try:
        with locked(file.with_suffix(".lock"), required=False):
            if not file.exists():
                loaded = _fastest(artifact, name, options, min_ndcg, load, refused)
                replace_file(file, loaded.engine.precision.encode())
                return loaded
        precision = file.read_text()
    except OSError as error:
        raise EngineError(f"{file}: the chosen precision cannot be shared: {error.strerror or error}") from error
    options = options._replace(precision=precision)
    return _named(artifact, name, options, min_ndcg, load, check=False)  # another process has checked it


def tolerance_of(precision: str, device: str) -> float:
    """Largest difference of an engine's golden scores from the exported ones."""
    return max(TOLERANCES[precision], CUDA_TOLERANCE if device == "cuda" else 0.0)


def _named(
    artifact: Artifact, name: str, options: EngineOptions, min_ndcg: float, load: Load, *, check: bool = True
) -> Loaded:
    engine = load(name, options)
    if options.precision == FLOAT32:
        return Loaded(engine, None)
    agreement = measure(artifact, engine, _requests(artifact))
    if check and (reason := _disagreement(agreement, options.precision, min_ndcg)):
        raise EngineError(f"precision {options.precision!r} is refused: {reason}; choose float32 or auto")
    return Loaded(engine, agreement)


def _fastest(
    artifact: Artifact, name: str, options: EngineOptions, min_ndcg: float, load: Load, refused: Notify
) -> Loaded:
    exact = load(name, options._replace(precision=FLOAT32))
    found, requests = [Loaded(exact, None)], None
    for precision in ENGINES[exact.name].precisions(options.device):
        if precision == FLOAT32:
            continue
        try:
            engine = load(exact.name, options._replace(precision=precision))
        except EngineError as error:
            refused(precision, str(error))
            continue
        requests = requests or _requests(artifact)
        agreement = measure(artifact, engine, requests)
        if reason := _disagreement(agreement, precision, min_ndcg):
            refused(precision, reason)
            continue
        found.append(Loaded(engine, agreement))
    if len(found) == 1:
        return found[0]
    seconds = _seconds([loaded.engine for loaded in found], _timed(artifact, requests or ()))
    fastest = min(range(len(found)), key=seconds.__getitem__)
    return found[fastest] if seconds[0] > GAIN * seconds[fastest] else found[0]


def _disagreement(agreement: Agreement, precision: str, min_ndcg: float) -> str | None:
    """Why a precision is refused; ``None`` if it is not."""
    on = f"on {agreement.requests} requests"
    if not agreement.difference <= TOLERANCES[precision]:
        return (
            f"scores differ by up to {agreement.difference:.1e} from those of float32 {on}, more than "
            f"{TOLERANCES[precision]:.0e}"
        )
    if not agreement.ndcg >= min_ndcg:
        return (
            f"rankings by fusion {agreement.fusion!r} agree with those of float32 by an NDCG@{TOP} of "
            f"{agreement.ndcg:.5f} {on} (top-{TOP} overlap {agreement.overlap:.3f}), and precision_min_ndcg is "
            f"{min_ndcg:g}"
        )
    return None


def _requests(artifact: Artifact) -> tuple[Golden, ...]:
    requests = (*artifact.golden, *read_sample(artifact))
    if not requests:
        raise ArtifactError(f"{artifact.folder}: has no golden request to check the scores against")
    return requests


def _timed(artifact: Artifact, requests: Sequence[Golden]) -> Packed:
    """The largest request, with candidates repeated up to the number that is timed."""
    largest = max(requests, key=lambda request: len(next(iter(request.candidates.values()))))
    packed = Sent(artifact, largest.candidates).packed({name: [value] for name, value in largest.context.items()})
    rows = np.arange(ROWS) % len(packed.candidate_ids)
    return packed.with_candidates(rows)


def _seconds(engines: Sequence[Engine], packed: Packed) -> list[float]:
    """The shortest time of a call of each engine, in rounds, so that all see the same state of the machine."""
    best = [float("inf")] * len(engines)
    ends = time.perf_counter() + SECONDS
    for number in range(WARM_UPS + ROUNDS):
        for place, engine in enumerate(engines):
            begun = time.perf_counter()
            engine.score(packed)
            taken = time.perf_counter() - begun
            best[place] = min(best[place], taken)
        if number >= WARM_UPS and time.perf_counter() > ends:
            break
    return best


def _key(artifact: Artifact, name: str, options: EngineOptions, min_ndcg: float) -> str:
    """Name of the file that holds a choice: it depends on all that the choice depends on."""
    facts = [sorted(artifact.manifest.files.items()), name, options.device, options.threads, min_ndcg]
    return sha256(orjson.dumps(facts)).hexdigest()[:32]
