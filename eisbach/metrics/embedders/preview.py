"""A quick rendering of log-mel spectra for embedders that hear up to 8 kHz: Griffin-Lim on the lower bins alone.

The bins of the codec's transform below 8.27 kHz are those of a transform of 1536 samples at 16 537.5 Hz, so a third of
the work of the full decoder remains. Real clips and samples go the same way before they are compared.
"""

import numpy as np
import soxr
import torch
from torch import Tensor
from torchaudio.functional import griffinlim

N_FFT, HOP = 1536, 384  # 3/8 of the codec's 4096 and 1024
SHARE = 3 / 8
UPDATES = 8  # of the bins' amplitudes
STEPS = 8  # of Griffin-Lim


def render(log_mel: Tensor, filters: Tensor, codec_rate: int, rate: int) -> np.ndarray:
    """Natural-log mel amplitudes [mels, F] -> mono audio at `rate`, [samples] float32, F * 1024 codec samples long.

    `filters` [mels, 2049] are the codec's, each row a weighted mean of bins. No draw: equal spectra sound alike.
    """
    bins = N_FFT // 2 + 1
    inside = filters[:, bins:].sum(1) == 0  # bands that end below the cut
    basis, mel = filters[inside, :bins], log_mel[inside].exp()
    reach = basis.sum(0).clamp_min(1e-6)[:, None]
    amplitude = (basis.T @ mel) / reach
    for _ in range(UPDATES):
        amplitude = amplitude * ((basis.T @ (mel / (basis @ amplitude).clamp_min(1e-8))) / reach)
    window = torch.hann_window(N_FFT)
    audio = griffinlim(
        torch.nn.functional.pad(amplitude, (0, 1)) * (window.sum() / 2),
        window,
        n_fft=N_FFT,
        hop_length=HOP,
        win_length=N_FFT,
        power=1.0,
        n_iter=STEPS,
        momentum=0.99,
        length=log_mel.shape[-1] * HOP,
        rand_init=False,
    )
    return soxr.resample(audio.numpy(), codec_rate * SHARE, rate)
