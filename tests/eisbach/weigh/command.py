"""What the tests of `eisbach weigh` share: noise, and the command with its numbers and its lines."""

import json

import torch

from eisbach import cli


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def weigh(*words) -> None:
    cli.main(["weigh", *map(str, words)])


def facts_of(capsys, tmp_path, *words) -> tuple[dict, list[str]]:
    weigh(*words, "--json", tmp_path / "facts.json")
    return json.loads((tmp_path / "facts.json").read_text()), capsys.readouterr().out.splitlines()
