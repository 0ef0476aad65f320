"""params.yaml -> frozen dataclasses. An unknown or ill-typed key is an error that names it."""

import json
from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from eisbach.errors import UserError

section = dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))


@section
class Scores:
    """Public-domain scores, arranged with a known amount of contrast and rendered."""

    kind: Literal["scores"] = "scores"
    path: str = "eisbach/data/pieces.json"  # which scores of music21's corpus
    soundfont: str = ""  # empty: the one that pretty_midi carries


@section
class MusicCaps:
    """The clips that the paper trained on, as far as the site still has them. docs/data.md says what may be done."""

    kind: Literal["musiccaps"] = "musiccaps"
    path: str = "music"  # a folder with musiccaps-public.csv; without one the table is fetched from the hub
    rows: int = 5521  # what the table must have
    subset: Literal["all", "train", "eval", "balanced"] = "all"
    limit: int = 0  # at most so many clips, in a seeded order; 0: all
    among: str = ""  # another run's status.parquet: only clips that it had
    cookies: str = ""  # a cookies.txt, for what the site shows to its users only
    workers: int = 4
    attempts: int = 4  # per clip and run, where the fault may pass
    backoff_seconds: float = 2.0  # before the second attempt; doubled before each further one
    timeout_seconds: float = 30.0
    heldout_share: float = 0.2  # of the clips, for a subset on one side of the official division
    min_coverage: float = 0.7  # of the clips asked for


@section
class Folder:
    """Audio files with captions, or latents that Stability's pre_encode_dataset.py made."""

    kind: Literal["folder"] = "folder"
    path: str = "music"
    captions: str = ""  # a CSV or JSONL table in the folder; empty: metadata.csv, metadata.jsonl, or .txt files
    group: str = ""  # a column of that table whose values must not be shared between splits; empty: each file alone
    licence: str = "unknown"  # of files whose table does not say
    min_seconds: float = 1.0  # shorter clips are left out
    silence_db: float = -60.0  # RMS below which a clip is silent
    heldout_share: float = 0.2  # of the groups that the table does not assign
    min_coverage: float = 0.5  # of the files found


@section
class Prepare:
    """The corpus. `clips` counts clips by split: so many are rendered; of recorded music at most so many are taken."""

    seed: int = 0
    clip_seconds: float = 10.0
    clips: dict[str, int] = field(default_factory=lambda: {"base": 64, "finetune": 192, "heldout": 96})
    corpus: Annotated[Scores | MusicCaps | Folder, Field(discriminator="kind")] = field(default_factory=Scores)


@section
class Model:
    """The base model that everything starts from. docs/sa3.md says how to use a released one."""

    source: str = ""  # a folder in the hub's layout, or a name on the hub; empty: the base that this package ships
    revision: str = ""  # of a name on the hub; empty: the pinned one
    sha256: str = ""  # that model.safetensors must have; empty: any. `encode` records the one it has
    accept: list[str] = field(default_factory=list)  # where model_config.json may differ from the known configuration
    dtype: Literal["float32", "bfloat16"] = "float32"  # of a released model's DiT; adapters are always float32
    device: str = "cpu"  # of a released model


@section
class Base:
    """The grid on which the held-out loss of the base is measured."""

    times_per_tenth: int = 2
    seed: int = 0


@section
class Arm:
    """One way of weighting samples: a name in `eisbach.weighting`'s registry and its settings."""

    weighting: str
    settings: dict[str, float | str] = field(default_factory=dict)
    follows: str = "barrier"  # the arm whose factors `constant`, `timestep` and `trace` replay


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
    norm_gradient: Literal["attached", "detached"] = "attached"  # through DoRA's norm: Stability's, or PEFT's
    betas: tuple[float, float] = (0.9, 0.95)
    ot_coupling: bool = False  # noise permuted within the batch to lie nearer to the clips
    silence_extension: float = 0.0  # mean seconds of the silence behind a clip that count as part of it
    inpainting: tuple[float, float, float] = (0.0, 1.0, 0.0)  # shares: random spans, everything, a continuation
    context_loss: float = 0.0  # weight of the loss on what inpainting keeps, outside the barrier
    clip_norm: float = 0.0  # of each arm's gradient; 0: none
    calibration_steps: int = 100  # steps whose draws freeze `constant` and `timestep`, under the untrained base
    checkpointing: bool = False  # the forward pass of each block again in the backward one: less memory, same result
    compile: bool = False  # each block by torch.compile: a slow start, other rounding
    arms_per_pass: int = 0  # arms that share a pass over the base; 0: all. Costs memory, changes no result
    save_every: int = 25  # steps between states to resume from
    validate_every: int = 0  # steps between unweighted losses on a fixed held-out grid; 0: never. Feeds nothing
    validation_clips: int = 8  # of that grid
    preview_every: int = 0  # steps between samples to listen to, in .cache; 0: never
    preview_prompts: int = 2
    loggers: list[Literal["dvclive", "tensorboard"]] = field(default_factory=list)  # of the course, in .cache


@section
class Generate:
    """Samples of every arm for fixed prompts, from the same noises."""

    prompts: int = 6
    noises: int = 3  # samples of each prompt
    steps: int = 25
    cfg_scale: float = 3.0
    noise_seed: int = 0


@section
class Evaluate:
    """The held-out grid on which every arm is measured, and what its samples are measured with."""

    clips: int = 48  # of the split heldout, evenly spaced over contrast
    times_per_tenth: int = 1
    seed: int = 0
    similarity: Literal["mel", "chroma", "latents"] = "mel"  # features of the self-similarity matrix
    embedders: list[Literal["musicnn", "yamnet"]] = field(default_factory=lambda: ["musicnn", "yamnet"])
    clap: str = ""  # a folder with LAION-CLAP's weights in the hub's layout; empty: not measured


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
    model: Model = field(default_factory=Model)
    base: Base = field(default_factory=Base)
    finetune: Finetune = field(default_factory=Finetune)
    imported: str = "adapters"  # a folder: every NAME.safetensors in it, in Stable Audio 3's format, is an arm NAME
    generate: Generate = field(default_factory=Generate)
    evaluate: Evaluate = field(default_factory=Evaluate)
    census: Census = field(default_factory=Census)
    pretrain: Pretrain = field(default_factory=Pretrain)
    toys: Toys = field(default_factory=Toys)


def read_yaml(path: str | Path, name: str, cure: str) -> object:
    """What a YAML file holds. Raises UserError, which calls the file `name`, when it is missing (then `cure` is what to
    do) or is not YAML.
    """
    try:
        return yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f"{name} is missing; {cure}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{name} is not readable as YAML: {' '.join(str(error).split())}") from error


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check the whole file.

    Raises UserError naming the file, the key and the fault when the file is missing, is not YAML, or has an
    unknown or ill-typed key.
    """
    path = Path(path)
    given = read_yaml(path, str(path), "run from the project's root, where params.yaml lies")
    try:
        return TypeAdapter(Params).validate_json(json.dumps(given or {}), strict=True)
    except ValidationError as error:
        raise UserError(f"{path}: {'; '.join(map(_fault, error.errors()))}; correct it and run again") from error


def _fault(fault: dict) -> str:
    loc = fault["loc"]
    if loc[:2] == ("prepare", "corpus"):
        loc = loc[:2] + loc[3:]  # pydantic names the kind there, which is no key
    key = ".".join(map(str, loc))
    if fault["type"] == "unexpected_keyword_argument":
        return f"unknown key '{key}'"
    return f"'{key}' is {fault['input']!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
