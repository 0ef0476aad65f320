import os

import pytest

from eisbach.data.fingerprint import fingerprint
from eisbach.errors import UserError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "music"
    (root / "sub").mkdir(parents=True)
    for name in ("a.wav", "a.txt", "sub/b.wav"):
        (root / name).write_text(name)
    return root


def test_every_change_of_the_folder_changes_the_fingerprint(folder, tmp_path):
    cache, seen = tmp_path / "cache.json", []

    def look():
        seen.append(fingerprint(folder, cache))
        assert fingerprint(folder, cache) == fingerprint(folder, tmp_path / "empty.json") == seen[-1]
        (tmp_path / "empty.json").unlink()

    look()
    (folder / "a.txt").write_text("x.wav")
    look()
    (folder / "a.txt").rename(folder / "c.txt")
    look()
    (folder / "gone.wav").symlink_to("nowhere")
    look()
    away = tmp_path / "away"
    away.mkdir()
    (away / "d.wav").write_text("d")
    (folder / "linked").symlink_to(away)
    look()
    (away / "d.wav").write_text("e")
    look()
    os.rename(folder / "c.txt", os.fsencode(folder) + b"/caf\xe9.txt")
    look()
    (folder / "sub" / "b.wav").unlink()
    look()
    assert all(one != other for index, one in enumerate(seen) for other in seen[:index])
    assert seen[-1].keys() == {"a.wav", "gone.wav", "linked/d.wav", "caf\\xe9.txt"}


def test_one_file_is_its_hash(folder, tmp_path):
    assert list(fingerprint(folder / "a.wav", tmp_path / "cache.json")) == ["a.wav"]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(UserError, match=r"params\.yaml names '.*none', .* no such file or folder"):
        fingerprint(tmp_path / "none", tmp_path / "cache.json")
