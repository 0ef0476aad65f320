"""Measure what the barrier would do to your latents or your model, before any training."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Weigh latents [N, C, T] (.npy, .safetensors, or a folder of them, such as stable-audio-tools' pre-encoded "
        "ones): w at t = 0, for which no model is needed. With --model, weigh a model's outputs over t on the held-out "
        "clips of the archive that `dvc repro encode` wrote from the data that params.yaml names. docs/gauge.md "
        "explains every line."
    )
    parser.add_argument("path", nargs="?", type=Path, help="a file or folder of latents; with --model, an archive")
    parser.add_argument("--model", action="store_true", help="weigh the outputs of the model that params.yaml names")
    parser.add_argument("--lambda", dest="lam", type=_share, default=0.5, metavar="LAMBDA", help="default %(default)s")
    parser.add_argument("--labels", type=Path, metavar="CSV", help="columns file,label: the classes of the latents")
    parser.add_argument("--classes", nargs=2, metavar="LABEL", help="two labels to compare; default: the most frequent")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write a histogram, .svg or .png")


def run(arguments: argparse.Namespace) -> None:
    import json
    import warnings

    warnings.filterwarnings("ignore", "Failed to initialize NumPy")  # torch's, where it is installed alone
    from eisbach.errors import UserError
    from eisbach.pipeline.files import replacing
    from eisbach.weigh import labels, latents, measure, picture, text

    if arguments.path is None and not arguments.model:
        raise UserError("nothing to weigh; name a file or folder of latents, or use --model")
    if arguments.picture is not None:
        picture.check(arguments.picture)
    by_t = None
    if not arguments.model:
        found, classes = measure.weigh(latents.pieces(arguments.path)), None
    else:
        from eisbach.weigh import census

        found, classes, by_t = census.weigh(arguments.path, arguments.lam)
    if arguments.labels is not None:
        classes = labels.of_keys(found.keys, labels.read(arguments.labels), arguments.labels)
    chosen = None if arguments.classes is None else tuple(arguments.classes)
    if chosen is not None and classes is None:
        raise UserError("--classes needs --labels; name the CSV that has them")
    contrast = None if classes is None else measure.contrast(found.weight, classes, arguments.lam, chosen)
    facts = text.facts(str(arguments.path or "this project"), found, arguments.lam, contrast, by_t)
    if arguments.json is not None:
        with replacing(arguments.json) as temporary:
            temporary.write_text(json.dumps(_plain(facts), indent=1, allow_nan=False) + "\n")
    if arguments.picture is not None:
        picture.draw(arguments.picture, found.weight.tolist(), classes, facts)
    print("\n".join(text.lines(facts)))


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"lambda must lie in [0, 1]; got {text}")
    return value


def _plain(value):
    """The same with None for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return None if isinstance(value, float) and value != value else value
