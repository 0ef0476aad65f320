import pandas as pd
import pytest

from eisbach.data import manifest
from eisbach.errors import UserError


def row(name, piece="p", split="base", **more):
    facts = {"caption": "c", "aspect_list": ["a", "b"], "seconds": 10.0, "licence": "l", "sha256": "0"}
    return {"clip_id": name, "source": "scores", "piece": piece, "split": split, **facts, **more}


def test_rows_come_back_with_their_own_columns(tmp_path):
    known = {"contrast": 0.5, "contrast_class": "middle", "contrast_source": "measured"}
    rows = [row("a", **known, key="C major"), row("b", key="")]
    manifest.write(rows, tmp_path / "m.parquet")
    back = manifest.read(tmp_path / "m.parquet")
    assert back[0] == {**rows[0]}
    assert back[1]["contrast"] is None


@pytest.mark.parametrize(
    ("rows", "said"),
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
def test_a_faulty_manifest_is_refused(tmp_path, rows, said):
    with pytest.raises(ValueError, match=said):
        manifest.write(rows, tmp_path / "m.parquet")


def test_missing_and_damaged_manifests_are_named(tmp_path):
    with pytest.raises(UserError, match="missing"):
        manifest.read(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(UserError, match="damaged"):
        manifest.read(tmp_path / "bad.parquet")


def test_a_manifest_that_was_changed_by_hand_is_refused(tmp_path):
    manifest.write([row("a"), row("b")], tmp_path / "m.parquet")
    table = pd.read_parquet(tmp_path / "m.parquet")
    for spoilt, said in (
        (table.assign(clip_id="a"), "clip_id"),
        (table.drop(columns="licence"), "lacks the columns licence"),
        (table.assign(seconds="ten"), "wrong type .*ten"),
    ):
        spoilt.to_parquet(tmp_path / "spoilt.parquet")
        with pytest.raises(UserError, match=said):
            manifest.read(tmp_path / "spoilt.parquet")
