"""The oracle is stable-audio-tools' own `generate`, on a checkpoint in the released layout at small widths."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from stable_audio_tools.inference.generation import generate_diffusion_cond_inpaint

from eisbach.inference.generate import denoise, generate, written
from eisbach.models import released, sampling
from tests import checkpoints
from tests.settings import PARAMS

CAPTIONS, SECONDS, SEED = ["a slow piano", "drums"], 2.0, 3
STABILITY = replace(PARAMS.generate, apg=1.0, schedule="sampling", headroom_seconds=6.0, noises=1)


@pytest.fixture(scope="module")
def model(released_folder):
    return released.load(released_folder, accept=checkpoints.NARROWED)


def stability(model, settings, captions=CAPTIONS, seconds=(SECONDS, SECONDS)):
    """Latents of Stability's own function, from the noise that torch's global generator draws for SEED."""
    conditioning = [{"prompt": text, "seconds_total": each} for text, each in zip(captions, seconds, strict=True)]
    negative = [entry | {"prompt": settings.negative_prompt} for entry in conditioning]
    with torch.no_grad(), torch.random.fork_rng():
        return generate_diffusion_cond_inpaint(
            model,
            settings.steps,
            settings.cfg_scale,
            conditioning=conditioning,
            negative_conditioning=negative if settings.negative_prompt else None,
            batch_size=len(captions),
            sample_size=384 * 44100,
            seed=SEED,
            device="cpu",
            return_latents=True,
            duration_padding_sec=settings.headroom_seconds,
            apg_scale=settings.apg,
            dist_shift=model.dist_shift if settings.schedule == "training" else None,
            disable_tqdm=True,
        )


def ours(model, settings):
    asked = sampling.lengthened(model, written(model, CAPTIONS, SECONDS), settings.headroom_seconds)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        noise = torch.randn(asked.latents.shape)
    return denoise(model, asked, settings, [noise])[0]


CASES = [
    *product((1.0, 3.0, 7.0), (1, 2, 8), (1.0,), ("sampling",), ("",), (6.0,)),
    *product((3.0,), (2,), (0.0, 1.0), ("training", "sampling"), ("",), (6.0,)),
    (3.0, 2, 0.4, "sampling", "", 6.0),
    *product((3.0,), (2,), (0.0, 1.0), ("training", "sampling"), ("noise, hum",), (6.0, 0.0)),
]


@pytest.mark.parametrize(("scale", "steps", "apg", "schedule", "negative", "headroom"), CASES)
def test_samples_are_those_of_stability_s_generate(theirs, model, scale, steps, apg, schedule, negative, headroom):
    settings = replace(
        STABILITY,
        cfg_scale=scale,
        steps=steps,
        apg=apg,
        schedule=schedule,
        negative_prompt=negative,
        headroom_seconds=headroom,
    )
    expected = stability(theirs, settings)
    assert expected.shape[-1] == (-(-8 * 44100 // 4096) if headroom else -(-2 * 44100 // 4096))
    torch.testing.assert_close(ours(model, settings), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [{"apg": 0.0}, {"apg": 0.5}, {"schedule": "training"}, {"negative_prompt": "hum"}, {"cfg_scale": 1.0}],
    ids=str,
)
def test_every_setting_changes_the_samples(model, change):
    usual = replace(STABILITY, steps=4)
    assert not torch.allclose(ours(model, usual), ours(model, replace(usual, **change)), atol=1e-3)


def test_headroom_is_cut_off_and_changes_the_samples(model):
    clips = written(model, CAPTIONS, SECONDS)
    longer, exact = (
        generate(model, clips, replace(STABILITY, steps=2, headroom_seconds=seconds), 0) for seconds in (6.0, 0.0)
    )
    assert longer.shape == exact.shape == (2, 1, *clips.latents.shape[1:])
    assert not torch.allclose(longer, exact, atol=1e-3)


def test_clips_of_different_length_follow_the_training_shift_of_their_own_length(theirs, model):
    lengths = torch.tensor([120.0, 300.0])
    clips = written(model, CAPTIONS, 300.0)
    clips = replace(clips, clips=clips.clips.assign(seconds=lengths.tolist()))
    times = sampling.times(model, clips, 3300, 4, "training")
    effective = torch.tensor([-(-int(seconds * 44100) // 4096) for seconds in lengths.tolist()])
    expected = theirs.dist_shift.shift(torch.linspace(1, 0, 5), effective.float())
    torch.testing.assert_close(times.T, expected, rtol=1e-5, atol=1e-6)
    assert times[0].eq(1).all()


def test_an_unknown_schedule_is_refused(model):
    with pytest.raises(ValueError, match="schedule must be training or sampling, not 'cosine'"):
        sampling.times(model, written(model, CAPTIONS, 1.0), 11, 2, "cosine")
