"""A checkpoint in the released layout: Medium's configuration at small widths, random weights, none of them zero.

Three widths are the released ones, because the released parts fix them: 768 text features, 4096 samples per latent, 64
features per head.
"""

import contextlib
import copy
import io
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from eisbach.models import config_check

CHANNELS = 8
TEXT = "t5gemma-b-b-ul2"
NARROWED = [  # the settings that `small_widths` changes, for model.accept
    "model.io_channels",
    "model.pretransform.config.latent_dim",
    "model.pretransform.config.bottleneck.config.dim",
    *(
        f"model.pretransform.config.{side}.config.{key}"
        for side in ("encoder", "decoder")
        for key in ("channels", "c_mults", "latent_dim", "transformer_depths")
    ),
    "model.pretransform.config.decoder.config.sinusoidal_blocks",
    *(
        f"model.diffusion.config.{key}"
        for key in ("io_channels", "embed_dim", "depth", "num_heads", "local_add_cond_dim", "num_memory_tokens")
    ),
]


def small_widths() -> dict:
    """Medium's `model_config.json` at small widths."""
    config = config_check.known("medium")
    model = config["model"]
    model["io_channels"] = CHANNELS
    codec = model["pretransform"]["config"]
    codec["latent_dim"] = codec["bottleneck"]["config"]["dim"] = CHANNELS
    for side in ("encoder", "decoder"):
        codec[side]["config"] |= {"channels": 64, "c_mults": [1], "latent_dim": CHANNELS, "transformer_depths": [2]}
        codec[side]["config"]["mask_noise"] = 0.01
    codec["decoder"]["config"]["sinusoidal_blocks"] = [2]
    model["diffusion"]["config"] |= {
        "io_channels": CHANNELS,
        "local_add_cond_dim": CHANNELS + 1,
        "num_memory_tokens": 4,
    }
    model["diffusion"]["config"] |= {"embed_dim": 128, "depth": 2, "num_heads": 2}
    model["conditioning"]["configs"][0]["config"]["max_length"] = 256
    return config


def write(folder: Path) -> Path:
    """Write to `folder` the files of a base model's repository that the loader reads; returns `folder`."""
    folder.mkdir(parents=True)
    config = small_widths()
    (folder / "model_config.json").write_text(json.dumps(config, indent=2))
    write_text_encoder(folder / TEXT)
    save_file(weights(config), folder / "model.safetensors")
    return folder


def weights(config: dict) -> dict[str, torch.Tensor]:
    """The tensors of stable-audio-tools' own model, and the padding that a T5Gemma conditioner adds to them."""
    from stable_audio_tools.models.factory import create_model_from_config

    config = copy.deepcopy(config)
    config["model"]["conditioning"]["configs"].pop(0)  # a checkpoint does not contain the encoder
    with torch.random.fork_rng(), contextlib.redirect_stdout(io.StringIO()):
        torch.manual_seed(0)
        state = create_model_from_config(config).state_dict()
        state["conditioner.conditioners.prompt.padding_embedding"] = torch.randn(768)
        for name, tensor in state.items():
            if not name.endswith(("inv_freq", "running_std")):
                tensor.add_(0.03 * torch.randn_like(tensor))
    return {name: tensor.contiguous() for name, tensor in state.items()}


def by_stability(folder: Path) -> torch.nn.Module:
    """The checkpoint in `folder`, built and loaded by Stability's own factory, frozen; the text encoder in fp32."""
    from safetensors.torch import load_file
    from stable_audio_tools.models.factory import create_model_from_config

    config = small_widths()
    encoder = config["model"]["conditioning"]["configs"][0]["config"]
    del encoder["repo_id"]
    encoder["model_path"] = str(folder)
    with contextlib.redirect_stdout(io.StringIO()):
        model = create_model_from_config(config)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    model.conditioner.conditioners["prompt"].model.float()
    return model.eval().requires_grad_(False)


def write_text_encoder(folder: Path) -> None:
    """Write an encoder and a decoder, like T5Gemma's files, in bf16, and a tokenizer of single bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5GemmaConfig, T5GemmaForConditionalGeneration

    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    vocabulary = {token: index for index, token in enumerate(special + sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing("<bos> $A", special_tokens=[("<bos>", 2)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>"
    ).save_pretrained(folder)
    half = {
        "hidden_size": 768,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "intermediate_size": 32,
        "vocab_size": len(vocabulary),
        "layer_types": ["sliding_attention", "full_attention"],
    }
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = T5GemmaForConditionalGeneration(
            T5GemmaConfig(encoder=half, decoder=half | {"num_hidden_layers": 1, "layer_types": ["full_attention"]})
        )
    model.bfloat16().save_pretrained(folder)
