"""The spectrum that every codec is measured by: log-mel amplitudes, four frames in a latent of 4096 samples."""

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

HOP = 1024  # samples between mel frames
FRAMES = 4  # mel frames in a latent: 4 * 1024 = 4096 samples
N_FFT = 4096
FLOOR = 1e-4  # amplitude under the logarithm: -80 dB of a full-scale band


class LogMel(nn.Module):
    """Stereo audio [B, 2, samples] -> natural log of mel amplitudes, [B, mels, 4 * latents]; silence is log 1e-4.

    A band is a weighted mean of bins, so `filters` [mels, bins] have rows that sum to 1. Nothing of it is stored in a
    checkpoint.
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
