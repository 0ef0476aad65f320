"""params.yaml -> frozen dataclasses. An unknown or ill-typed key is an error that names it."""

import json
from dataclasses import field
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from eisbach.errors import UserError

section = dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))


@section
class Prepare:
    """The corpus of rendered scores. Counts are clips; every piece belongs to one split."""

    seed: int = 0
    clip_seconds: float = 10.0
    clips: dict[str, int] = field(default_factory=lambda: {"base": 64, "finetune": 192, "heldout": 96})
    soundfont: str = ""  # empty: the one that pretty_midi carries


@section
class Base:
    """The model that is fine-tuned, and the grid on which its held-out loss is measured."""

    folder: str = ""  # a folder in the hub's layout; empty: the base that this package ships
    times_per_tenth: int = 2
    seed: int = 0


@section
class Arm:
    """One way of weighting samples: a name in `eisbach.weighting`'s registry and its settings."""

    weighting: str
    settings: dict[str, float | str] = field(default_factory=dict)


@section
class Finetune:
    """Adapters on the frozen base. All arms of a seed share data order, noise, t, dropout and initial adapter."""

    arms: dict[str, Arm] = field(default_factory=lambda: {"baseline": Arm("baseline"), "barrier": Arm("barrier")})
    adapter: Literal["dora", "lora"] = "dora"
    rank: int = 16
    alpha: float = 16.0
    lr: float = 5e-4
    weight_decay: float = 0.01
    batch: int = 4
    steps: int = 100
    cfg_dropout: float = 0.1


@section
class Generate:
    """Samples of every arm for fixed prompts, from the same noise."""

    prompts: int = 6
    steps: int = 25
    cfg_scale: float = 3.0
    noise_seed: int = 0


@section
class Census:
    """Weights on held-out latents under the base model, without training."""

    times_per_tenth: int = 2
    lam: float = 0.5
    seed: int = 0


@section
class Toys:
    """Toy models with known truth. Seeds 1000 and above are for development."""

    seeds: list[int] = field(default_factory=lambda: list(range(12)))
    regimes: list[str] = field(default_factory=lambda: ["analytic"])
    arms: list[str] = field(default_factory=lambda: ["baseline", "barrier"])
    lam: float = 0.5
    lams: list[float] = field(default_factory=lambda: [0.5])
    swept: list[str] = field(default_factory=lambda: ["barrier"])  # arms that take every lambda of `lams`, not `lam`
    sgd_arms: list[str] = field(default_factory=list)  # arms trained by SGD too, at `lam`
    length: float = 1.0  # share of each regime's training steps
    samples: int = 256
    heldout: int = 48  # draws of each class at each of twenty times
    block: int = 4  # seeds trained together


@section
class Pretrain:
    """`make pretrain`: how the shipped base was made. Its corpus is larger, so that it is never the bottleneck."""

    seed: int = 0
    clips: int = 3000
    steps: int = 6000
    batch: int = 16
    lr: float = 2e-3
    warmup_steps: int = 200
    weight_decay: float = 0.01
    ema: float = 0.999
    cfg_dropout: float = 0.1  # share of samples trained without cross-attention
    inpainting: float = 0.1  # share of samples that keep a span of the clip as context
    save_every: int = 200


@section
class Params:
    """All of params.yaml; a stage reads its own section."""

    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3])
    prepare: Prepare = field(default_factory=Prepare)
    base: Base = field(default_factory=Base)
    finetune: Finetune = field(default_factory=Finetune)
    generate: Generate = field(default_factory=Generate)
    census: Census = field(default_factory=Census)
    pretrain: Pretrain = field(default_factory=Pretrain)
    toys: Toys = field(default_factory=Toys)


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check the whole file.

    Raises UserError naming the file, the key and the fault when the file is missing, is not YAML, or has an
    unknown or ill-typed key.
    """
    path = Path(path)
    try:
        given = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run from the project's root, where params.yaml lies") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable as YAML: {' '.join(str(error).split())}") from error
    try:
        return TypeAdapter(Params).validate_json(json.dumps(given or {}), strict=True)
    except ValidationError as error:
        raise UserError(f"{path}: {'; '.join(map(_fault, error.errors()))}; correct it and run again") from error


def _fault(fault: dict) -> str:
    key = ".".join(map(str, fault["loc"]))
    if fault["type"] == "unexpected_keyword_argument":
        return f"unknown key '{key}'"
    return f"'{key}' is {fault['input']!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
