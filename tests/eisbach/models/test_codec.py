import math

import pytest
import torch

from eisbach.models.codec import FLOOR, FRAMES, MelPatchCodec

RATE = 44100


def music(seconds=3.0, seed=0):
    """Chords with moving loudness, [2, samples]."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(int(seconds * RATE)) / RATE
    tones = 110 * 2 ** (torch.randint(0, 36, (5, 1), generator=generator) / 12)
    loudness = 0.05 * (1 + torch.sin(2 * math.pi * torch.rand(5, 1, generator=generator) * time))
    mono = (loudness * torch.sin(2 * math.pi * tones * time)).sum(0)
    return torch.stack([mono, 0.5 * mono])


@pytest.fixture(scope="module")
def codec():
    codec = MelPatchCodec(64)
    return codec.fit(codec.log_mel(music(seed=seed)[None]) for seed in range(12))


def test_a_latent_is_4096_samples(codec):
    for samples, latents in ((4096, 1), (4097, 2), (441000, 108)):
        assert codec.encode(torch.zeros(1, 2, samples)).shape == (1, 64, latents)


def test_patches_invert():
    codec = MelPatchCodec(8, mels=16)
    log_mel = torch.randn(2, 16, 12)
    assert torch.equal(codec.unpatch(codec.patches(log_mel)), log_mel)


def test_with_all_principal_directions_the_log_mel_is_reconstructed():
    codec = MelPatchCodec(16 * FRAMES, mels=16)
    log_mels = [codec.log_mel(music(seed=seed)[None]) for seed in range(6)]
    codec.fit(log_mels)
    torch.testing.assert_close(
        codec.reconstruct(codec.project(codec.patches(log_mels[0]))), log_mels[0], atol=2e-3, rtol=0
    )


def test_latents_of_the_fitted_data_have_unit_variance_and_no_correlation(codec):
    latents = torch.cat([codec.encode(music(seed=seed)[None]) for seed in range(12)])
    rows = latents.permute(0, 2, 1).reshape(-1, 64)
    torch.testing.assert_close(torch.cov(rows.T, correction=0), torch.eye(64), atol=0.02, rtol=0)


def test_decoding_keeps_the_log_mel_within_3_db(codec):
    audio = music(seed=3)[None]
    latents = codec.encode(audio)
    error = (codec.log_mel(codec.decode(latents)) - codec.log_mel(audio))[..., 2:-4].abs().mean()
    assert error * 20 / math.log(10) < 3.0  # dB


def test_decoding_gives_4096_samples_a_latent(codec):
    assert codec.decode(torch.randn(2, 64, 5)).shape == (2, 2, 5 * 4096)


def test_decoding_makes_no_random_draw(codec):
    latents, before = torch.randn(2, 64, 5), torch.random.get_rng_state()
    first = codec.decode(latents)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(codec.decode(latents), first)


def test_the_log_mel_of_silence_is_the_floor():
    codec = MelPatchCodec(4)
    assert torch.equal(codec.log_mel(torch.zeros(1, 2, 8192)), torch.full((1, 128, 8), FLOOR).log())


def test_a_full_scale_tone_is_near_0_db():
    time = torch.arange(RATE) / RATE
    tone = torch.sin(2 * math.pi * 1000 * time).expand(1, 2, -1)
    loudest = MelPatchCodec(4).log_mel(tone).max() * 20 / math.log(10)
    assert -12 < loudest < 1  # a band averages its bins, so a single bin gives less than 0 dB
