"""Audio previews during training, always of the same prompts and from the same noise."""

from dataclasses import replace
from pathlib import Path

import soundfile
import torch
from torch import nn

from eisbach.adapters.merged import merged
from eisbach.adapters.paired import PairedAdapters
from eisbach.data.latents import Latents
from eisbach.inference.generate import generate, prompts
from eisbach.pipeline.files import replacing
from eisbach.pipeline.params import Finetune, Generate
from eisbach.seeds import derive


def write(
    model: nn.Module,
    adapters: PairedAdapters,
    heldout: Latents,
    settings: Finetune,
    sampling: Generate,
    folder: Path,
    steps: int,
) -> None:
    """Write one FLAC per arm and prompt to `folder`: `<arm>/<steps done>-<prompt>.flac`.

    The prompts are `preview_prompts` held-out captions, evenly spaced over contrast, sampled with the settings of
    `generate`. Each file is written completely or not at all.
    """
    asked = prompts(heldout, settings.preview_prompts)
    noise_seed = derive(sampling.noise_seed, "preview")
    for arm in adapters.arms:
        with merged(adapters, arm):
            made = generate(model, asked, replace(sampling, noises=1), noise_seed)
        for index, latents in enumerate(made):
            with torch.no_grad():
                audio = model.pretransform.decode(latents)[0]
            with replacing(folder / arm / f"{steps:06d}-{index:02d}.flac") as temporary:
                samples = audio.T.clamp(-1, 1).numpy()
                soundfile.write(temporary, samples, model.sample_rate, format="FLAC")
