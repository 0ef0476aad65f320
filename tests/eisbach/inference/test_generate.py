from dataclasses import replace

import torch

from eisbach.inference.generate import generate, prompts
from tests.settings import PARAMS


def sampled(noises, steps, scale, **changes):
    return replace(PARAMS.generate, noises=noises, steps=steps, cfg_scale=scale, **changes)


def test_prompts_reach_from_the_smallest_to_the_largest_contrast(tiny_archive):
    chosen = prompts(tiny_archive, 3).clips["contrast"]
    contrast = tiny_archive.clips["contrast"]
    assert chosen.iloc[0] == contrast.min()
    assert chosen.iloc[-1] == contrast.max()


def test_more_prompts_than_clips_are_all_clips(tiny_archive):
    chosen = prompts(tiny_archive, 1000).clips["clip_id"]
    assert sorted(chosen) == sorted(tiny_archive.clips["clip_id"])


def test_equal_noise_seeds_give_equal_samples_and_different_ones_different_samples(tiny_model, tiny_archive):
    clips = prompts(tiny_archive, 2)
    first, again, other = (generate(tiny_model, clips, sampled(2, 3, 2.0), noise_seed) for noise_seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_guidance_moves_samples_of_different_prompts_further_apart(tiny_model, tiny_archive):
    """From the same noise, whose own differences would hide those of the prompts."""
    clips = prompts(tiny_archive, 2)
    distances = []
    for scale in (1.0, 4.0):
        one, other = (generate(tiny_model, clips.rows(torch.tensor([row])), sampled(1, 3, scale), 0) for row in (0, 1))
        distances.append((one - other).norm())
    assert distances[1] > 1.5 * distances[0]


def test_more_samples_do_not_change_the_first(tiny_model, tiny_archive):
    clips = prompts(tiny_archive, 2)
    few, many = (generate(tiny_model, clips, sampled(noises, 2, 2.0), 0) for noises in (1, 3))
    assert torch.equal(few[:, 0], many[:, 0])


def test_samples_of_one_prompt_differ(tiny_model, tiny_archive):
    samples = generate(tiny_model, prompts(tiny_archive, 2), sampled(2, 2, 2.0), 0)
    assert not torch.equal(samples[:, 0], samples[:, 1])
