import pandas as pd
import pytest

from eisbach.data import manifest
from eisbach.errors import UserError


def row(name, piece="p", split="base", **more):
    facts = {"caption": "c", "aspect_list": ["a", "b"], "seconds": 10.0, "licence": "l", "sha256": "0"}
    return {"clip_id": name, "source": "scores", "piece": piece, "split": split, **facts, **more}


def test_rows_come_back_with_added_columns_and_nulls(tmp_path):
    known = {"contrast": 0.5, "contrast_class": "middle", "contrast_source": "measured"}
    rows = [row("a", **known, key="C major"), row("b", key="")]
    manifest.write(rows, tmp_path / "m.parquet")
    assert manifest.read(tmp_path / "m.parquet") == [rows[0], {**rows[1], **dict.fromkeys(known)}]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one row"),
        ([row("a"), row("a")], "clip a of piece p breaks 'field_uniqueness' of clip_id"),
        ([row("a"), row("b", split="heldout")], "piece p breaks 'every piece in one split'"),
        ([row("a"), row("b", contrast=1.5)], r"clip b .* 'in_range\(0, 1\)' of contrast"),
        ([row("a", contrast_class="loud")], "of contrast_class"),
        ([row("a", contrast_source="guessed")], "of contrast_source"),
        ([row("a", source="radio")], "of source"),
        ([row("a", seconds=0.0)], "of seconds"),
        ([row("a", caption=None)], "clip a .* breaks 'not_nullable' of caption"),
    ],
)
def test_invalid_rows_are_refused(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        manifest.write(rows, tmp_path / "m.parquet")


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.parquet is missing"):
        manifest.read(tmp_path / "none.parquet")


def test_a_damaged_manifest_is_named(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"bad\.parquet is damaged"):
        manifest.read(tmp_path / "bad.parquet")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.assign(clip_id="a"), "clip_id"),
        (lambda table: table.drop(columns="licence"), "lacks the columns licence"),
        (lambda table: table.assign(seconds="ten"), "wrong type .*ten"),
    ],
)
def test_a_manifest_that_was_changed_by_hand_is_refused(tmp_path, change, message):
    manifest.write([row("a"), row("b")], tmp_path / "m.parquet")
    change(pd.read_parquet(tmp_path / "m.parquet")).to_parquet(tmp_path / "changed.parquet")
    with pytest.raises(UserError, match=message):
        manifest.read(tmp_path / "changed.parquet")


def test_counts_are_by_split_and_class():
    rows = [
        row("a", "p", "base", contrast_class="flat"),
        row("b", "q", "heldout", contrast_class="flat"),
        row("c", "q", "heldout", contrast_class="contrast"),
    ]
    assert manifest.counts(rows) == {
        "clips": 3,
        "pieces": 2,
        "clips_by_split": {"base": 1, "heldout": 2},
        "clips_by_class": {"flat": 2, "contrast": 1},
    }
