"""The draws of a step, against those of Stability's code. test_stability_step.py compares whole steps."""

import contextlib
import io
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from stable_audio_tools.models.inpainting import random_inpaint_mask

from eisbach import flow
from eisbach.training.draws import cropped, draw, extended, inpainting
from tests import stability_trainer
from tests.settings import PARAMS

RELEASED = replace(
    PARAMS.finetune,
    rank=4,
    alpha=4.0,
    batch=4,
    steps=1,
    ot_coupling=True,
    silence_extension=0.3,
    inpainting=(0.4, 0.3, 0.3),
    context_loss=1.0,
)


@pytest.fixture
def archive(tiny_archive):
    """Clips of three lengths in one bucket."""
    lengths = torch.tensor([6, 9, 11]).repeat(8)
    return replace(tiny_archive, mask=torch.arange(tiny_archive.mask.shape[1]) < lengths[:, None])


def test_draws_do_not_depend_on_the_global_generators(archive):
    with torch.random.fork_rng():
        found = []
        for state in (0, 1):
            torch.manual_seed(state)
            random.seed(state)
            found.append(draw(archive, RELEASED, 3, 2))
    for name in ("noise", "t", "dropped", "valid", "kept"):
        assert torch.equal(getattr(found[0], name), getattr(found[1], name))


@pytest.mark.parametrize(("seed", "step"), [(3, 3), (4, 2)])
def test_another_step_or_seed_has_other_draws(archive, seed, step):
    first, other = draw(archive, RELEASED, 3, 2), draw(archive, RELEASED, seed, step)
    for name in ("noise", "t", "kept"):
        assert not torch.equal(getattr(first, name), getattr(other, name))


def test_a_setting_that_is_off_changes_no_other_draw(archive):
    plain = draw(archive, replace(PARAMS.finetune, batch=4), 3, 2)
    released = draw(archive, replace(RELEASED, ot_coupling=False, silence_extension=0.0), 3, 2)  # of equal length
    for name in ("noise", "t", "dropped"):
        assert torch.equal(getattr(plain, name), getattr(released, name))


def test_the_default_generates_the_whole_clip_without_silence(archive):
    plain = draw(archive, replace(PARAMS.finetune, batch=4), 3, 2)
    assert torch.equal(plain.valid, plain.clips.mask)
    assert torch.equal(plain.mask, plain.clips.mask)


def coupled_by_hand(data, noise):
    """Sinkhorn in float64 numpy, then the greedy assignment."""
    cost = ((data[:, None] - noise[None]) ** 2).sum(-1)
    plan = -cost / cost.mean()
    for _ in range(20):
        plan = plan - logsumexp(plan, axis=1, keepdims=True)
        plan = plan - logsumexp(plan, axis=0, keepdims=True)
    free = list(range(len(noise)))
    chosen = []
    for row in plan:
        chosen.append(max(free, key=lambda column: row[column]))
        free.remove(chosen[-1])
    return chosen


@given(st.integers(2, 8), st.integers(0, 10**6))
def test_coupling_is_the_released_permutation(count, seed):
    generator = torch.Generator().manual_seed(seed)
    data, noise = torch.randn(2, count, 3, 5, generator=generator, dtype=torch.float64)
    coupled = flow.couple(data, noise)
    chosen = coupled_by_hand(data.flatten(1).numpy(), noise.flatten(1).numpy())
    assert sorted(chosen) == list(range(count))
    assert torch.equal(coupled, noise[chosen])


def test_coupling_reduces_the_distance_of_data_and_noise():
    generator = torch.Generator().manual_seed(0)
    data, noise = torch.randn(2, 64, 2, 3, generator=generator)
    assert (data - flow.couple(data, noise)).square().mean() < 0.7 * (data - noise).square().mean()


@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.integers(0, 10**6))
def test_inpainting_masks_are_the_released_ones(lengths, seed):
    valid = torch.arange(30) < torch.tensor(lengths)[:, None]
    ours = inpainting(valid, (0.4, 0.3, 0.3), random.Random(seed))
    random.seed(seed)
    _, theirs = random_inpaint_mask(
        torch.ones(len(lengths), 1, 30), valid, mask_type_probabilities=[0.4, 0.3, 0.3], mask_padding=True
    )
    assert torch.equal(ours, theirs.squeeze(1).bool() & valid)


def test_the_mean_extension_is_the_setting():
    mask = torch.arange(20000) < 100
    longer = extended(mask.expand(4000, -1), 4.0, torch.Generator().manual_seed(0)).sum(1) - 100.0
    assert longer.min() >= 0
    assert longer.mean() == pytest.approx(4.0 * 44100 / 4096 - 0.5, rel=0.05)  # whole latents, rounded down


def test_zero_seconds_of_silence_extend_nothing():
    mask = torch.arange(20) < torch.tensor([[3], [20]])
    assert torch.equal(extended(mask, 0.0, torch.Generator()), mask)


@pytest.fixture(scope="module")
def pre_encoded(tmp_path_factory):
    """(lengths, latents a crop) -> Stability's data set of random latents with such lengths, padded by 3 latents."""
    folder = tmp_path_factory.mktemp("encoded")
    dataset = stability_trainer.module("data.dataset")

    def of(lengths, crop):
        for file in folder.iterdir():
            file.unlink()
        for index, length in enumerate(lengths):
            latents = np.random.default_rng(index).normal(size=(2, max(lengths) + 3)).astype(np.float32)
            np.save(folder / f"{index}.npy", latents)
            mask = [1] * length + [0] * (latents.shape[1] - length)
            facts = {"padding_mask": mask, "seconds_total": math.ceil(length * 4096 / 44100)}
            (folder / f"{index}.json").write_text(json.dumps(facts))
        with contextlib.redirect_stdout(io.StringIO()):
            made = dataset.PreEncodedDataset(
                [dataset.LatentDatasetConfig(id="train", path=str(folder))], latent_crop_length=crop, random_crop=True
            )
        made.filenames.sort(key=lambda names: int(Path(names[0]).stem))
        return made

    return of


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 45), st.integers(0, 10**6))
def test_crops_are_those_of_stability_s_loader(pre_encoded, tiny_archive, lengths, crop, seed):
    theirs = pre_encoded(lengths, crop)
    latents = torch.stack([torch.from_numpy(np.load(name)) for name, _ in theirs.filenames])
    rows = tiny_archive.rows(torch.arange(len(lengths)))
    clips = replace(
        rows,
        clips=rows.clips.assign(seconds=[length * 4096 / 44100 for length in lengths]),
        latents=latents,
        mask=torch.arange(latents.shape[2]) < torch.tensor(lengths).unsqueeze(1),
    )
    ours = cropped(clips, (crop + 0.5) * 4096 / 44100, random.Random(seed))
    random.seed(seed)
    for index in range(len(lengths)):
        wanted, facts = theirs[index]
        width = ours.latents.shape[2]  # theirs is padded to the crop, also beyond the longest clip
        assert torch.equal(ours.latents[index], wanted[:, :width])
        assert ours.mask[index].tolist() == [one == 1 for one in facts["padding_mask"][0][:width].tolist()]
        assert not facts["padding_mask"][0][width:].any()
        assert ours.seconds[index] == facts["seconds_total"]


def test_crops_are_shared_by_the_arms_and_differ_between_steps_and_seeds(archive):
    cut = replace(RELEASED, crop_seconds=0.5)
    first = draw(archive, cut, 3, 2)
    assert first.noise.shape[2] == first.clips.latents.shape[2] == 5
    assert torch.equal(first.clips.latents, draw(archive, cut, 3, 2).clips.latents)
    for seed, step in ((3, 3), (4, 2)):
        assert not torch.equal(first.clips.latents, draw(archive, cut, seed, step).clips.latents)


def test_a_crop_as_long_as_the_clips_changes_no_draw(archive):
    whole, cut = draw(archive, RELEASED, 3, 2), draw(archive, replace(RELEASED, crop_seconds=380.0), 3, 2)
    for name in ("noise", "dropped", "valid", "kept", "mask"):
        assert torch.equal(getattr(whole, name), getattr(cut, name))
    assert torch.equal(whole.clips.latents, cut.clips.latents)


def test_silence_reaches_beyond_the_longest_clip_of_the_batch(archive):
    lengths = torch.tensor([6, 7, 6] * 8)
    short = replace(archive, mask=torch.arange(archive.mask.shape[1]) < lengths[:, None])
    plain, longer = (draw(short, replace(RELEASED, silence_extension=one), 3, 0) for one in (0.0, 30.0))
    assert plain.valid.shape[1] <= 7
    assert longer.valid.shape[1] == archive.mask.shape[1]
    assert longer.valid.sum() > plain.valid.sum()
