"""Stable Audio 3's own text encoder, T5Gemma, from where a checkpoint's configuration says."""

from pathlib import Path

import torch
from stable_audio_tools.models.conditioners import T5GemmaConditioner
from torch import Tensor

from eisbach.errors import UserError
from eisbach.models.hub import Missing, Place, place
from eisbach.models.text import CachedConditioner

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
MODEL = "google/t5gemma-b-b-ul2"
WIDTH = T5GemmaConditioner.T5GEMMA_MODEL_DIMS[MODEL]


class T5Gemma(CachedConditioner):
    """Captions -> token states [B, max_length, 768], fp32 on the CPU, and their mask.

    `settings` are the entry's of the configuration, `home` the place of the checkpoint. The encoder is loaded when a
    caption is first encoded, and works on `device`.
    """

    def __init__(self, output_dim: int, settings: dict, home: Place, device: torch.device | str = "cpu"):
        super().__init__(WIDTH, output_dim, settings.get("project_out", False), settings.get("padding_mode", "zero"))
        self.settings, self.home, self.device = settings, home, device
        self.max_length = settings.get("max_length", 128)
        self.__dict__["encoder"] = None  # no submodule: its weights stay out of checkpoints and of `to`

    @torch.no_grad()
    def states(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        if self.encoder is None:
            self.__dict__["encoder"] = load(find(self.settings, self.home), self.device)
        tokenizer, model = self.encoder
        tokens = tokenizer(
            captions, truncation=True, max_length=self.max_length, padding="max_length", return_tensors="pt"
        )
        ids, mask = tokens["input_ids"].to(self.device), tokens["attention_mask"].to(self.device).bool()
        return model(input_ids=ids, attention_mask=mask).last_hidden_state.float().cpu(), mask.cpu()


def find(settings: dict, home: Place) -> Path:
    """The folder with the encoder and its tokenizer.

    Beside the checkpoint first: the base repositories carry the same files as the gated ones that their configuration
    names. Then the folder `model_path`, the repository `repo_id`, or Google's own. Raises UserError when a file is
    nowhere.
    """
    subfolder = settings.get("subfolder") or ""
    elsewhere = settings.get("model_path") or settings.get("repo_id") or MODEL
    reasons = []
    for where in ([home] if subfolder else []) + [elsewhere]:
        try:
            at = where if isinstance(where, Place) else place(where)
            paths = [at.file(str(Path(subfolder) / name)) for name in FILES]
            return paths[0].parent
        except Missing as error:
            reasons.append(str(error))
    raise UserError(f"the text encoder is not where the model's configuration says: {'; '.join(reasons)}")


def load(folder: Path, device: torch.device | str = "cpu"):
    """Its tokenizer and its encoder, frozen, in fp32. Raises UserError when the files do not hold them."""
    from transformers import AutoConfig, AutoTokenizer, T5GemmaEncoderModel
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()  # it would list the decoder's weights, which are there and not needed
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if config.encoder.hidden_size != WIDTH:
            raise ValueError(f"states of {config.encoder.hidden_size} numbers, not {WIDTH}")
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
    except Exception as error:  # transformers, tokenizers and safetensors each have their own
        raise UserError(f"{folder} holds no T5Gemma ({' '.join(str(error).split())}); fetch it again") from error
    finally:
        logging.set_verbosity(before)
    return tokenizer, model.to(device).eval().requires_grad_(False)
