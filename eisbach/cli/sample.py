"""Generate audio for your own prompts, with or without adapters, and write FLAC files."""

import argparse
import math
from contextlib import AbstractContextManager
from pathlib import Path

STABILITY = {"steps": 100, "apg": 1.0, "schedule": "sampling", "headroom": 6.0}
PLAIN = {"steps": 50, "apg": 0.0, "schedule": "training", "headroom": 0.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompts", nargs="+", metavar="PROMPT", help="the text of one sample")
    parser.add_argument("--out", type=Path, default=Path("samples"), help="the folder to write to (default: samples)")
    parser.add_argument("--seconds", type=finite, default=10.0, help="length of each sample (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    parser.add_argument("--negative", default="", metavar="PROMPT", help="a prompt that guidance leads away from")
    parser.add_argument("--cfg", type=finite, default=3.0, help="scale of guidance; 1: none (default: 3)")
    parser.add_argument("--steps", type=int, help="Euler steps (default: 50; of released models 100)")
    parser.add_argument(
        "--apg", type=finite, help="0: classifier-free guidance, 1: Stability's (default: 0; released 1)"
    )
    parser.add_argument(
        "--schedule", choices=("training", "sampling"), help="times (default: training; released: sampling)"
    )
    parser.add_argument(
        "--headroom", type=finite, help="seconds generated after each sample and cut off (default: 0; released: 6)"
    )
    parser.add_argument(
        "--adapter",
        action="append",
        type=Path,
        default=[],
        metavar="PATH",
        help="a file in Stable Audio 3's format or a folder in PEFT's; may be given several times",
    )
    parser.add_argument(
        "--strength", action="append", type=finite, default=[], help="of each adapter, in the same order (default: 1)"
    )
    parser.add_argument(
        "--interval",
        nargs=2,
        type=finite,
        default=(0.0, 1.0),
        metavar=("START", "END"),
        help="the adapters act only at t in [START, END]; 1 is noise, 0 is data (default: 0 1)",
    )
    parser.add_argument(
        "--model", default="", metavar="SOURCE", help="a folder or a name on the hub (default: the shipped base)"
    )
    parser.add_argument("--revision", default="", help="of a name on the hub (default: the pinned one)")
    parser.add_argument(
        "--accept", nargs="*", default=[], metavar="KEY", help="settings in which the model's configuration may differ"
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of a released model's DiT (default: float32)",
    )
    parser.add_argument(
        "--rounding",
        choices=("weight", "output"),
        default="weight",
        help="what an adapted bfloat16 layer rounds (default: weight)",
    )
    parser.add_argument("--device", default="cpu", help="of a released model (default: cpu)")


def finite(text: str) -> float:
    """The number that `text` spells. Raises ArgumentTypeError for other text, NaN and infinities."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text}' is not a finite number")
    return value


def run(arguments: argparse.Namespace) -> None:
    """Write `NN.flac` for each prompt and print its path. Raises UserError for arguments that do not fit."""
    from eisbach.errors import UserError

    strengths = arguments.strength or [1.0] * len(arguments.adapter)
    if len(strengths) != len(arguments.adapter):
        raise UserError(
            f"{len(strengths)} strengths for {len(arguments.adapter)} adapters; give --strength once for each --adapter"
        )
    start, end = arguments.interval
    if not 0 <= start <= end <= 1:
        raise UserError(f"--interval is {start:g} {end:g}; give a start and an end with 0 <= start <= end <= 1")
    if arguments.seconds <= 0:
        raise UserError(f"--seconds is {arguments.seconds:g}; give a positive length")
    if (arguments.headroom or 0) < 0:
        raise UserError(f"--headroom is {arguments.headroom:g}; give 0 or more seconds")
    if arguments.steps is not None and arguments.steps < 1:
        raise UserError(f"--steps is {arguments.steps}; give at least 1")

    import soundfile
    import torch

    from eisbach.adapters import imported
    from eisbach.inference.generate import generate, written
    from eisbach.models import closed_form
    from eisbach.pipeline.files import replacing
    from eisbach.pipeline.params import Generate, Model
    from eisbach.pipeline.progress import track
    from eisbach.pipeline.stages import loading

    model = loading.model(
        Model(
            source=arguments.model,
            revision=arguments.revision,
            sha256="",
            accept=arguments.accept,
            dtype=arguments.dtype,
            rounding=arguments.rounding,
            device=arguments.device,
        )
    )
    longest = model.conditioner.conditioners["seconds_total"].max_val
    if arguments.seconds > longest:
        raise UserError(f"--seconds is {arguments.seconds:g}, and the model knows at most {longest:g}; ask for less")
    closed_form.use(model.model.model)
    defaults = PLAIN if model.regime == "small" else STABILITY
    given = {
        name: value if (value := getattr(arguments, name)) is not None else usual for name, usual in defaults.items()
    }
    settings = Generate(
        prompts=1,
        noises=1,
        steps=given["steps"],
        cfg_scale=arguments.cfg,
        apg=given["apg"],
        schedule=given["schedule"],
        headroom_seconds=given["headroom"],
        negative_prompt=arguments.negative,
        strength=1.0,
        interval=(start, end),
        noise_seed=arguments.seed,
    )
    adapters = [(path, imported.read(path), one) for path, one in zip(arguments.adapter, strengths, strict=True)]

    def use_adapters(factor: float) -> AbstractContextManager:
        return _added(model, adapters, factor, arguments.rounding)

    for index, prompt in enumerate(track(arguments.prompts, "sample", len(arguments.prompts))):
        asked = written(model, [prompt], arguments.seconds)
        latents = generate(model, asked, settings, arguments.seed, use_adapters)[0]
        with torch.no_grad():
            audio = model.pretransform.decode(latents)[0, :, : round(arguments.seconds * model.sample_rate)]
        path = arguments.out / f"{index:02d}.flac"
        with replacing(path) as temporary:
            soundfile.write(temporary, audio.T.clamp(-1, 1).numpy(), model.sample_rate, format="FLAC")
        print(path)


def _added(model, adapters: list, factor: float, rounding: str) -> AbstractContextManager:
    """A context in which `model` has all `adapters` (path, what `imported.read` found there, strength), one on top of
    the other; none for factor 0."""
    from contextlib import ExitStack

    from eisbach.adapters import imported

    stack = ExitStack()
    with stack:
        for path, stored, strength in adapters:
            dit, conditioner = model.model.model, model.conditioner
            stack.enter_context(imported.added(dit, conditioner, stored, path, factor * strength, rounding))
        return stack.pop_all()
