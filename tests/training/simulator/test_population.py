import numpy as np
import pytest

from training.simulator import SimulatorConfig, World
from training.simulator.population import CATEGORIES, TAGS


def test_a_quarter_of_the_items_is_uploaded_while_the_log_runs(world: World) -> None:
    days = world.items.upload_day
    assert ((days >= 0) & (days < world.config.days)).sum() == world.config.items // 4
    assert days.max() < world.config.days


def test_every_item_has_one_to_five_distinct_tags_of_its_category(world: World) -> None:
    items = world.items
    counts = np.diff(items.tag_starts)
    assert (counts.min(), counts.max()) == (1, 5)
    assert items.tag_starts[-1] == items.tags.size
    for item in range(200):
        tags = [TAGS[n] for n in items.tags[items.tag_starts[item] : items.tag_starts[item + 1]]]
        assert len(set(tags)) == len(tags)
        assert {tag.rsplit("_", 1)[0] for tag in tags} == {CATEGORIES[items.category[item]]}


def test_the_share_of_unknown_ages_is_the_config_s(world: World) -> None:
    assert np.isnan(world.users.age).mean() == pytest.approx(world.config.missing_age, abs=0.02)
    none_missing = World(SimulatorConfig(users=50, items=50, missing_age=0.0))
    assert np.isfinite(none_missing.users.age).all()


def test_the_embedding_shows_clickbait_and_quality_but_for_noise(world: World) -> None:
    items = world.items
    seen = np.column_stack([items.embedding, np.ones(len(items.quality))])
    for trait in (items.quality, items.clickbait):
        fitted = seen @ np.linalg.lstsq(seen, trait, rcond=None)[0]
        assert 0.9 < np.corrcoef(fitted, trait)[0, 1] < 0.99


def test_authors_are_worth_knowing(world: World) -> None:
    # Half of the variance of clickbait lies between authors: 0.7^2 / (0.7^2 + 0.7^2).
    items = world.items
    counts = np.bincount(items.author)
    known = counts[items.author] >= 5
    means = np.bincount(items.author, items.clickbait) / np.maximum(counts, 1)
    explained = means[items.author[known]].var() / items.clickbait[known].var()
    assert 0.4 < explained < 0.75
