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


def level_of_tone(filters, amplitude: float) -> float:
    """Level in dB of a sine through the codec's transform."""
    from eisbach.models.codec import MelPatchCodec

    tone = amplitude * torch.sin(2 * torch.pi * 1000 * torch.arange(44100) / 44100)
    log_mel = MelPatchCodec(8).log_mel(tone.expand(1, 2, -1))[0].numpy()
    return sound.of_log_mel(log_mel, filters).level_db[5:30].mean()


def test_the_level_of_a_sine_of_amplitude_one_half_is_near_minus_6_db(filters):
    assert level_of_tone(filters, 0.5) == pytest.approx(-6, abs=4)


def test_a_tenth_of_the_amplitude_is_20_db_softer(filters):
    assert level_of_tone(filters, 0.5) - level_of_tone(filters, 0.05) == pytest.approx(20, abs=0.5)


def test_every_structure_metric_has_known_groups(filters, scale):
    assert set(structure.measure(clip(filters), np.zeros((8, 108)), scale)) == set(validity.CLIPS)


@pytest.mark.parametrize("frames", [4, 8, 40, 432])
def test_metrics_of_noise_of_any_length_are_finite(filters, scale, frames):
    values = structure.measure(clip(filters, 1, frames), np.zeros((8, frames // 4)), scale)
    assert np.isfinite(list(values.values())).all()


@pytest.mark.parametrize("frames", [4, 8, 40, 432])
@pytest.mark.parametrize("level", [-400.0, -3.0])
def test_silence_and_a_constant_spectrum_have_finite_metrics_no_range_and_one_segment(filters, scale, frames, level):
    constant = sound.of_log_mel(np.full((128, frames), level), filters)
    values = structure.measure(constant, np.zeros((8, frames // 4)), scale)
    assert np.isfinite(list(values.values())).all()
    assert values["dynamic_range_db"] == pytest.approx(0, abs=1e-9)
    assert values["segments"] == 1


@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_a_spectrum_that_is_not_finite_raises_an_error(filters, fault):
    log_mel = np.zeros((128, 8))
    log_mel[3, 4] = fault
    with pytest.raises(UserError, match="diverged"):
        sound.of_log_mel(log_mel, filters)


def test_gain_does_not_change_any_structure_metric(filters, scale):
    """Where the peak of every octave is at least 30 dB above the floor of -80 dB."""
    rng = np.random.default_rng(0)
    loud = np.log(10) / 20 * rng.uniform(-40, -10, (128, 432))
    one, other = (sound.of_log_mel(log_mel, filters) for log_mel in (loud, loud - np.log(10) / 20 * 12))
    first, second = (structure.measure(clip, np.zeros((8, 108)), scale) for clip in (one, other))
    for name in first:
        assert second[name] == pytest.approx(first[name], rel=1e-6, abs=1e-6), name


@pytest.mark.parametrize("feature", list(FEATURES))
def test_metrics_are_finite_with_every_feature(filters, feature):
    latents = np.random.default_rng(0).standard_normal((8, 108))
    fitted = structure.fit([(clip(filters), latents)], feature)
    assert np.isfinite(list(structure.measure(clip(filters, 2), latents, fitted).values())).all()


@pytest.mark.parametrize(("hertz", "pitch_class"), [(880.0, 9), (1046.5, 0), (2637.0, 4)])
def test_the_strongest_pitch_class_is_that_of_the_tone(filters, hertz, pitch_class):
    from eisbach.models.codec import MelPatchCodec

    codec = MelPatchCodec(8)
    tone = 0.3 * torch.sin(2 * torch.pi * hertz * torch.arange(2 * 44100) / 44100)
    spectrum = sound.of_log_mel(codec.log_mel(tone.expand(1, 2, -1))[0].numpy(), filters)
    assert FEATURES["chroma"](spectrum, None).mean(1).argmax() == pitch_class
