"""A model that starts from an earlier artifact, before its first step: ids, features and tasks that come and go."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pandas as pd
import pytest
import tensorflow as tf

from ranker.artifact import Artifact, ArtifactError, load
from ranker.layers.sharded_table import ShardedTable
from ranker.log_files.log_reader import DataError
from ranker.model import RankingModel
from tests.training.days import CONFIG, config, rows
from tests.training.stored import file_of
from training.commands.fit import fit
from training.config.experiment import checked
from training.data.carried_notes import check_carriable
from training.data.earlier import opened
from training.data.encode import Prepared, prepare
from training.data.experiment_log import open_log
from training.trainer.build_model import build_model
from training.trainer.carry_on import _read, carry_on
from training.trainer.moments import kept_moments
from training.trainer.variable_names import input_columns, named_variables

TABLE = "embedding/tables/4"


class Next(NamedTuple):
    model: RankingModel
    prepared: Prepared
    notes: str
    before: Artifact

    def row(self, feature: str, value: Any) -> np.ndarray:
        """The embedding and both moments of a value, [3, D]."""
        held = {TABLE: self.variables[TABLE], **self.moments(TABLE)}
        return self.rows(self.prepared.encoder, feature, value, held)

    def earlier_row(self, feature: str, value: Any) -> np.ndarray:
        """The same of the artifact."""
        return self.rows(self.before.encoder, feature, value, opened(self.before).variables)

    def rows(self, encoder: Any, feature: str, value: Any, held: Any) -> np.ndarray:
        encoding = encoder.encodings[feature]
        row = int(encoding.table[encoding.coder.codes([value], "")[0]])
        offset = next(f.offset for f in encoder.layout.candidate.ids if f.feature == feature)
        return np.stack([np.asarray(held[name])[offset + row] for name in (TABLE, f"{TABLE}|m", f"{TABLE}|v")])

    @property
    def variables(self) -> dict[str, np.ndarray]:
        return {name: variable.numpy() for name, variable in named_variables(self.model).items()}

    def moments(self, name: str) -> dict[str, np.ndarray]:
        kept = kept_moments(self.model, named_variables(self.model))
        return {slot: v.numpy() for each in kept if each.name == name for slot, v in each.slots().items()}


def carried(before: Artifact, frame: pd.DataFrame, folder: Path, **changes: Any) -> Next:
    """What a fit of these rows starts from."""
    experiment, notes = config(**changes), []
    log, earlier = open_log(experiment, [file_of(frame)]), opened(before)
    check_carriable(experiment, earlier)
    prepared = prepare(experiment, log, folder, note=notes.append, earlier=earlier)
    model = build_model(experiment, prepared.encoder.layout, steps_per_epoch=3)
    carry_on(model, experiment, prepared.encoder, earlier, notes.append)
    return Next(model, prepared, "\n".join(notes), before)


def features(**changes: Any) -> dict[str, Any]:
    """The candidate's features with changes; None removes one."""
    changed = {**CONFIG["schema"]["candidate"], **changes}
    return {"candidate": {name: feature for name, feature in changed.items() if feature is not None}}


def test_an_id_keeps_its_embedding_and_its_moments_to_the_last_bit(first, tmp_path):
    after = carried(first, rows(2, "dddcba", 1), tmp_path)
    old, new = first.encoder.encodings["item"], after.prepared.encoder.encodings["item"]
    places = [int(e.table[e.coder.codes(["a"], "")[0]]) for e in (old, new)]
    assert places[0] != places[1]  # most frequent on the first day, and not on the second
    for feature, values in (("item", "abcd"), ("shelf", [0, 1, 2])):
        for value in values:
            kept = after.row(feature, value)
            np.testing.assert_array_equal(kept, after.earlier_row(feature, value))
            assert np.abs(kept).min() > 0  # it was trained
    assert "embedding rows of item: 6 stay, 0 are new, 0 leave" in after.notes
    assert "start fresh" not in after.notes


def test_all_other_variables_keep_their_values_and_moments_and_schedules_start_again(first, tmp_path):
    after = carried(first, rows(2, "abcd", 1), tmp_path)
    saved = opened(first)
    for name, value in after.variables.items():
        if not name.startswith("embedding/"):
            np.testing.assert_array_equal(value, saved.variables[name], err_msg=name)
    kept = list(kept_moments(after.model, named_variables(after.model)))
    assert {each.name for each in kept} == set(after.variables)
    for each in kept:
        assert each.optimizer.iterations.numpy() == saved.facts.iterations[each.name] == 6  # 160 rows in 64s, twice
    assert after.model.optimizer.step.numpy() == 0


def test_a_new_id_has_a_fresh_row_without_moments(first, tmp_path):
    after = carried(first, rows(2, "abcdn", 1), tmp_path)
    fresh = after.row("item", "n")
    assert np.abs(fresh[0]).max() <= 0.05
    assert (fresh[1:] == 0).all()
    assert "embedding rows of item: 6 stay, 1 are new, 0 leave" in after.notes


def test_an_expired_id_gives_its_row_back(first, tmp_path):
    after = carried(first, rows(4, "abc", 1), tmp_path)
    unknown = after.earlier_row("item", "unseen")
    np.testing.assert_array_equal(after.row("item", "d"), unknown)
    assert "embedding rows of item: 5 stay, 0 are new, 1 leave" in after.notes
    assert after.prepared.encoder.layout.tables[4] == first.encoder.layout.tables[4] - 1


def test_a_returning_id_that_has_expired_starts_again(first, tmp_path):
    output = tmp_path / "out"
    second = fit(config(), rows(4, "abc", 1), output=output, from_artifact=first, progress=False).export()
    assert second.manifest.chain is not None
    assert second.manifest.chain.parent.version == first.manifest.version
    assert second.manifest.version == first.manifest.version + 1  # in a folder of its own, too
    assert (second.manifest.chain.fits, second.manifest.chain.days) == (2, 4)
    after = carried(second, rows(5, "abcd", 2), tmp_path / "rows")
    returned = after.row("item", "d")
    assert np.abs(returned[0]).max() <= 0.05
    assert (returned[1:] == 0).all()
    np.testing.assert_array_equal(after.row("item", "a"), after.earlier_row("item", "a"))
    assert "embedding rows of item: 5 stay, 1 are new, 0 leave" in after.notes


def test_a_new_feature_starts_fresh_and_the_rows_of_other_inputs_stay(first, tmp_path):
    more = {"width": {"kind": "numeric", "column": "price", "transform": "none"}}
    changed = {"candidate": {**more, **features()["candidate"]}}
    after = carried(first, rows(2, "abcd", 1), tmp_path, **changed)
    saved = opened(first)
    name = next(n for n in after.variables if n.endswith("kernel_candidate"))
    columns = input_columns(after.prepared.encoder).candidate
    place = columns.index("width[0]")
    np.testing.assert_array_equal(np.delete(after.variables[name], place, axis=0), saved.variables[name])
    assert (after.moments(name)[f"{name}|m"][place] == 0).all()
    assert (after.variables[name][place] != 0).any()
    assert "new features: width" in after.notes
    assert "inputs have changed" in after.notes


def test_a_feature_that_is_gone_takes_its_inputs_along(first, tmp_path):
    after = carried(first, rows(2, "abcd", 1), tmp_path, **features(shelf=None))
    name = next(n for n in after.variables if n.endswith("kernel_candidate"))
    old, new = (input_columns(e).candidate for e in (first.encoder, after.prepared.encoder))
    kept = [place for place, column in enumerate(old) if column in new]
    np.testing.assert_array_equal(after.variables[name], opened(first).variables[name][kept])
    np.testing.assert_array_equal(after.row("item", "c"), after.earlier_row("item", "c"))
    assert "gone features: shelf" in after.notes


def test_statistics_of_the_last_days_join_the_inputs_of_a_later_fit(first, tmp_path):
    after = carried(first, rows(2, "abcd", 1), tmp_path, label_statistics={"of": ["item"], "windows": [1]})
    name = next(n for n in after.variables if n.endswith("kernel_candidate"))
    old, new = (input_columns(e).candidate for e in (first.encoder, after.prepared.encoder))
    assert [column for column in new if column not in old] == [
        f"label_statistics(item)[{part}, last 1 days]" for part in ("count", "click", "like")
    ]
    kept = [place for place, column in enumerate(new) if column in old]
    np.testing.assert_array_equal(after.variables[name][kept], opened(first).variables[name])
    (yesterday,) = after.prepared.encoder.statistics["item",].recent
    assert 0 < yesterday.totals.counts.sum() <= 160  # training rows of the later fit's day alone
    assert after.prepared.ids["label_statistics(item)"]["sums"][:, 0].sum() == yesterday.totals.counts.sum()


def test_a_removed_task_goes_and_the_others_stay(first, tmp_path):
    after = carried(first, rows(2, "abcd", 1), tmp_path, tasks={"like": {"kind": "binary"}})
    saved = opened(first).variables
    heads = [name for name in after.variables if name.startswith("heads/")]
    assert heads
    assert all(name.startswith("heads/like/") for name in heads)
    for name in heads:
        np.testing.assert_array_equal(after.variables[name], saved[name], err_msg=name)
    columns = input_columns(after.prepared.encoder).candidate
    assert [c for c in columns if c.startswith("label_statistics")] == [
        "label_statistics(item)[count]",
        "label_statistics(item)[like]",
    ]
    assert "gone tasks: click" in after.notes


def test_a_new_task_starts_with_a_fresh_head(first, tmp_path):
    tasks = {**CONFIG["schema"]["tasks"], "share": {"kind": "binary", "column": "like"}}
    after = carried(first, rows(2, "abcd", 1), tmp_path, tasks=tasks)
    saved = opened(first).variables
    fresh = [name for name in after.variables if name not in saved]
    assert fresh
    assert all(name.startswith("heads/share/") for name in fresh)
    assert f"{len(fresh)} of {len(after.variables)} variables start fresh: {fresh[0]}" in after.notes
    assert "new tasks: share" in after.notes


def test_a_smaller_vocabulary_keeps_the_ids_seen_last(first, tmp_path):
    smaller = features(item={"kind": "categorical", "dimension": 4, "max_size": 2})
    after = carried(first, rows(2, "bcc", 1), tmp_path, **smaller)
    for value in "bc":
        np.testing.assert_array_equal(after.row("item", value), after.earlier_row("item", value))
    for value in "ad":
        np.testing.assert_array_equal(after.row("item", value), after.earlier_row("item", "unseen"))
    assert "embedding rows of item: 4 stay, 0 are new, 2 leave" in after.notes


def test_another_embedding_width_is_refused_with_what_to_do(first, tmp_path):
    with pytest.raises(DataError) as refused:
        carried(first, rows(2, "abcd", 1), tmp_path, **features(item={"kind": "categorical", "dimension": 8}))
    message = str(refused.value)
    assert message.startswith("schema.candidate.item.dimension: is 8, but 4 in ")
    assert message.endswith("Keep dimension: 4, or train from scratch, without --from")


def test_embeddings_drawn_anew_in_each_epoch_are_refused(first):
    experiment = checked({**CONFIG, "embedding": {"reinitialise_each_epoch": True}})
    with pytest.raises(DataError, match=r"embedding.reinitialise_each_epoch: would draw .* or training.epochs to 1"):
        check_carriable(experiment, opened(first))


def test_a_day_without_positives_teaches_nothing_and_is_reported(first, tmp_path):
    after = carried(first, rows(2, "abcd", 1).assign(like=0), tmp_path)
    assert "caution: tasks.like: no label is 1" in after.notes
    tasks = {**CONFIG["schema"]["tasks"], "share": {"kind": "binary"}}
    with pytest.raises(DataError, match=r"tasks.share: no label is 1 .* nothing to learn"):
        carried(first, rows(2, "abcd", 1).assign(share=0), tmp_path / "share", tasks=tasks)


def test_a_corrupt_state_file_is_refused(first, tmp_path):
    output = tmp_path / "copy"
    copy = with_state(first, output)
    assert opened(copy).facts == opened(first).facts
    file = copy.folder / "state" / "variables.npz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"state/variables.npz: differs from what was exported"):
        fit(config(), rows(2, "abcd", 1), output=tmp_path / "out", from_artifact=output, progress=False)
    file.unlink()
    with pytest.raises(ArtifactError, match=r"state/variables.npz: is missing"):
        opened(load(output))  # which does not need it


def test_an_artifact_without_state_is_refused_with_what_to_do(first, tmp_path):
    copy = with_state(first, tmp_path / "copy")
    manifest = orjson.loads((copy.folder / "manifest.json").read_bytes())
    manifest["files"] = {name: sha for name, sha in manifest["files"].items() if not name.startswith("state/")}
    (copy.folder / "manifest.json").write_bytes(orjson.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"has no state/, which a fit needs .* Train from scratch, without --from"):
        opened(load(copy.folder))


def with_state(artifact: Artifact, folder: Path) -> Artifact:
    """A copy of an artifact."""
    shutil.copytree(artifact.folder, folder / "1")
    return load(folder)


def test_days_counted_otherwise_are_refused(first, tmp_path):
    earlier = opened(first)
    experiment = checked({**CONFIG, "daily": {}})
    log = open_log(experiment, [file_of(rows(2, "abcd", 1))])
    with pytest.raises(DataError, match=r"counted days by column 'date' \(times\), and this fit by fits"):
        prepare(experiment, log, tmp_path, earlier=earlier)


def test_rows_of_a_day_that_was_trained_on_and_far_moves_are_reported(first, tmp_path):
    after = carried(first, rows(1, "abcd", 1).assign(price=lambda frame: frame["price"] + 9), tmp_path)
    assert "rows that it has seen count twice" in after.notes
    assert "'price' has moved far" in after.notes
    assert "kept; daily.refit_scales: true fits it again" in after.notes


def test_a_day_without_a_label_of_a_task_is_a_warning_with_weights_too(first, tmp_path):
    frame = rows(2, "abcd", 1).assign(like=np.nan, counts=1.0)
    after = carried(first, frame, tmp_path, sample_weight="counts")
    assert "caution: tasks.like: no label is known in the" in after.notes
    with pytest.raises(DataError, match=r"tasks\.click: no training row counts"):
        carried(first, rows(2, "abcd", 1).assign(counts=0.0), tmp_path / "zero", sample_weight="counts")


def test_a_row_of_the_far_future_is_refused_before_it_makes_all_ids_expire(first, tmp_path):
    frame = rows(2, "abcd", 1)
    frame.loc[7, "date"] = "2099-01-01"
    split = {"data": {"split": {"by": "group", "column": "item", "fraction": 0.2}}}
    log = open_log(config(), [file_of(frame)])
    experiment = checked({**CONFIG, **split})
    with pytest.raises(DataError, match=r"row 7, column 'date': 2099-01-01 lies more than 366 days after 2026-01-02"):
        prepare(experiment, log, tmp_path, earlier=opened(first))


def test_the_rows_of_a_table_in_shards_are_read_anew_each_time():
    whole = np.arange(10, dtype=np.float32).reshape(5, 2)
    rows_of_it = _read(ShardedTable([tf.Variable(whole[:3]), tf.Variable(whole[3:])]))
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate(list(rows_of_it.parts())), whole)
    assert (rows_of_it.shape, rows_of_it.dtype) == ((5, 2), np.float32)
