from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eisbach.data import latents
from eisbach.errors import UserError

TENSORS = ("latents", "mask", "states", "token_mask", "pooled")


def test_the_archive_comes_back_as_it_was_written(tmp_path, tiny_archive):
    path = tmp_path / "archive.safetensors"
    latents.save(path, tiny_archive)
    back = latents.load(path)
    assert back.clips.equals(tiny_archive.clips)
    assert all(torch.equal(getattr(back, name), getattr(tiny_archive, name)) for name in TENSORS)


def test_writing_twice_gives_the_same_bytes(tmp_path, tiny_archive):
    for name in ("a", "b"):
        latents.save(tmp_path / name, tiny_archive)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_rows_keep_tensors_and_table_together(tiny_archive):
    some = tiny_archive.rows(torch.tensor([5, 2]))
    assert some.clips["clip_id"].tolist() == ["clip-5", "clip-2"]
    for name in TENSORS:
        assert torch.equal(getattr(some, name), getattr(tiny_archive, name)[[5, 2]])


def test_a_split_without_clips_names_its_key(tiny_archive):
    with pytest.raises(UserError, match=r"prepare\.clips\.other"):
        tiny_archive.split("other")


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(UserError, match="none is missing"):
        latents.load(tmp_path / "none")


def test_a_damaged_archive_is_named(tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match=r"broken\.safetensors is damaged"):
        latents.load(path)


@given(st.integers(1, 50), st.integers(1, 8), st.integers(0, 3))
def test_an_epoch_has_every_clip_at_most_once(count, batch, seed):
    batch = min(batch, count)
    steps = count // batch
    epoch = torch.cat([latents.batch_index(count, batch, seed, step) for step in range(steps)])
    assert len(epoch.unique()) == steps * batch


@given(st.integers(1, 50), st.integers(1, 8))
def test_a_batch_larger_than_the_split_is_refused(count, excess):
    with pytest.raises(UserError, match="lower the batch"):
        latents.batch_index(count, count + excess, 0, 0)


def test_equal_seeds_and_epochs_give_equal_batches():
    assert torch.equal(latents.batch_index(100, 10, 0, 3), latents.batch_index(100, 10, 0, 3))


@pytest.mark.parametrize(("seed", "epoch"), [(1, 0), (0, 1)])
def test_another_seed_or_epoch_gives_another_permutation(seed, epoch):
    assert not torch.equal(latents.batch_index(100, 100, 0, 0), latents.batch_index(100, 100, seed, epoch))


LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=40)


def epoch_with_lengths(lengths, batch, seed):
    steps = len(lengths) // batch
    return [latents.batch_index(len(lengths), batch, seed, step, torch.tensor(lengths)) for step in range(steps)]


@given(LENGTHS, st.integers(1, 6), st.integers(0, 2))
def test_with_lengths_an_epoch_has_every_clip_at_most_once(lengths, batch, seed):
    batch = min(batch, len(lengths))
    assert len(torch.cat(epoch_with_lengths(lengths, batch, seed)).unique()) == len(lengths) // batch * batch


@given(LENGTHS, st.integers(1, 6), st.integers(0, 2))
def test_only_the_clips_left_in_the_buckets_share_a_batch_across_lengths(lengths, batch, seed):
    batch = min(batch, len(lengths))
    buckets = (torch.tensor(lengths) - 1) // latents.BUCKET
    mixed = sum(len(buckets[rows].unique()) > 1 for rows in epoch_with_lengths(lengths, batch, seed))
    assert mixed * batch <= len(buckets.unique()) * (batch - 1)  # each bucket leaves at most batch - 1 clips


@given(st.integers(1, 50), st.integers(1, 8), st.integers(0, 3), st.integers(0, 20))
def test_equal_lengths_change_no_batch(count, batch, seed, step):
    batch = min(batch, count)
    equal = latents.batch_index(count, batch, seed, step, torch.full((count,), 7))
    assert torch.equal(equal, latents.batch_index(count, batch, seed, step))


def test_a_batch_is_cut_to_its_longest_clip(tiny_archive):
    lengths = torch.arange(24) % 12 + 1
    masked = replace(tiny_archive, mask=torch.arange(12) < lengths[:, None])
    batch = masked.batch(4, 0, 1)
    rows = [int(name.split("-")[1]) for name in batch.clips["clip_id"]]
    longest = max(lengths[rows])
    assert batch.latents.shape[-1] == batch.mask.shape[1] == longest
    assert torch.equal(batch.latents, masked.latents[rows][..., :longest])
    assert batch.mask.sum(1).tolist() == lengths[rows].tolist()
