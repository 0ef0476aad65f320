"""params.yaml as frozen dataclasses; docs/settings.md lists the settings, made from this file.

params.yaml is composed from conf/, which holds the defaults: a key that is missing, unknown or ill-typed, and a value
out of its range, is an error. `eisbach.pipeline.preflight` checks what goes beyond single values.
"""

import json
from dataclasses import field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from eisbach.errors import UserError
from eisbach.pipeline import faults, yaml_file
from eisbach.pipeline.ranges import (
    Beta,
    Count,
    CountOrNone,
    Device,
    Factor,
    InnerShare,
    Lambda,
    Name,
    Path,
    PerTenth,
    Rank,
    Rate,
    Regime,
    Seconds,
    Seed,
    Seeds,
    Sha256,
    Share,
    Shares,
    Text,
    unique,
)
from eisbach.pipeline.schedules import Constant, Cosine, InverseLR
from eisbach.pipeline.section import section


@section
class Scores:
    """Public-domain scores, arranged with a known amount of contrast and rendered."""

    kind: Literal["scores"]
    path: Path  # JSON list of scores from music21's corpus
    soundfont: Text  # empty: pretty_midi's


@section
class MusicCaps:
    """The clips that the paper trained on, as far as they are still online. docs/data.md explains the licence."""

    kind: Literal["musiccaps"]
    path: Path  # a folder with musiccaps-public.csv; without it the table is downloaded from the hub
    rows: Count  # expected rows of the table
    subset: Literal["all", "train", "eval", "balanced"]
    limit: CountOrNone  # maximum number of clips, taken in a seeded order; 0: all
    among: Text  # another run's status.parquet: only clips that it obtained
    cookies: Text  # a browser's cookies.txt, for clips that need a login
    workers: Annotated[int, Field(ge=1, le=256)]  # parallel downloads
    attempts: Annotated[int, Field(ge=1, le=100)]  # per clip and run, for transient errors
    backoff_seconds: Seconds  # before the second attempt; doubled before each further one
    timeout_seconds: Annotated[float, Field(gt=0, le=86_400)]
    heldout_share: InnerShare  # of the clips, for a subset on one side of the official split
    min_coverage: Share  # of the requested clips


@section
class Folder:
    """Audio files with captions, or latents made by Stability's pre_encode_dataset.py."""

    kind: Literal["folder"]
    path: Path
    captions: Text  # a CSV or JSONL table in the folder; empty: metadata.csv or .jsonl in any folder, or .txt files
    group: Text  # a column of that table whose values must not be shared between splits; empty: each file alone
    licence: Text  # of files without a licence in the table
    min_seconds: Annotated[float, Field(ge=0.1, le=3600)]  # shorter clips are left out
    silence_db: Annotated[float, Field(ge=-200, le=0)]  # RMS below which a clip is silent
    heldout_share: InnerShare  # of the groups that the table does not assign to a split
    min_coverage: Share  # of the files found


@section
class Prepare:
    """The corpus. `clips` is the number of clips by split: rendered exactly, and the maximum for recorded music."""

    seed: Seed
    clip_seconds: Annotated[float, Field(ge=0.1, le=3600)]  # of scores: 1 to 30
    clips: dict[Literal["base", "finetune", "heldout"], CountOrNone]
    level: Literal["rms", "lufs", "source"]  # recordings: clips at -26 dB RMS, files at -16 LUFS +- 2, as is
    corpus: Annotated[Scores | MusicCaps | Folder, Field(discriminator="kind")]

    @model_validator(mode="after")
    def _fits_its_corpus(self):
        for split in ("finetune", "heldout"):
            if self.clips.get(split, 0) < 1:
                raise ValueError(f"clips.{split} must be at least 1")
        if isinstance(self.corpus, Scores) and not 1 <= self.clip_seconds <= 30:
            raise ValueError(f"clip_seconds is {self.clip_seconds:g}; a clip of scores has 1 to 30 seconds")
        if isinstance(self.corpus, Scores) and 0 in self.clips.values():
            raise ValueError("clips has a split with 0 clips, which scores do not allow; leave that split out")
        if isinstance(self.corpus, Folder) and self.corpus.min_seconds > self.clip_seconds:
            raise ValueError(f"corpus.min_seconds is above clip_seconds, {self.clip_seconds:g}")
        return self


@section
class Model:
    """The base model. docs/sa3.md explains how to use a released one."""

    source: Text  # a folder in the hub's layout, or a name on the hub; empty: the base in this package
    revision: Text  # of a name on the hub; empty: the pinned one
    sha256: Sha256  # expected hash of model.safetensors; empty: any. `encode` records the actual one
    accept: list[Text]  # keys in which model_config.json may differ from the known configuration
    dtype: Literal["float32", "bfloat16"]  # of a released model's DiT; adapters are always float32
    rounding: Literal["weight", "output"]  # what an adapted layer rounds to `dtype`; weight: Stability's
    device: Device  # of a released model

    @model_validator(mode="after")
    def _shipped_has_no_choices(self):
        given = self.revision or self.sha256 or self.accept or self.dtype != "float32" or self.device != "cpu"
        if not self.source and given:
            raise ValueError(
                "source is empty, which is the model in this package: leave revision, sha256 and accept empty, dtype "
                "float32 and device cpu, or name a source"
            )
        return self


@section
class Base:
    """The grid on which the held-out loss of the base is measured."""

    times_per_tenth: PerTenth
    seed: Seed


def _distinct_files(arms: dict[str, object]) -> dict[str, object]:
    """`arms` themselves. Raises ValueError for names that differ in case only: a disk may take them for one file."""
    unique([name.lower() for name in arms])
    return arms


@section
class Arm:
    """One way of weighting samples: a name in `eisbach.weighting`'s registry and its settings."""

    weighting: str
    settings: dict[str, int | float | str] = field(default_factory=dict)
    follows: Name = "barrier"  # the arm whose factors `constant`, `timestep` and `trace` replay


@section
class Finetune:
    """Adapters on the frozen base. All arms of a seed share data order, noise, t, dropout and initial adapter."""

    plugins: list[Text]  # files and modules that register weightings of your own; docs/training.md
    arms: Annotated[dict[Name, Arm], Field(min_length=1), AfterValidator(_distinct_files)]
    adapter: Literal["dora", "lora"]
    rank: Rank
    alpha: Annotated[float, Field(gt=0, le=1_000_000)]
    conditioner: bool  # train the layer of the duration's conditioner too, as Stability's trainer does
    init_from: Text  # an adapter's file or folder from which every arm starts; empty: the seed's draw
    lr: Rate
    schedule: Annotated[Constant | Cosine | InverseLR, Field(discriminator="kind")]  # of the learning rate
    warmup_steps: Annotated[int, Field(ge=0, le=1_000_000_000)]  # linear rise of the rate from 0, times `schedule`
    weight_decay: Rate
    batch: Count  # clips of a pass
    accumulate: Count  # passes of a step, whose gradient is that of one large batch
    steps: Count
    cfg_dropout: Share  # share of samples trained without conditioning
    norm_gradient: Literal["attached", "detached"]  # through DoRA's norm: Stability's, or PEFT's
    betas: tuple[Beta, Beta]
    crop_seconds: Seconds  # a longer clip gives a random part of this length at each step; 0: whole clips
    ot_coupling: bool  # permute the noise within the batch so that it is closer to the clips
    silence_extension: Seconds  # mean seconds of the silence after a clip that count as part of it
    inpainting: Shares  # shares of random spans, full generation, continuation
    context_loss: Factor  # weight of the loss on the inpainting context; the barrier does not see it
    clip_norm: Factor  # maximum norm of each arm's gradient; 0: no clipping
    calibration_steps: Count  # steps whose factors under the untrained base freeze `constant` and `timestep`
    checkpointing: bool  # recompute each block in the backward pass: less memory, same result
    compile: bool  # torch.compile each block: a slow start, other rounding
    arms_per_pass: CountOrNone  # arms that share a pass over the base; 0: all. Costs memory, changes no result
    save_every: CountOrNone  # steps between saved states; 0: never
    validate_every: CountOrNone  # steps between unweighted losses on a fixed held-out grid; 0: never. Changes no result
    validation_clips: Count  # of that grid
    preview_every: CountOrNone  # steps between audio previews, written to .cache; 0: never
    preview_prompts: Count
    export_every: CountOrNone  # steps between adapters in Stable Audio 3's format, in .cache; 0: never
    loggers: Annotated[list[Literal["dvclive", "tensorboard"]], AfterValidator(unique)]  # write to .cache


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"the interval starts at {ends[0]:g} and ends at {ends[1]:g}; it must start first")
    return ends


@section
class Generate:
    """Samples of every arm for fixed prompts, from the same noise."""

    prompts: Count | Literal["paper"]  # a number of held-out captions; paper: its four prompts, 120 s
    noises: Count  # samples of each prompt
    steps: Count
    cfg_scale: Annotated[float, Field(ge=0, le=100)]
    apg: Share  # of guidance taken orthogonal to the prediction; 0: classifier-free guidance, 1: Stability's
    schedule: Literal["training", "sampling"]  # times: training's shift, or the model's own for sampling
    headroom_seconds: Seconds  # generated after each clip and cut off
    negative_prompt: Text  # guidance leads away from it; empty: away from no prompt
    strength: Annotated[float, Field(ge=-100, le=100)]  # factor of the adapter's change of the weights; 0: the base
    interval: Annotated[tuple[Share, Share], AfterValidator(_ascending)]  # the adapter acts at t in [start, end]
    noise_seed: Seed


@section
class Evaluate:
    """The held-out grid on which every arm is measured, and the metrics of its samples."""

    clips: Count  # of the split heldout, evenly spaced over contrast
    times_per_tenth: PerTenth
    seed: Seed
    similarity: Literal["mel", "chroma", "latents"]  # features of the self-similarity matrix
    embedders: Annotated[list[Literal["musicnn"]], AfterValidator(unique)]
    clap: Text  # a folder with LAION-CLAP's weights in the hub's layout; empty: no CLAP metrics


@section
class Census:
    """Weights on held-out latents under the base model, without training."""

    times_per_tenth: PerTenth
    lam: Lambda
    seed: Seed
    powers: Annotated[
        list[Annotated[float, Field(gt=0, le=1)]], AfterValidator(unique)
    ]  # of flattened held-out latents, at t below .1


@section
class WeightMap:
    """The map of what the weight can do: simulated weights over statistics of the latents."""

    seed: Seed
    draws: Annotated[int, Field(ge=2, le=1_000_000)]  # simulated samples per cell


@section
class Toys:
    """Toy models with known truth. Seeds 1000 and above are for development."""

    seeds: Seeds
    regimes: Annotated[list[Regime], Field(min_length=1), AfterValidator(unique)]
    arms: Annotated[list[str], Field(min_length=1), AfterValidator(unique)]
    lam: Lambda
    lams: Annotated[list[Lambda], Field(min_length=1), AfterValidator(unique)]
    swept: Annotated[list[str], AfterValidator(unique)]  # arms trained at every lambda of `lams`; all others at `lam`
    sgd_arms: Annotated[list[str], AfterValidator(unique)]  # arms trained by SGD too, at `lam`
    length: Annotated[float, Field(gt=0, le=1000)]  # share of each regime's training steps
    samples: Annotated[int, Field(ge=2, le=1_000_000)]
    heldout: Annotated[int, Field(ge=2, le=1_000_000)]  # draws of each class at each of twenty times
    block: Count  # seeds trained together


@section
class Pretrain:
    """`make pretrain`: how the shipped base was made."""

    seed: Seed
    clips: Count  # of the split base, more than the pipeline's so that data is not the bottleneck
    steps: Count
    batch: Count
    lr: Rate
    warmup_steps: Count
    weight_decay: Rate
    ema: Beta
    cfg_dropout: Share  # share of samples trained without cross-attention
    inpainting: Share  # share of samples that keep a span of the clip as context
    save_every: CountOrNone  # steps between saved states; 0: never


@section
class Params:
    """All of params.yaml; a stage reads its own section."""

    seeds: Seeds
    prepare: Prepare
    model: Model
    base: Base
    finetune: Finetune
    imported: Path  # a folder: every NAME.safetensors in it, in Stable Audio 3's format, is an arm NAME
    generate: Generate
    evaluate: Evaluate
    census: Census
    weight_map: WeightMap
    pretrain: Pretrain
    toys: Toys

    @model_validator(mode="after")
    def _enough_clips(self):
        for key, count, split, clips in (
            ("finetune.batch", self.finetune.batch, "finetune", self.prepare.clips["finetune"]),
            ("generate.prompts", self.generate.prompts, "heldout", self.prepare.clips["heldout"]),
            ("evaluate.clips", self.evaluate.clips, "heldout", self.prepare.clips["heldout"]),
        ):
            if count != "paper" and count > clips:
                raise ValueError(f"{key} is {count}, but prepare.clips.{split} is {clips}; lower the former")
        if self.pretrain.batch > self.pretrain.clips:
            raise ValueError(f"pretrain.batch is {self.pretrain.batch}, above pretrain.clips, {self.pretrain.clips}")
        return self


def load(path: str = "params.yaml") -> Params:
    """Read and check the whole file.

    Raises UserError naming the file, the key and the fault when the file is missing, is not YAML, or has a missing,
    unknown or ill-typed key or a value out of its range.
    """
    given = yaml_file.read(path, str(path), "run from the project's root, which holds params.yaml")
    return checked(given, str(path), "correct it, or write it anew with `python -m eisbach.compose`")


def checked(given: object, name: str, cure: str) -> Params:
    """The settings `given` as plain YAML values. Raises UserError, naming their source `name`, each key and its fault,
    with `cure` as what the user should do.
    """
    if not isinstance(given, dict):
        raise UserError(f"{name} {'is empty' if given is None else 'has no sections, such as `finetune:`'}; {cure}")
    try:
        return TypeAdapter(Params).validate_json(json.dumps(given), strict=True)
    except ValidationError as error:
        raise UserError(f"{name}: {faults.sentence(error)}; {cure}") from error
