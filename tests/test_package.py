"""The wheel and the sdist build, and the core runs in an environment that has torch, what torch requires, nothing else.

The clean environment borrows the installed packages by links: only torch's own requirements, found in its metadata, so
numpy is not among them. Nothing is downloaded.
"""

import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
UV = Path(sysconfig.get_path("scripts")) / "uv"
HELP_SECONDS = 1.0  # of CPU time
CORE = "torch"
pytestmark = pytest.mark.timeout(300)


def run(*words, cwd, **options) -> subprocess.CompletedProcess:
    """A finished process. It sees neither this checkout nor this environment."""
    return subprocess.run(
        [*map(str, words)],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd)},
        capture_output=True,
        text=True,
        **options,
    )


def requirements(name: str, found: set[str]) -> set[str]:
    """`name` and everything that it requires here, extras apart."""
    if name not in found:
        found.add(name)
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                requirements(requirement.name, found)
                for extra in requirement.extras:
                    requirements_of_extra(requirement.name, extra, found)
    return found


def requirements_of_extra(name: str, extra: str, found: set[str]) -> None:
    for text in metadata.requires(name) or []:
        requirement = Requirement(text)
        if requirement.marker is not None and requirement.marker.evaluate({"extra": extra}):
            requirements(requirement.name, found)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the sdist, and of the wheel that is built from it, made from the tracked files alone."""
    folder = tmp_path_factory.mktemp("package")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).symlink_to(ROOT / name)
    done = run(
        UV, "build", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable,
        "--out-dir", folder / "dist", cwd=folder / "source",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "dist"


@pytest.fixture(scope="module")
def clean(built, tmp_path_factory):
    """The folder of the programs of an environment with the wheel and torch."""
    folder = tmp_path_factory.mktemp("clean") / "environment"
    done = run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    site = next((folder / "lib").glob("python*/site-packages"))
    here = Path(sysconfig.get_path("purelib"))
    for name in requirements(CORE, set()):
        for top in {file.parts[0] for file in metadata.files(name) or [] if file.parts[0] not in ("..", "__pycache__")}:
            if (here / top).exists() and not (site / top).exists():
                (site / top).symlink_to(here / top)
    (wheel,) = built.glob("*.whl")
    options = ("--quiet", "--offline", "--no-deps", "--python", folder / "bin/python")
    done = run(UV, "pip", "install", *options, wheel, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def test_the_core_requires_torch_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        wanted = re.findall(r"^Requires-Dist: (.*)$", archive.read(name).decode(), re.MULTILINE)
    core = [text for text in wanted if "extra ==" not in text]
    assert [Requirement(text).name for text in core] == [CORE]
    assert {"numpy", "peft", "dvc", "stable-audio-tools"} <= {
        Requirement(text).name for text in wanted if 'extra == "harness"' in text
    }


def test_the_wheel_and_the_sdist_hold_every_module_and_data_file(built):
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    tracked = subprocess.run(
        ["git", "ls-files", "eisbach", "predictions", "toy_models"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    expected = {name for name in tracked if (ROOT / name).is_file()}
    with zipfile.ZipFile(wheel) as archive:
        assert expected - set(archive.namelist()) == set()
    with tarfile.open(sdist) as archive:
        assert expected - {name.partition("/")[2] for name in archive.getnames()} == set()


def test_the_core_imports_and_counts_with_torch_alone(clean, tmp_path):
    program = """
import importlib.util, torch
assert all(importlib.util.find_spec(name) is None for name in ("numpy", "pandas", "safetensors", "peft", "pydantic"))
from eisbach.barrier import barrier_factor
from eisbach.gauge import Gauge
from eisbach.weighting import make, names
import eisbach.objective, eisbach.flow, eisbach.arms, eisbach
output, t, gauge = torch.randn(4, 3, 7), torch.rand(4), Gauge()
gauge.update(output, None, t, make("barrier", lam=0.5)(output, output, t))
assert gauge.summary()["samples"] == 4
make("shuffled", lam=0.5)(output, output, t, step=0)
print(eisbach.__file__)
"""
    done = run(clean / "python", "-W", "ignore", "-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(clean.parent) in done.stdout


@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_latents_are_weighed_with_torch_alone(clean, tmp_path, suffix):
    from safetensors.torch import save_file

    latents = torch.randn(12, 6, 30, generator=torch.Generator().manual_seed(0))
    if suffix == ".npy":
        np.save(tmp_path / "a.npy", latents.numpy())
    else:
        save_file({"latents": latents.bfloat16()}, tmp_path / "a.safetensors")
    done = run(clean / "eisbach", "weigh", f"a{suffix}", "--json", "a.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) <= 10
    assert done.stderr == ""
    assert json.loads((tmp_path / "a.json").read_text())["samples"] == 12


@pytest.mark.parametrize(
    ("words", "package"),
    [
        (["weigh", "--model"], "pandas|numpy|yaml|safetensors"),
        (["compose"], "yaml|hydra"),
        (["check"], "ruamel|pydantic|yaml"),
        (["report"], "rich|yaml|pandas"),
    ],
)
def test_what_needs_the_harness_says_so_in_one_sentence(clean, tmp_path, words, package):
    done = run(clean / "eisbach", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(
        rf'error: this needs the package ({package}); run `pip install "eisbach\[harness\]"`\n', done.stderr
    )


def test_a_picture_names_the_package_that_it_needs(clean, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 4, 5), "float32"))
    done = run(clean / "eisbach", "weigh", "a.npy", "--picture", "a.svg", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "pip install matplotlib" in done.stderr


def test_help_lists_the_commands_within_a_second(clean, tmp_path):
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(clean / "eisbach", "--help", cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert all(f"\n    {name} " in done.stdout for name in ("weigh", "compose", "check", "verdicts", "report"))
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < HELP_SECONDS
