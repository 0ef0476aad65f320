import pytest

from eisbach.data import manifest
from eisbach.errors import UserError


def row(name, piece="p", split="base", **more):
    facts = {"caption": "c", "aspect_list": ["a", "b"], "seconds": 10.0, "licence": "l", "sha256": "0"}
    return {"clip_id": name, "source": "scores", "piece": piece, "split": split, **facts, **more}


def test_rows_come_back_with_their_own_columns(tmp_path):
    rows = [row("a", contrast=0.5, contrast_class="middle", key="C major"), row("b", key="")]
    manifest.write(rows, tmp_path / "m.parquet")
    back = manifest.read(tmp_path / "m.parquet")
    assert back[0] == {**rows[0]}
    assert back[1]["contrast"] is None


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "at least one row"),
        ([row("a"), row("a")], "clip_id a stands twice"),
        ([row("a"), row("b", split="heldout")], "piece p is both in base and in heldout"),
        ([row("a", caption=None)], "clip a lacks caption"),
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
