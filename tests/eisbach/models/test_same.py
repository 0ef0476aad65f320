import pytest
import torch
from stable_audio_tools.models import transformer

from eisbach.seeds import derive
from tests import checkpoints


@pytest.fixture
def audio():
    """`[1, 2, samples]` with an incomplete last latent."""
    return 0.1 * torch.randn(1, 2, 3 * 4096 + 100, generator=torch.Generator().manual_seed(4))


def test_the_autoencoder_codes_stereo_in_whole_latents(released_model, audio):
    latents = released_model.pretransform.encode(audio)
    assert latents.shape == (1, checkpoints.CHANNELS, 4)
    sound = released_model.pretransform.decode(latents)
    assert sound.shape == (1, 2, 4 * 4096)
    assert not torch.equal(sound[0, 0], sound[0, 1])
    assert released_model.pretransform.reconstruct(latents).shape == (1, 128, 16)


def test_the_autoencoder_gives_the_same_result_every_time_and_leaves_the_global_generator_alone(released_model, audio):
    before = torch.random.get_rng_state()
    latents = released_model.pretransform.encode(audio)
    sound = released_model.pretransform.decode(latents)
    assert torch.equal(latents, released_model.pretransform.encode(audio))
    assert torch.equal(sound, released_model.pretransform.decode(latents))
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_autoencoder_equals_stability_s_with_the_same_noise(released_model, theirs, audio, monkeypatch):
    monkeypatch.setattr(transformer, "flex_attention_compiled", None)
    padded = torch.nn.functional.pad(audio, (0, 4096 - 100))
    latents = released_model.pretransform.encode(audio)
    sound = released_model.pretransform.decode(latents)
    with torch.no_grad(), torch.random.fork_rng([]):
        for function, given, ours in (
            (theirs.pretransform.encode, padded, latents),
            (theirs.pretransform.decode, latents, sound),
        ):
            torch.manual_seed(derive(0, "SAME's noise"))
            assert torch.equal(function(given), ours)
            assert not torch.equal(function(given), ours)  # with the next draw of SAME's noise
