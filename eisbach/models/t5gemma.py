"""T5Gemma, the text encoder of released checkpoints, from the location that a checkpoint's configuration names."""

from pathlib import Path

import torch
from stable_audio_tools.models.conditioners import T5GemmaConditioner
from torch import Tensor

from eisbach.errors import UserError
from eisbach.models.hub import MissingFile, Source, locate
from eisbach.models.text import CachedConditioner

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
MODEL = "google/t5gemma-b-b-ul2"
WIDTH = T5GemmaConditioner.T5GEMMA_MODEL_DIMS[MODEL]


class T5Gemma(CachedConditioner):
    """Captions -> token states `[B, max_length, 768]` in fp32 on the CPU, and mask `[B, max_length]`.

    `settings` is the "config" of the conditioner's entry in `model_config.json`. The encoder is loaded when the first
    caption is encoded, and runs on `device`.
    """

    def __init__(self, output_dim: int, settings: dict, checkpoint: Source, device: torch.device | str = "cpu"):
        super().__init__(WIDTH, output_dim, settings.get("project_out", False), settings.get("padding_mode", "zero"))
        self.settings, self.checkpoint, self.device = settings, checkpoint, device
        self.max_length = settings.get("max_length", 128)
        self.__dict__["encoder"] = None  # not a submodule: checkpoints and `to` leave its weights alone

    @torch.no_grad()
    def states(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        tokenizer, model = self._load()
        tokens = tokenizer(
            captions, truncation=True, max_length=self.max_length, padding="max_length", return_tensors="pt"
        )
        ids, mask = tokens["input_ids"].to(self.device), tokens["attention_mask"].to(self.device).bool()
        return model(input_ids=ids, attention_mask=mask).last_hidden_state.float().cpu(), mask.cpu()

    def _load(self):
        if self.encoder is None:
            self.__dict__["encoder"] = load(find(self.settings, self.checkpoint), self.device)
        return self.encoder


def find(settings: dict, checkpoint: Source) -> Path:
    """The local folder with the encoder and its tokenizer.

    The checkpoint's own `subfolder` comes first: the base repositories hold the same files as the gated repositories
    that their configurations name. Then the folder `model_path`, the repository `repo_id`, or Google's. Raises
    UserError when none of them has all files.
    """
    subfolder = settings.get("subfolder") or ""
    named = settings.get("model_path") or settings.get("repo_id") or MODEL
    reasons = []
    for candidate in ([checkpoint] if subfolder else []) + [named]:
        try:
            source = candidate if isinstance(candidate, Source) else locate(candidate)
            paths = [source.file(str(Path(subfolder) / name)) for name in FILES]
            return paths[0].parent
        except MissingFile as error:
            reasons.append(str(error))
    raise UserError(f"no text encoder where the model's configuration looks for it: {'; '.join(reasons)}")


def load(folder: Path, device: torch.device | str = "cpu"):
    """The tokenizer and the encoder in `folder`, frozen, in fp32. Raises UserError when the files cannot be read."""
    from transformers import AutoConfig, AutoTokenizer, T5GemmaEncoderModel
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()  # otherwise it lists the weights of the unused decoder
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if config.encoder.hidden_size != WIDTH:
            raise ValueError(f"its states have {config.encoder.hidden_size} features, not {WIDTH}")
        config.is_encoder_decoder = False
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model, report = T5GemmaEncoderModel.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
        if missing := sorted(report["missing_keys"]):
            raise ValueError(f"{len(missing)} tensors are missing, first '{missing[0]}'")
    except Exception as error:  # transformers, tokenizers and safetensors each raise their own type
        raise UserError(f"{folder} holds no T5Gemma ({' '.join(str(error).split())}); fetch it again") from error
    finally:
        logging.set_verbosity(before)
    return tokenizer, model.to(device).eval().requires_grad_(False)
