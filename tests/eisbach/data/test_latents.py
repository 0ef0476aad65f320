from dataclasses import replace

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


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 6), st.integers(0, 2))
def test_with_lengths_an_epoch_still_shows_every_clip_at_most_once(lengths, batch, seed):
    batch = min(batch, len(lengths))
    steps = len(lengths) // batch
    shown = [latents.order(len(lengths), batch, seed, step, torch.tensor(lengths)) for step in range(steps)]
    assert len(torch.cat(shown).unique()) == steps * batch
    buckets = [(torch.tensor(lengths)[rows] - 1) // latents.BUCKET for rows in shown]
    mixed = sum(len(bucket.unique()) > 1 for bucket in buckets)
    kinds = len({(length - 1) // latents.BUCKET for length in lengths})
    assert mixed * batch <= kinds * (batch - 1)  # no more than what full batches cannot take


@given(st.integers(1, 50), st.integers(1, 8), st.integers(0, 3), st.integers(0, 20))
def test_equal_lengths_change_no_order(count, batch, seed, step):
    batch = min(batch, count)
    equal = latents.order(count, batch, seed, step, torch.full((count,), 7))
    assert torch.equal(equal, latents.order(count, batch, seed, step))


def test_a_batch_is_cut_to_its_longest_clip_and_keeps_what_is_valid(tiny_archive):
    lengths = torch.arange(24) % 12 + 1
    masked = replace(tiny_archive, mask=torch.arange(12) < lengths[:, None])
    batch = masked.batch(4, 0, 1)
    rows = [int(name.split("-")[1]) for name in batch.clips["clip_id"]]
    longest = max(lengths[rows])
    assert batch.latents.shape[-1] == batch.mask.shape[1] == longest
    assert torch.equal(batch.latents, masked.latents[rows][..., :longest])
    assert batch.mask.sum(1).tolist() == lengths[rows].tolist()
