"""What the metrics hear of a clip's latents: a spectrum, and one vector per embedder. Padding is not part of a clip."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn

from eisbach.errors import UserError
from eisbach.files import replacing
from eisbach.metrics import sound, structure
from eisbach.metrics.embedders import clap, musicnn, packages, preview, yamnet
from eisbach.metrics.trajectory import Basis

Embedders = Mapping[str, Callable[[np.ndarray], np.ndarray]]  # mono audio at 16 kHz -> [D]
MAKERS = {"musicnn": musicnn.embedder, "yamnet": yamnet.embedder}
RATE = 16000
SCALE = "scale/"  # of the names under which a scale's tensors lie beside the vectors


@dataclass(frozen=True)
class Heard:
    """One clip of T latents."""

    sound: sound.Sound
    latents: np.ndarray  # [C, T]
    vectors: dict[str, np.ndarray]  # by embedder, [D]


def embedders(names: Iterable[str], model: clap.Clap | None = None) -> Embedders:
    """The embedders that params.yaml names; their weights are fetched where they are missing. CLAP comes loaded."""
    found = {name: MAKERS[name](packages.folder(name)) for name in names}
    if model is not None:
        found["clap"] = lambda audio: model.audio(soxr.resample(audio, RATE, clap.RATE))
    return found


def cut(latents: Tensor, mask: Tensor) -> list[Tensor]:
    """Of clips [N, C, T] what `mask` [N, T] calls theirs: [C, T_i] each."""
    return [clip[:, valid] for clip, valid in zip(latents, mask, strict=True)]


def hear(codec: nn.Module, latents: Tensor, listeners: Embedders) -> Heard:
    """One clip's latents [C, T], without padding. Raises UserError when they are empty or not finite."""
    with torch.no_grad():
        log_mel = codec.reconstruct(latents[None])[0]
    heard = sound.of_log_mel(log_mel.numpy(), codec.filters.numpy(), codec.sample_rate)
    audio = preview.render(log_mel, codec.filters, codec.sample_rate, RATE) if listeners else None
    return Heard(heard, latents.numpy(), {name: embed(audio) for name, embed in listeners.items()})


def fit(clips: list[Heard], feature: str) -> structure.Scale:
    """The scale of real clips."""
    return structure.fit([(clip.sound, clip.latents) for clip in clips], feature)


def measure(clip: Heard, scale: structure.Scale) -> dict[str, float]:
    return structure.measure(clip.sound, clip.latents, scale)


def codec_vector(clip: sound.Sound, scale: structure.Scale) -> np.ndarray:
    """[32] mean and standard deviation over time along the principal directions of real spectra."""
    path = scale.basis.path(clip.slow)
    return np.concatenate([path.mean(0), path.std(0)])


def save(path: str | Path, vectors: Mapping[str, np.ndarray], scale: structure.Scale) -> None:
    """Real clips' vectors [N, D] by embedder, and the scale that was fitted on them."""
    from safetensors.numpy import save_file

    tensors = {name: np.ascontiguousarray(value, np.float32) for name, value in vectors.items()}
    tensors |= {f"{SCALE}mean": scale.basis.mean, f"{SCALE}directions": np.ascontiguousarray(scale.basis.directions)}
    tensors[f"{SCALE}distances"] = np.array([scale.similarity, scale.shape])
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"feature": scale.feature})


def load(path: str | Path, wanted: Iterable[str]) -> tuple[dict[str, np.ndarray], structure.Scale]:
    """What `save` wrote. Raises UserError when the file, the scale or one of the embedders `wanted` is missing."""
    from safetensors import safe_open
    from safetensors.numpy import load_file

    if not Path(path).is_file():
        raise UserError(f"{path} is missing; run `dvc repro reference`")
    tensors = load_file(path)
    with safe_open(path, "np") as file:
        feature = (file.metadata() or {}).get("feature")
    if lacking := [name for name in (*wanted, f"{SCALE}distances") if name not in tensors]:
        raise UserError(f"{path} lacks '{lacking[0]}'; run `dvc repro reference`")
    basis = Basis(tensors[f"{SCALE}mean"], tensors[f"{SCALE}directions"])
    scale = structure.Scale(basis, feature, *map(float, tensors[f"{SCALE}distances"]))
    return {name: tensors[name].astype(np.float64) for name in wanted}, scale
