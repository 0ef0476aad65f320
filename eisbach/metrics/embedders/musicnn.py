"""musicnn (Pons and Serra, 2019, "pre-trained convolutional neural networks for music audio tagging"), in torch.

The weights come from the authors' package (ISC licence). They were trained on MagnaTagATune: real recordings at 16 kHz.
On narrow-band synthetic audio the tags mean little; the 200 penultimate units still order clips by timbre and texture.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchaudio.transforms import MelSpectrogram

from eisbach.metrics.embedders import tensor_bundle

RATE = 16000
FRAMES = 187  # of a patch, three seconds
DIMENSION = 200
MELS = 96


def log_mel(audio: np.ndarray) -> np.ndarray:
    """Mono audio at 16 kHz -> log-mel [frames, 96] in float32; the original's float16 overflows on loud clips."""
    spectrum = MelSpectrogram(
        RATE, n_fft=512, hop_length=256, n_mels=MELS, norm="slaney", mel_scale="slaney", pad_mode="constant"
    )
    mel = spectrum(torch.from_numpy(audio.astype(np.float32)))
    return (10000 * mel + 1).log10().T.numpy()


def patches(audio: np.ndarray) -> Tensor:
    """Mono audio at 16 kHz -> [P, 187, 96], consecutive patches of three seconds, without the remainder.

    A shorter clip is repeated up to three seconds.
    """
    spectrogram = log_mel(audio)
    if len(spectrogram) < FRAMES:
        spectrogram = np.tile(spectrogram, (-(-FRAMES // len(spectrogram)), 1))
    count = len(spectrogram) // FRAMES
    return torch.from_numpy(spectrogram[: count * FRAMES].reshape(count, FRAMES, MELS))


class Musicnn(nn.Module):
    """The network in evaluation mode: patches [P, 187, 96] -> (penultimate units [P, 200], tag logits [P, 50])."""

    def __init__(self, folder: str | Path):
        """Raises UserError when `folder` holds no musicnn checkpoint."""
        super().__init__()
        for name, value in tensor_bundle.read(folder).items():
            if not name.rsplit("/", 1)[-1].startswith(("Adam", "beta1_power", "beta2_power")):
                self.register_buffer(name.replace("/", "_"), torch.from_numpy(value.copy()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self._normalised(x.unsqueeze(1), "")
        front = torch.cat([self._pooled(x, layer) for layer in range(5)], 1)  # [P, 561, T]
        first = self._dense_in_time(front, 5)
        second = self._dense_in_time(first, 6) + first
        third = self._dense_in_time(second, 7) + second
        features = torch.cat([front, first, second, third], 1)  # [P, 753, T]
        pooled = torch.stack([features.amax(2), features.mean(2)], 2).flatten(1)
        pooled = self._normalised(pooled, "_9")
        penultimate = self._normalised((pooled @ self.dense_kernel + self.dense_bias).relu(), "_10")
        return penultimate, penultimate @ self.dense_1_kernel + self.dense_1_bias

    def _pooled(self, x: Tensor, layer: int) -> Tensor:
        """Convolution, batch norm and maximum over all frequencies: [P, 1, T, F] -> [P, filters, T]."""
        suffix = f"_{layer}" if layer else ""
        kernel = getattr(self, f"conv2d{suffix}_kernel").permute(3, 2, 0, 1)
        extra = kernel.shape[2] - 1  # TensorFlow pads an even kernel's odd frame at the end
        x = functional.pad(x, (0, 0, extra // 2, extra - extra // 2))
        # ReLU and batch norm are monotone, so the maximum over frequencies can come first and leave less to compute.
        # Batch norm decreases where gamma is negative: such a filter needs the minimum, the maximum of its negative.
        sign = torch.where(getattr(self, f"batch_normalization_{layer + 1}_gamma") < 0, -1.0, 1.0)
        bias = getattr(self, f"conv2d{suffix}_bias")
        y = functional.conv2d(x, sign.view(-1, 1, 1, 1) * kernel, sign * bias).amax(3)
        return self._normalised((sign.view(-1, 1) * y).relu(), f"_{layer + 1}")

    def _dense_in_time(self, x: Tensor, layer: int) -> Tensor:
        """Convolution over seven frames and all channels: [P, C, T] -> [P, 64, T]."""
        kernel = getattr(self, f"conv2d_{layer}_kernel").squeeze(2).permute(2, 1, 0)
        y = functional.conv1d(x, kernel, getattr(self, f"conv2d_{layer}_bias"), padding=3).relu()
        return self._normalised(y, f"_{layer + 1}")

    def _normalised(self, x: Tensor, suffix: str) -> Tensor:
        name = f"batch_normalization{suffix}"
        mean, variance, gamma, beta = (
            getattr(self, f"{name}_{part}") for part in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        return functional.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)


def embedder(folder: str | Path):
    """A function from mono audio [samples] at 16 kHz to one vector [200]: the mean over patches of three seconds."""
    network = Musicnn(folder).eval()

    def embed(audio: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(patches(audio))[0].mean(0).double().numpy()

    return embed
