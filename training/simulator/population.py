"""Draws users and items with latent traits and visible features."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.simulator.config import SimulatorConfig

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

LATENT = 6
EMBEDDING = LATENT + 2
TAGS_PER_CATEGORY = 12
MOST_TAGS = 5

CATEGORIES = (
    "animals", "art", "beauty", "books", "cars", "comedy", "cooking", "crafts", "dance", "fashion", "fitness",
    "football", "games", "gardening", "history", "movies", "music", "news", "parenting", "photography", "science",
    "technology", "theatre", "travel",
)  # fmt: skip
GENDERS = ("female", "male", "unknown")
DEVICES = ("android", "ios", "web")
CITIES = tuple(f"city_{n:02d}" for n in range(30))
TAGS = tuple(f"{category}_{n:02d}" for category in CATEGORIES for n in range(TAGS_PER_CATEGORY))


@dataclass(frozen=True, slots=True, eq=False)
class Users:
    """U users. The log shows ``age`` to ``activity``; the rest is latent."""

    taste: Floats  # [U, 6]
    clicking: Floats  # [U] how readily this user clicks, standard normal
    patience: Floats  # [U] how readily this user stays
    sociability: Floats  # [U] how readily this user likes and shares
    age: Floats  # [U] years, NaN if unknown
    gender: Ints  # [U] indices of GENDERS
    city: Ints  # [U] indices of CITIES
    device: Ints  # [U] indices of DEVICES: the most used one
    activity: Floats  # [U] visits relative to the median user


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """I items. The log shows ``author`` to ``embedding``; the rest is latent."""

    topic: Floats  # [I, 6]
    quality: Floats  # [I] standard normal
    clickbait: Floats  # [I] promises more than it holds, standard normal
    popularity: Floats  # [I] > 0, relative retrieval frequency
    author: Ints  # [I] author ids
    category: Ints  # [I] indices of CATEGORIES
    tags: Ints  # [sum of tag counts] indices of TAGS, item after item
    tag_starts: Ints  # [I + 1] where each item's tags start
    duration: Floats  # [I] seconds
    upload_day: Ints  # [I] days since the log's first, negative before it
    embedding: Floats  # [I, 8] noisy, rotated view of topic, quality and clickbait


def _standard(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scale columns to mean 0 and standard deviation 1 (a single row becomes zeros)."""
    centred = x - x.mean(axis=0)
    return np.asarray(centred / np.maximum(centred.std(axis=0), 1e-9))


def _zipf(n: int, exponent: float) -> npt.NDArray[np.float64]:
    weights = np.arange(1, n + 1) ** -exponent
    return np.asarray(weights / weights.sum())


def topics(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Centre [24, 6] of each category in the latent space shared by tastes and topics."""
    return rng.standard_normal((len(CATEGORIES), LATENT))


def draw_users(config: SimulatorConfig, centres: npt.NDArray[np.float64], rng: np.random.Generator) -> Users:
    """Draw users; taste [U, 6] combines a few favourite categories, age, gender and individual variation."""
    n = config.users
    age = np.clip(rng.gamma(shape=6.0, scale=3.5, size=n) + 13.0, 13.0, 80.0)
    years = (age - 34.0) / 8.5
    gender = rng.choice(len(GENDERS), size=n, p=(0.46, 0.46, 0.08))
    city = rng.choice(len(CITIES), size=n, p=_zipf(len(CITIES), 0.8))
    visits = rng.standard_normal(n)
    slope = rng.standard_normal((2, LATENT))
    demographic = np.outer(years, slope[0]) + np.outer(np.array([1.0, -1.0, 0.0])[gender], slope[1])
    favourites = rng.choice(len(CATEGORIES), size=(n, 3))
    taste = centres[favourites].mean(axis=1) * np.sqrt(3.0) + 0.35 * demographic
    taste += 0.4 * rng.standard_normal((n, LATENT))
    # Habits also depend partly on visible features and partly on the individual.
    clicking = 0.8 * rng.standard_normal(n) + 0.6 * visits
    patience = 0.8 * rng.standard_normal(n) + 0.6 * years
    sociability = 0.7 * rng.standard_normal(n) - 0.5 * years + 0.5 * rng.standard_normal(len(CITIES))[city]
    return Users(
        taste=_standard(taste).astype(np.float32),
        clicking=_standard(clicking).astype(np.float32),
        patience=_standard(patience).astype(np.float32),
        sociability=_standard(sociability).astype(np.float32),
        age=np.where(rng.random(n) < config.missing_age, np.nan, np.floor(age)).astype(np.float32),
        gender=gender,
        city=city,
        device=rng.choice(len(DEVICES), size=n, p=(0.5, 0.35, 0.15)),
        activity=np.exp(0.9 * visits).astype(np.float32),
    )


def draw_items(config: SimulatorConfig, centres: npt.NDArray[np.float64], rng: np.random.Generator) -> Items:
    """Draw items that resemble their category and author, a quarter of them uploaded during the log."""
    n = config.items
    home = rng.choice(len(CATEGORIES), size=config.authors)  # each author's main category
    author = rng.choice(config.authors, size=n, p=_zipf(config.authors, 0.6))
    category = np.where(rng.random(n) < 0.8, home[author], rng.choice(len(CATEGORIES), size=n))

    own = 0.35 * rng.standard_normal((config.authors, LATENT))[author] + 0.35 * rng.standard_normal((n, LATENT))
    topic = centres[category] + own
    bait = 0.7 * rng.standard_normal(config.authors)[author] + 0.7 * rng.standard_normal(n)
    quality = 0.7 * rng.standard_normal(config.authors)[author] + 0.7 * rng.standard_normal(n) - 0.3 * bait
    length = 0.5 * rng.standard_normal(len(CATEGORIES))[category] + 0.75 * rng.standard_normal(n)

    # Retrieval favours clicked items, so popularity follows both quality and clickbait.
    appeal = 0.35 * _standard(quality) + 0.35 * _standard(bait) + 0.7 * rng.standard_normal(n)
    day = -1 - np.floor(rng.exponential(scale=60.0, size=n)).astype(np.int64)
    fresh = rng.permutation(n)[: n // 4]
    day[fresh] = rng.integers(0, config.days, size=fresh.size)

    rotation, _ = np.linalg.qr(rng.standard_normal((EMBEDDING, EMBEDDING)))
    seen = np.column_stack([_standard(topic), _standard(quality), _standard(bait)])
    tags, starts = _draw_tags(category, own, _standard(bait), rng)
    return Items(
        topic=_standard(topic).astype(np.float32),
        quality=_standard(quality).astype(np.float32),
        clickbait=_standard(bait).astype(np.float32),
        popularity=np.exp(_standard(appeal)).astype(np.float32),
        author=author,
        category=category,
        tags=tags,
        tag_starts=starts,
        duration=np.clip(30.0 * np.exp(0.8 * _standard(length)), 3.0, 600.0).astype(np.float32),
        upload_day=day,
        embedding=(seen @ rotation + 0.3 * rng.standard_normal((n, EMBEDDING))).astype(np.float32),
    )


def _draw_tags(
    category: Ints, own: npt.NDArray[np.float64], bait: npt.NDArray[np.float64], rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Draw one to five distinct tags per item from its category, preferring tags that fit the item."""
    n = category.size
    meaning = rng.standard_normal((len(CATEGORIES), TAGS_PER_CATEGORY, LATENT + 1))
    traits = np.column_stack([own, bait])
    fit = rng.gumbel(size=(n, TAGS_PER_CATEGORY))
    for number in range(len(CATEGORIES)):
        members = np.flatnonzero(category == number)
        fit[members] += traits[members] @ meaning[number].T
    best = np.argsort(-fit, axis=1)[:, :MOST_TAGS]
    counts = rng.integers(1, MOST_TAGS + 1, size=n)
    taken = np.arange(MOST_TAGS) < counts[:, None]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return (category[:, None] * TAGS_PER_CATEGORY + best)[taken], starts
