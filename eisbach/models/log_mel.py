"""The log-mel spectrum used to compare audio of all codecs: four frames for each latent of 4096 samples."""

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

HOP = 1024  # samples between mel frames
FRAMES = 4  # mel frames per latent: 4 * 1024 = 4096 samples
N_FFT = 4096
FLOOR = 1e-4  # smallest amplitude: -80 dB of a full-scale band


class LogMel(nn.Module):
    """Stereo audio `[B, 2, samples]` -> natural log of mel amplitudes `[B, mels, 4 L]`, L = ceil(samples / 4096).

    The range is log 1e-4, for silence, to about 0. A band is a weighted mean of frequency bins: the rows of `filters`
    `[mels, bins]` sum to 1. A checkpoint stores none of the buffers.
    """

    def __init__(self, mels: int = 128, sample_rate: int = 44100):
        super().__init__()
        filters = melscale_fbanks(N_FFT // 2 + 1, 30.0, sample_rate / 2, mels, sample_rate, "slaney", "slaney").T
        filters = filters / filters.sum(1, keepdim=True).clamp_min(1e-12)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        latents = -(-audio.shape[-1] // (HOP * FRAMES))
        mono = audio.mean(1)
        mono = torch.nn.functional.pad(mono, (0, latents * HOP * FRAMES - mono.shape[-1]))
        spectrum = torch.stft(mono, N_FFT, HOP, window=self.window, center=True, return_complex=True).abs()
        amplitude = spectrum[..., : latents * FRAMES] * (2 / self.window.sum())
        return (self.filters @ amplitude).clamp_min(FLOOR).log()
