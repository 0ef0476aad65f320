import numpy as np
import pytest
import torch

from eisbach.errors import UserError
from eisbach.metrics import sound, structure, validity
from eisbach.metrics.features import FEATURES


@pytest.fixture(scope="module")
def filters():
    from eisbach.models.codec import MelPatchCodec

    return MelPatchCodec(8).filters.numpy()


def clip(filters, seed: int = 0, frames: int = 432) -> sound.Sound:
    rng = np.random.default_rng(seed)
    return sound.of_log_mel(np.log(10) / 20 * rng.uniform(-80, -10, (128, frames)), filters)


@pytest.fixture(scope="module")
def scale(filters):
    return structure.fit([(clip(filters, seed), np.zeros((8, 108))) for seed in range(3)])


def test_the_level_of_a_tone_is_its_power(filters):
    """A sine of amplitude 0.5 through the codec's own transform is near -6 dB, and 20 dB softer is 20 dB."""
    from eisbach.models.codec import MelPatchCodec

    codec = MelPatchCodec(8)
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(44100) / 44100)
    levels = [
        sound.of_log_mel(codec.log_mel((gain * tone).expand(1, 2, -1))[0].numpy(), filters).level_db[5:30].mean()
        for gain in (1, 0.1)
    ]
    assert levels[0] == pytest.approx(-6, abs=4)
    assert levels[0] - levels[1] == pytest.approx(20, abs=0.5)


def test_every_metric_is_registered_for_its_fitness(filters, scale):
    assert set(structure.measure(clip(filters), np.zeros((8, 108)), scale)) == set(validity.CLIPS)


@pytest.mark.parametrize("frames", [4, 8, 40, 432])
@pytest.mark.parametrize("kind", ["silence", "even", "noise"])
def test_silence_an_even_tone_and_a_single_step_have_defined_values(filters, scale, frames, kind):
    made = clip(filters, 1, frames)
    level = {"silence": -400.0, "even": -3.0}
    if kind in level:
        made = sound.of_log_mel(np.full((128, frames), level[kind]), filters)
    values = structure.measure(made, np.zeros((8, frames // 4)), scale)
    assert np.isfinite(list(values.values())).all()
    if kind != "noise":
        assert values["dynamic_range_db"] == pytest.approx(0, abs=1e-9)
        assert values["segments"] == 1


@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_a_diverged_sample_is_named(filters, fault):
    log_mel = np.zeros((128, 8))
    log_mel[3, 4] = fault
    with pytest.raises(UserError, match="diverged"):
        sound.of_log_mel(log_mel, filters)


def test_gain_moves_no_metric_of_structure(filters, scale):
    """Away from the ceiling, and from where an octave's peak is less than 30 dB above the floor of -80."""
    rng = np.random.default_rng(0)
    loud = np.log(10) / 20 * rng.uniform(-40, -10, (128, 432))
    one, other = (sound.of_log_mel(log_mel, filters) for log_mel in (loud, loud - np.log(10) / 20 * 12))
    first, second = (structure.measure(heard, np.zeros((8, 108)), scale) for heard in (one, other))
    for name in first:
        assert second[name] == pytest.approx(first[name], rel=1e-6, abs=1e-6), name


@pytest.mark.parametrize("feature", list(FEATURES))
def test_every_feature_makes_a_matrix(filters, feature):
    latents = np.random.default_rng(0).standard_normal((8, 108))
    fitted = structure.fit([(clip(filters), latents)], feature)
    assert np.isfinite(list(structure.measure(clip(filters, 2), latents, fitted).values())).all()


@pytest.mark.parametrize(("hertz", "pitch_class"), [(880.0, 9), (1046.5, 0), (2637.0, 4)])
def test_chroma_names_the_pitch_of_a_tone(filters, hertz, pitch_class):
    from eisbach.models.codec import MelPatchCodec

    codec = MelPatchCodec(8)
    tone = 0.3 * torch.sin(2 * torch.pi * hertz * torch.arange(2 * 44100) / 44100)
    heard = sound.of_log_mel(codec.log_mel(tone.expand(1, 2, -1))[0].numpy(), filters)
    assert FEATURES["chroma"](heard, None).mean(1).argmax() == pitch_class
