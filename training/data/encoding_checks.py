"""Warnings about the features that an encoder was fitted on."""

from collections.abc import Iterator

from ranker.encoding import Encoder, EncoderFitter

_WORDS = (("true", "True", "TRUE"), ("false", "False", "FALSE"))
"""Spellings of booleans in SQL, pandas and R."""
_SPELLINGS = frozenset(spelling for spellings in _WORDS for spelling in spellings)

PLACE = "position"
"""Usual name of the column with the place where an item was shown."""


def cautions(fitter: EncoderFitter, encoder: Encoder) -> Iterator[str]:
    """Features without any value in training, with several spellings of a boolean, or named like a shown position."""
    schema = encoder.schema
    for name in fitter.empty():
        yield (
            f"caution: schema feature {name!r} (column {schema.column(name)!r}) has no value in any training row, so "
            "the model learns nothing from it; is it the right column?"
        )
    for name in schema.candidate:
        if schema.column(name).lower() == PLACE:
            yield (
                f"caution: if the candidate feature {name!r} (column {schema.column(name)!r}) is the place where an "
                "item was shown, requests cannot know it, and scores will be wrong: use the config's section "
                "`position` instead of a feature"
            )
    for name in schema.features:
        present = _SPELLINGS.intersection(encoder.encodings[name].texts())
        for spellings in _WORDS:
            several = [spelling for spelling in spellings if spelling in present]
            if len(several) > 1:
                listed = " and ".join(map(repr, several))
                yield (
                    f"caution: schema feature {name!r} (column {schema.column(name)!r}) holds {listed}, which are "
                    f"{len(several)} categories; use one spelling in all files and requests"
                )
