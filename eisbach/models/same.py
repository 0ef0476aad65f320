"""SAME, the autoencoder of released checkpoints, with the interface that the pipeline expects of every codec."""

import threading
from collections.abc import Callable
from unittest.mock import patch

import torch
from stable_audio_tools.models import transformer
from stable_audio_tools.models.pretransforms import AutoencoderPretransform
from torch import Tensor

from eisbach.models.log_mel import LogMel
from eisbach.seeds import derive

_LOCK = threading.Lock()  # torch's global generator and the library's attention switch are shared by all threads


class Same(AutoencoderPretransform):
    """Stereo audio `[B, 2, samples]` <-> latents `[B, C, ceil(samples / 4096)]`, both in fp32 on the CPU.

    SAME adds a little noise when it encodes and decodes, in inference too. Here a fixed seed draws it, so equal audio
    gives equal latents. The autoencoder moves to `device` at first use, which training on cached latents never reaches.

    Without flash attention the library compiles flexible attention for every clip length, which takes seconds per layer
    on a CPU. The library's own exact fallback, masked attention in chunks, is used instead.
    """

    def __init__(self, plain: AutoencoderPretransform, device: torch.device | str = "cpu", mels: int = 128):
        super().__init__(plain.model, plain.scale, iterate_batch=plain.iterate_batch, chunked=plain.chunked)
        self.device = torch.device(device)
        self.log_mel = LogMel(mels, self.sample_rate)

    @property
    def filters(self) -> Tensor:
        """`[mels, bins]`, see `LogMel`."""
        return self.log_mel.filters

    def encode(self, audio: Tensor) -> Tensor:
        """`[B, 2, samples]` -> `[B, C, L]`; zeros fill the last latent's samples."""
        padding = -audio.shape[-1] % self.downsampling_ratio
        return self._run_seeded(super().encode, torch.nn.functional.pad(audio, (0, padding)))

    def decode(self, latents: Tensor) -> Tensor:
        """`[B, C, L]` -> `[B, 2, 4096 L]`."""
        return self._run_seeded(super().decode, latents)

    def reconstruct(self, latents: Tensor) -> Tensor:
        """Latents `[B, C, L]` -> log-mel `[B, mels, 4 L]` of the decoded audio."""
        return self.log_mel(self.decode(latents))

    def _run_seeded(self, function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
        """`function(tensor)` on `device`, SAME's noise drawn from the fixed seed; restores the global generators."""
        self.model.to(self.device)
        cuda_devices = [self.device] if self.device.type == "cuda" else []
        without_compilation = patch.object(transformer, "flex_attention_compiled", None)
        with _LOCK, torch.random.fork_rng(cuda_devices), without_compilation:
            torch.manual_seed(derive(0, "SAME's noise"))
            return function(tensor.to(self.device)).float().cpu()
