"""params.yaml as frozen dataclasses. `python -m eisbach.pipeline.params` checks the file.

params.yaml is composed from conf/, which holds the defaults: a key that is missing, unknown or ill-typed is an error.
"""

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

    kind: Literal["scores"]
    path: str  # JSON list of scores from music21's corpus
    soundfont: str  # empty: pretty_midi's


@section
class MusicCaps:
    """The clips that the paper trained on, as far as they are still online. docs/data.md explains the licence."""

    kind: Literal["musiccaps"]
    path: str  # a folder with musiccaps-public.csv; without it the table is downloaded from the hub
    rows: int  # expected rows of the table
    subset: Literal["all", "train", "eval", "balanced"]
    limit: int  # maximum number of clips, taken in a seeded order; 0: all
    among: str  # another run's status.parquet: only clips that it obtained
    cookies: str  # a browser's cookies.txt, for clips that need a login
    workers: int  # parallel downloads
    attempts: int  # per clip and run, for transient errors
    backoff_seconds: float  # before the second attempt; doubled before each further one
    timeout_seconds: float
    heldout_share: float  # of the clips, for a subset on one side of the official split
    min_coverage: float  # of the requested clips


@section
class Folder:
    """Audio files with captions, or latents made by Stability's pre_encode_dataset.py."""

    kind: Literal["folder"]
    path: str
    captions: str  # a CSV or JSONL table in the folder; empty: metadata.csv, metadata.jsonl, or .txt files
    group: str  # a column of that table whose values must not be shared between splits; empty: each file alone
    licence: str  # of files without a licence in the table
    min_seconds: float  # shorter clips are left out
    silence_db: float  # RMS below which a clip is silent
    heldout_share: float  # of the groups that the table does not assign to a split
    min_coverage: float  # of the files found


@section
class Prepare:
    """The corpus. `clips` is the number of clips by split: rendered exactly, and the maximum for recorded music."""

    seed: int
    clip_seconds: float
    clips: dict[str, int]
    corpus: Annotated[Scores | MusicCaps | Folder, Field(discriminator="kind")]


@section
class Model:
    """The base model. docs/sa3.md explains how to use a released one."""

    source: str  # a folder in the hub's layout, or a name on the hub; empty: the base in this package
    revision: str  # of a name on the hub; empty: the pinned one
    sha256: str  # expected hash of model.safetensors; empty: any. `encode` records the actual one
    accept: list[str]  # keys in which model_config.json may differ from the known configuration
    dtype: Literal["float32", "bfloat16"]  # of a released model's DiT; adapters are always float32
    device: str  # of a released model


@section
class Base:
    """The grid on which the held-out loss of the base is measured."""

    times_per_tenth: int
    seed: int


@section
class Arm:
    """One way of weighting samples: a name in `eisbach.weighting`'s registry and its settings."""

    weighting: str
    settings: dict[str, float | str] = field(default_factory=dict)
    follows: str = "barrier"  # the arm whose factors `constant`, `timestep` and `trace` replay


@section
class Finetune:
    """Adapters on the frozen base. All arms of a seed share data order, noise, t, dropout and initial adapter."""

    arms: dict[str, Arm]
    adapter: Literal["dora", "lora"]
    rank: int
    alpha: float
    lr: float
    weight_decay: float
    batch: int
    steps: int
    cfg_dropout: float  # share of samples trained without conditioning
    norm_gradient: Literal["attached", "detached"]  # through DoRA's norm: Stability's, or PEFT's
    betas: tuple[float, float]
    ot_coupling: bool  # permute the noise within the batch so that it is closer to the clips
    silence_extension: float  # mean seconds of the silence after a clip that count as part of it
    inpainting: tuple[float, float, float]  # shares of random spans, full generation, continuation
    context_loss: float  # weight of the loss on the inpainting context; the barrier does not see it
    clip_norm: float  # maximum norm of each arm's gradient; 0: no clipping
    calibration_steps: int  # steps whose factors under the untrained base freeze `constant` and `timestep`
    checkpointing: bool  # recompute each block in the backward pass: less memory, same result
    compile: bool  # torch.compile each block: a slow start, other rounding
    arms_per_pass: int  # arms that share a pass over the base; 0: all. Costs memory, changes no result
    save_every: int  # steps between saved states
    validate_every: int  # steps between unweighted losses on a fixed held-out grid; 0: never. Changes no result
    validation_clips: int  # of that grid
    preview_every: int  # steps between audio previews, written to .cache; 0: never
    preview_prompts: int
    loggers: list[Literal["dvclive", "tensorboard"]]  # write to .cache


@section
class Generate:
    """Samples of every arm for fixed prompts, from the same noise."""

    prompts: int
    noises: int  # samples of each prompt
    steps: int
    cfg_scale: float
    noise_seed: int


@section
class Evaluate:
    """The held-out grid on which every arm is measured, and the metrics of its samples."""

    clips: int  # of the split heldout, evenly spaced over contrast
    times_per_tenth: int
    seed: int
    similarity: Literal["mel", "chroma", "latents"]  # features of the self-similarity matrix
    embedders: list[Literal["musicnn", "yamnet"]]
    clap: str  # a folder with LAION-CLAP's weights in the hub's layout; empty: no CLAP metrics


@section
class Census:
    """Weights on held-out latents under the base model, without training."""

    times_per_tenth: int
    lam: float
    seed: int


@section
class Toys:
    """Toy models with known truth. Seeds 1000 and above are for development."""

    seeds: list[int]
    regimes: list[str]
    arms: list[str]
    lam: float
    lams: list[float]
    swept: list[str]  # arms trained at every lambda of `lams`; all others at `lam`
    sgd_arms: list[str]  # arms trained by SGD too, at `lam`
    length: float  # share of each regime's training steps
    samples: int
    heldout: int  # draws of each class at each of twenty times
    block: int  # seeds trained together


@section
class Pretrain:
    """`make pretrain`: how the shipped base was made."""

    seed: int
    clips: int  # of the split base, more than the pipeline's so that data is not the bottleneck
    steps: int
    batch: int
    lr: float
    warmup_steps: int
    weight_decay: float
    ema: float
    cfg_dropout: float  # share of samples trained without cross-attention
    inpainting: float  # share of samples that keep a span of the clip as context
    save_every: int


@section
class Params:
    """All of params.yaml; a stage reads its own section."""

    seeds: list[int]
    prepare: Prepare
    model: Model
    base: Base
    finetune: Finetune
    imported: str  # a folder: every NAME.safetensors in it, in Stable Audio 3's format, is an arm NAME
    generate: Generate
    evaluate: Evaluate
    census: Census
    pretrain: Pretrain
    toys: Toys


def read_yaml(path: str | Path, name: str, cure: str) -> object:
    """The content of a YAML file. Raises UserError, naming the file `name`, when it is missing (then with `cure`, what
    the user should do) or is not YAML.
    """
    try:
        return yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f"{name} is missing; {cure}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{name} is not readable as YAML: {' '.join(str(error).split())}") from error


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check the whole file.

    Raises UserError naming the file, the key and the fault when the file is missing, is not YAML, or has a missing,
    unknown or ill-typed key.
    """
    given = read_yaml(path, str(path), "run from the project's root, which holds params.yaml")
    return checked(given, str(path), "correct it, or write it anew with `python -m eisbach.compose`")


def checked(given: object, name: str, cure: str) -> Params:
    """The settings `given` as plain YAML values. Raises UserError, naming their source `name`, each key and its fault,
    with `cure` as what the user should do.
    """
    try:
        return TypeAdapter(Params).validate_json(json.dumps(given or {}), strict=True)
    except ValidationError as error:
        raise UserError(f"{name}: {'; '.join(map(_fault, error.errors()))}; {cure}") from error


def _fault(fault: dict) -> str:
    loc = fault["loc"]
    if loc[:2] == ("prepare", "corpus"):
        loc = loc[:2] + loc[3:]  # pydantic inserts the corpus's kind there, which is not a key
    key = ".".join(map(str, loc))
    if fault["type"] == "unexpected_keyword_argument":
        return f"unknown key '{key}'"
    if fault["type"] in ("missing", "missing_argument"):
        return f"missing key '{key}'"
    return f"'{key}' is {fault['input']!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}"


def main() -> None:
    from eisbach.pipeline.command import parser

    parser(__doc__).parse_args()
    load()


if __name__ == "__main__":
    from eisbach.pipeline.command import run

    run(main)
