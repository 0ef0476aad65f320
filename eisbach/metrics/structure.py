"""Every row of Table 2 for one clip, and the development of its themes. What each means: docs/metrics.md."""

from dataclasses import dataclass

import numpy as np

from eisbach.metrics import loudness, similarity, spectrum, trajectory
from eisbach.metrics.features import FEATURES
from eisbach.metrics.sound import STEP_SECONDS, Sound
from eisbach.seeds import numpy_generator

DIMENSIONS = 16  # of the basis
MOMENTS = 4000  # pairs of moments from which the scale is drawn


@dataclass(frozen=True)
class Scale:
    """What is fitted on real clips, never on the clips that are compared."""

    basis: trajectory.Basis  # of the slow spectrum in dB
    feature: str
    similarity: float  # median distance of two moments of one clip, in the feature
    shape: float  # the same for spectra without their level


def fit(clips: list[tuple[Sound, np.ndarray]], feature: str = "mel") -> Scale:
    """From real clips (sound, latents [C, T])."""
    basis = trajectory.fit([sound.slow for sound, _ in clips], DIMENSIONS)
    spread = _median_distance([FEATURES[feature](sound, latents) for sound, latents in clips])
    return Scale(basis, feature, spread, _median_distance([_shape(sound) for sound, _ in clips]))


def measure(sound: Sound, latents: np.ndarray, scale: Scale) -> dict[str, float]:
    """All metrics of one clip. Silence, one frame and an even tone have the values that docs/metrics.md states."""
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
    """The slow spectrum less its mean over bands: a theme may come back louder."""
    return similarity.smooth(sound.slow - sound.slow.mean(0), STEP_SECONDS)


def _median_distance(features: list[np.ndarray]) -> float:
    draw = numpy_generator(0, "pairs of moments")
    pairs = []
    for _ in range(MOMENTS):
        clip = features[draw.integers(len(features))]
        one, other = draw.integers(clip.shape[1], size=2)
        pairs.append(np.sqrt(np.square(clip[:, one] - clip[:, other]).mean()))
    return max(float(np.median(pairs)), 1e-6)
