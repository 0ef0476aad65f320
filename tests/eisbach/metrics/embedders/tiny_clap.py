"""A CLAP checkpoint in LAION's layout, a thousandth of its size, with random weights."""

import json
from pathlib import Path

import torch

LETTERS = sorted(set("aslowfastpianoorganpiececaption0123456789"))
DIMENSION = 16


def save(folder: Path) -> None:
    """Write the model and its processor into `folder` with `save_pretrained`."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor, RobertaTokenizer

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = [*LETTERS, "\u0120"]  # the characters of GPT-2's vocabulary, whose space is U+0120
    vocabulary = {token: index for index, token in enumerate(special + letters)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = RobertaTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=60)
    config = ClapConfig(
        text_config={
            "vocab_size": len(vocabulary),
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 64,
            "projection_dim": DIMENSION,
        },
        audio_config={
            "patch_embeds_hidden_size": 16,
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 2, 2],
            "hidden_size": 128,
            "projection_dim": DIMENSION,
            "enable_fusion": False,
        },
        projection_dim=DIMENSION,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ClapModel(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    extractor = ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    ClapProcessor(extractor, tokenizer).save_pretrained(folder)
