"""The structure metrics of one clip: every row of the paper's Table 2, and the development of its themes.

docs/metrics.md defines each of them.
"""

from dataclasses import dataclass

import numpy as np

from eisbach.metrics import loudness, similarity, spectrum, trajectory
from eisbach.metrics.features import FEATURES
from eisbach.metrics.sound import STEP_SECONDS, Sound
from eisbach.seeds import numpy_generator

DIMENSIONS = 16  # of the basis
FRAME_PAIRS = 4000  # whose median distance is the scale


@dataclass(frozen=True)
class Scale:
    """Basis and scales of the metrics, fitted on real clips that are not among the clips to compare."""

    basis: trajectory.Basis  # of the slow spectrum in dB
    feature: str
    similarity: float  # median distance of two frames of one clip, in the feature
    shape: float  # the same for spectra without their level, as `recurrence` compares them


def fit(clips: list[tuple[Sound, np.ndarray]], feature: str = "mel") -> Scale:
    """Fit the scale to real clips (sound, latents [C, T]). `feature` is a key of `features.FEATURES`."""
    basis = trajectory.fit([sound.slow for sound, _ in clips], DIMENSIONS)
    spread = _median_distance([FEATURES[feature](sound, latents) for sound, latents in clips])
    return Scale(basis, feature, spread, _median_distance([_shape(sound) for sound, _ in clips]))


def measure(sound: Sound, latents: np.ndarray, scale: Scale) -> dict[str, float]:
    """All structure metrics of one clip of latents [C, T]; finite also for silence, a constant tone and one frame."""
    matrix = similarity.matrix(FEATURES[scale.feature](sound, latents), scale.similarity)
    novelty = similarity.novelty(matrix, STEP_SECONDS)
    starts = similarity.boundaries(novelty, STEP_SECONDS)
    regularity, period = similarity.dark_zones(matrix, STEP_SECONDS)
    recurrence, variation = similarity.recurrence(similarity.matrix(_shape(sound), scale.shape), STEP_SECONDS)
    frames_hz = sound.mel_db.shape[1] / (len(matrix) * STEP_SECONDS)
    flux, path = spectrum.flux(sound.slow), scale.basis.path(sound.slow)
    return {
        "block_scale_s": similarity.block_scale(matrix, STEP_SECONDS),
        "dark_zone_regularity": regularity,
        "dark_zone_period_s": period,
        "novelty_peak": float(novelty.max()),
        "segments": float(len(starts) + 1),
        "segment_contrast": similarity.segment_contrast(matrix, starts),
        "spectral_contrast_db": spectrum.contrast_db(sound.mel_db, sound.centres_hz),
        "flux_sparsity_hoyer": spectrum.hoyer(flux),
        "flux_sparsity_gini": spectrum.gini(flux),
        "flux_at_transitions": spectrum.at_transitions(flux, starts * STEP_SECONDS, 1 / STEP_SECONDS),
        "pca_area": trajectory.area(path),
        "participation_ratio": trajectory.participation_ratio(path),
        "cluster_separation": trajectory.cluster_separation(path),
        "dynamic_range_db": loudness.dynamic_range_db(10 ** (sound.level_db / 10), frames_hz),
        "recurrence": recurrence,
        "variation": variation,
        "section_differentiation": trajectory.section_differentiation(path),
    }


def _shape(sound: Sound) -> np.ndarray:
    """[M, T] the slow spectrum minus its mean over bands, so that a theme may return louder or softer."""
    return similarity.smooth(sound.slow - sound.slow.mean(0), STEP_SECONDS)


def _median_distance(features: list[np.ndarray]) -> float:
    """Median root mean square distance of two random frames of one clip; features [D, T] per clip."""
    draw = numpy_generator(0, "pairs of moments")
    pairs = []
    for _ in range(FRAME_PAIRS):
        clip = features[draw.integers(len(features))]
        one, other = draw.integers(clip.shape[1], size=2)
        pairs.append(np.sqrt(np.square(clip[:, one] - clip[:, other]).mean()))
    return max(float(np.median(pairs)), 1e-6)
