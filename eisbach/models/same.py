"""Stable Audio 3's own autoencoder, SAME, with what the pipeline asks of every codec."""

import threading
from unittest.mock import patch

import torch
from stable_audio_tools.models import transformer
from stable_audio_tools.models.pretransforms import AutoencoderPretransform
from torch import Tensor

from eisbach.models.log_mel import LogMel
from eisbach.seeds import derive

ONE_AT_A_TIME = threading.Lock()  # torch's generator, like the switch of the library's, is one for all threads


class Same(AutoencoderPretransform):
    """Stereo audio [B, 2, samples] <-> latents [B, C, ceil(samples / 4096)], fp32 on the CPU at both ends.

    SAME adds a little noise at both ends, in use as in training. Here it is drawn from one seed, the same for every
    clip, so that the same clip gives the same latents. `place` is the device that it works on; it moves there when
    first used, which fine-tuning on cached latents never does.

    Where flash attention is not installed, the library compiles flexible attention anew for each length of a clip, for
    seconds a layer on a CPU; its own exact fallback, masked attention in chunks, is taken instead.
    """

    def __init__(self, plain: AutoencoderPretransform, place: torch.device | str = "cpu", mels: int = 128):
        super().__init__(plain.model, plain.scale, iterate_batch=plain.iterate_batch, chunked=plain.chunked)
        self.place = torch.device(place)
        self.log_mel = LogMel(mels, self.sample_rate)

    @property
    def filters(self) -> Tensor:
        """[mels, bins], see `LogMel`."""
        return self.log_mel.filters

    def encode(self, audio: Tensor) -> Tensor:
        behind = -audio.shape[-1] % self.downsampling_ratio
        return self._seeded(super().encode, torch.nn.functional.pad(audio, (0, behind)))

    def decode(self, latents: Tensor) -> Tensor:
        return self._seeded(super().decode, latents)

    def reconstruct(self, latents: Tensor) -> Tensor:
        """Latents [B, C, L] -> log-mel [B, mels, 4 L] of what they sound like."""
        return self.log_mel(self.decode(latents))

    def _seeded(self, function, tensor: Tensor) -> Tensor:
        self.model.to(self.place)
        places = [self.place] if self.place.type == "cuda" else []
        without = patch.object(transformer, "flex_attention_compiled", None)
        with ONE_AT_A_TIME, torch.random.fork_rng(places), without:
            torch.manual_seed(derive(0, "SAME's noise"))
            return function(tensor.to(self.place)).float().cpu()
