"""The small model's codec: PCA of log-mel patches, at Stable Audio 3's 44100/4096 latents per second.

No package ships a pretrained audio autoencoder, and none trains in minutes on two cores. This codec is linear after the
log-mel and fitted in closed form. It is a stable-audio-tools `Pretransform`, so it replaces SAME without other changes.
"""

from collections.abc import Iterable

import torch
from stable_audio_tools.models.pretransforms import Pretransform
from torch import Tensor
from torchaudio.functional import griffinlim

from eisbach.models.log_mel import FLOOR, FRAMES, HOP, N_FFT, LogMel


class MelPatchCodec(Pretransform):
    """Stereo audio <-> latents of unit variance.

    encode: `[B, 2, samples]` -> `[B, C, ceil(samples / 4096)]`, of the mono mix. decode: `[B, C, L]` ->
    `[B, 2, 4096 L]`, with non-negative magnitudes fitted to the mel bands and phases from Griffin-Lim; both channels
    are equal. `fit` computes the buffers mean `[4 * mels]`, basis `[C, 4 * mels]` and scale `[C]`; a checkpoint stores
    them.
    """

    def __init__(self, channels: int, mels: int = 128, sample_rate: int = 44100, griffin_lim_steps: int = 32):
        super().__init__(enable_grad=False, io_channels=2, is_discrete=False)
        self.encoded_channels = channels
        self.downsampling_ratio = HOP * FRAMES
        self.sample_rate = sample_rate
        self.mels = mels
        self.griffin_lim_steps = griffin_lim_steps
        size = mels * FRAMES
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.zeros(channels, size))  # orthonormal principal directions
        self.register_buffer("scale", torch.ones(channels))  # standard deviations along the directions
        self.log_mel = LogMel(mels, sample_rate)

    @property
    def filters(self) -> Tensor:
        """`[mels, bins]`, see `LogMel`."""
        return self.log_mel.filters

    def patches(self, log_mel: Tensor) -> Tensor:
        """Log-mel `[B, mels, 4 L]` -> patches `[B, 4 * mels, L]`: the four frames of each latent, stacked."""
        batch, mels, frames = log_mel.shape
        split = log_mel.reshape(batch, mels, frames // FRAMES, FRAMES)
        return split.permute(0, 3, 1, 2).reshape(batch, FRAMES * mels, frames // FRAMES)

    def unpatch(self, patches: Tensor) -> Tensor:
        """Inverse of `patches`: `[B, 4 * mels, L]` -> `[B, mels, 4 L]`."""
        batch, size, latents = patches.shape
        split = patches.reshape(batch, FRAMES, size // FRAMES, latents)
        return split.permute(0, 2, 3, 1).reshape(batch, size // FRAMES, latents * FRAMES)

    def encode(self, audio: Tensor) -> Tensor:
        return self.project(self.patches(self.log_mel(audio)))

    def project(self, patches: Tensor) -> Tensor:
        """Patches `[B, 4 * mels, L]` -> latents `[B, C, L]`."""
        return (self.basis @ (patches - self.mean[:, None])) / self.scale[:, None]

    def reconstruct(self, latents: Tensor) -> Tensor:
        """Latents `[B, C, L]` -> log-mel `[B, mels, 4 L]`: the projection of the encoder's log-mel on the basis."""
        return self.unpatch(self.basis.T @ (latents * self.scale[:, None]) + self.mean[:, None])

    def decode(self, latents: Tensor) -> Tensor:
        mel = self.reconstruct(latents).exp() - FLOOR
        magnitude = self._linear_magnitude(mel.clamp_min(0)) * (self.log_mel.window.sum() / 2)
        frames = torch.nn.functional.pad(magnitude, (0, 1))  # the last frame of a centred transform
        samples = latents.shape[-1] * self.downsampling_ratio
        mono = griffinlim(
            frames,
            self.log_mel.window,
            n_fft=N_FFT,
            hop_length=HOP,
            win_length=N_FFT,
            power=1.0,
            n_iter=self.griffin_lim_steps,
            momentum=0.99,
            length=samples,
            rand_init=False,  # without a random draw, equal latents give equal audio
        )
        return mono[:, None].expand(-1, 2, -1)

    def _linear_magnitude(self, mel: Tensor, steps: int = 24) -> Tensor:
        """Non-negative amplitudes `[B, bins, frames]` whose band means are `mel` `[B, mels, frames]`.

        By multiplicative updates, which keep every amplitude non-negative.
        """
        filters = self.filters
        total = filters.sum(0).clamp_min(1e-6)[:, None]
        bins = (filters.T @ mel) / total
        for _ in range(steps):
            ratio = mel / (filters @ bins).clamp_min(1e-8)
            bins = bins * ((filters.T @ ratio) / total)
        return bins

    def fit(self, log_mels: Iterable[Tensor]) -> "MelPatchCodec":
        """Fit the PCA to the patches of `log_mels`, each `[B, mels, 4 L]`, in float64; returns the codec itself."""
        size = self.mean.numel()
        count, total, outer = 0, torch.zeros(size, dtype=torch.float64), torch.zeros(size, size, dtype=torch.float64)
        for log_mel in log_mels:
            rows = self.patches(log_mel).permute(0, 2, 1).reshape(-1, size).double()
            count += len(rows)
            total += rows.sum(0)
            outer += rows.T @ rows
        mean = total / count
        values, vectors = torch.linalg.eigh(outer / count - torch.outer(mean, mean))
        order = values.argsort(descending=True)[: self.encoded_channels]
        basis = vectors[:, order].T
        sign = basis.gather(1, basis.abs().argmax(1, keepdim=True)).sign()  # makes the arbitrary sign definite
        self.mean.copy_(mean)
        self.basis.copy_(basis * sign)
        self.scale.copy_(values[order].clamp_min(1e-12).sqrt())
        return self
