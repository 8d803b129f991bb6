"""Makes pictures of pages small: their pixels become indices into a palette of at most 256 colours."""

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS, FREQUENT = 256, 192


def shrink(picture: Path) -> None:
    """Write a PNG again with its most frequent colours and those most unlike them; others become the nearest.

    A page has few colours beside the edges of its letters, so hardly a pixel changes, and a rare colour stays.
    """
    with Image.open(picture) as whole:
        pixels = np.asarray(whole.convert("RGB")).astype(np.int32)
    colours, index, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    kept = list(np.argsort(-counts, kind="stable")[:FREQUENT])
    distance = ((colours[:, None] - colours[kept]) ** 2).sum(axis=2)
    while len(kept) < COLOURS and distance.min(axis=1).max() > 0:
        kept.append(distance.min(axis=1).argmax())
        distance = np.column_stack([distance, ((colours - colours[kept[-1]]) ** 2).sum(axis=1)])
    nearest = distance.argmin(axis=1)
    small = Image.fromarray(nearest[index].reshape(pixels.shape[:2]).astype(np.uint8), mode="P")
    small.putpalette(colours[kept].astype(np.uint8).tobytes())
    small.save(picture, optimize=True)
