import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eisbach.data import latents
from eisbach.errors import UserError


def test_the_archive_comes_back_as_it_was_written(tmp_path, tiny_archive):
    path = tmp_path / "archive.safetensors"
    latents.save(path, tiny_archive)
    back = latents.load(path)
    assert back.clips.equals(tiny_archive.clips)
    for name in ("latents", "mask", "states", "token_mask", "pooled"):
        assert torch.equal(getattr(back, name), getattr(tiny_archive, name))


def test_writing_twice_gives_the_same_bytes(tmp_path, tiny_archive):
    for name in ("a", "b"):
        latents.save(tmp_path / name, tiny_archive)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_rows_keep_tensors_and_table_together(tiny_archive):
    some = tiny_archive.rows(torch.tensor([5, 2]))
    assert some.clips["clip_id"].tolist() == ["clip-5", "clip-2"]
    assert torch.equal(some.latents[1], tiny_archive.latents[2])


def test_a_split_without_clips_names_its_key(tiny_archive):
    with pytest.raises(UserError, match=r"prepare\.clips\.other"):
        tiny_archive.split("other")


def test_missing_and_damaged_archives_are_named(tmp_path):
    with pytest.raises(UserError, match="missing"):
        latents.load(tmp_path / "none")
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match="damaged"):
        latents.load(path)


@given(st.integers(1, 50), st.integers(1, 8), st.integers(0, 3))
def test_an_epoch_shows_every_clip_at_most_once(count, batch, seed):
    if batch > count:
        with pytest.raises(UserError, match="lower the batch"):
            latents.order(count, batch, seed, 0)
        return
    steps = count // batch
    shown = torch.cat([latents.order(count, batch, seed, step) for step in range(steps)])
    assert len(shown.unique()) == steps * batch


def test_order_depends_on_seed_and_epoch():
    first = latents.order(100, 100, 0, 0)
    assert torch.equal(first, latents.order(100, 100, 0, 0))
    assert not torch.equal(first, latents.order(100, 100, 1, 0))
    assert not torch.equal(first, latents.order(100, 100, 0, 1))
