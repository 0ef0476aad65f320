"""Features of one clip, computed from its latents: a spectrum, and one vector per embedder. Padding is left out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn

from eisbach.errors import UserError
from eisbach.metrics import sound, structure
from eisbach.metrics.embedders import clap, musicnn, packages, preview
from eisbach.metrics.trajectory import Basis
from eisbach.pipeline import paths
from eisbach.pipeline.files import replacing

Embedders = Mapping[str, Callable[[np.ndarray], np.ndarray]]  # mono audio [samples] at 16 kHz -> [D]
MAKERS = {"musicnn": musicnn.embedder}
RATE = 16000  # Hz, of the audio that embedders get
SCALE = "scale/"  # prefix of the scale's tensors in the file that `save` writes


@dataclass(frozen=True)
class ClipFeatures:
    """Features of one clip of T latent frames."""

    sound: sound.Sound
    latents: np.ndarray  # [C, T]
    vectors: dict[str, np.ndarray]  # by embedder, [D]


def load_embedders(names: Iterable[str], model: clap.Clap | None = None) -> Embedders:
    """The embedders called `names` ("musicnn"), and CLAP where a loaded `model` is given.

    Downloads missing weights. Raises UserError when a download fails.
    """
    found = {name: MAKERS[name](packages.folder(name)) for name in names}
    if model is not None:
        found["clap"] = lambda audio: model.audio(soxr.resample(audio, RATE, clap.RATE))
    return found


def without_padding(latents: Tensor, mask: Tensor) -> list[Tensor]:
    """The frames of each clip in `latents` [N, C, T] where `mask` [N, T] is true: N tensors [C, T_i]."""
    return [clip[:, valid] for clip, valid in zip(latents, mask, strict=True)]


def extract(codec: nn.Module, latents: Tensor, embedders: Embedders) -> ClipFeatures:
    """Features of one clip of latents [C, T] without padding.

    Raises UserError when the latents are empty, or when they or the audio that embedders get are not finite.
    """
    with torch.no_grad():
        log_mel = codec.reconstruct(latents[None])[0]
    spectrum = sound.of_log_mel(log_mel.numpy(), codec.filters.numpy(), codec.sample_rate)
    audio = preview.render(log_mel, codec.filters, codec.sample_rate, RATE) if embedders else None
    if audio is not None and not np.isfinite(audio).all():
        raise UserError(sound.DIVERGED)
    return ClipFeatures(spectrum, latents.numpy(), {name: embed(audio) for name, embed in embedders.items()})


def fit(clips: list[ClipFeatures], feature: str) -> structure.Scale:
    """The scale of the structure metrics, fitted on real clips. `feature` is a key of `features.FEATURES`."""
    return structure.fit([(clip.sound, clip.latents) for clip in clips], feature)


def measure(clip: ClipFeatures, scale: structure.Scale) -> dict[str, float]:
    """The structure metrics of one clip."""
    return structure.measure(clip.sound, clip.latents, scale)


def codec_vector(clip: sound.Sound, scale: structure.Scale) -> np.ndarray:
    """[32] mean and standard deviation over time along the principal directions of real spectra."""
    path = scale.basis.path(clip.slow)
    return np.concatenate([path.mean(0), path.std(0)])


def save(path: str | Path, vectors: Mapping[str, np.ndarray], scale: structure.Scale) -> None:
    """Write the vectors [N, D] of real clips by embedder, and the scale that was fitted on these clips."""
    from safetensors.numpy import save_file

    tensors = {name: np.ascontiguousarray(value, np.float32) for name, value in vectors.items()}
    tensors |= {f"{SCALE}mean": scale.basis.mean, f"{SCALE}directions": np.ascontiguousarray(scale.basis.directions)}
    tensors[f"{SCALE}distances"] = np.array([scale.similarity, scale.shape])
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"feature": scale.feature})


def load(path: str | Path, wanted: Iterable[str]) -> tuple[dict[str, np.ndarray], structure.Scale]:
    """(vectors of the embedders `wanted`, scale) from a file that `save` wrote.

    Raises UserError when the file, the scale or one of the embedders is missing.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load_file

    if not Path(path).is_file():
        raise paths.missing(path)
    try:
        tensors = load_file(path)
        with safe_open(path, "np") as file:
            feature = (file.metadata() or {}).get("feature")
    except SafetensorError as error:
        raise paths.damaged(path, error) from error
    if lacking := [name for name in (*wanted, f"{SCALE}distances") if name not in tensors]:
        raise UserError(f"{path} lacks '{lacking[0]}'; run `dvc repro reference`")
    basis = Basis(tensors[f"{SCALE}mean"], tensors[f"{SCALE}directions"])
    scale = structure.Scale(basis, feature, *map(float, tensors[f"{SCALE}distances"]))
    return {name: tensors[name].astype(np.float64) for name in wanted}, scale
