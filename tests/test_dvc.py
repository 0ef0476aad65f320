"""Each stage in `dvc.yaml` lists every file of ours that it runs. Without a file, new code would keep old results."""

import ast
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
OURS = ("eisbach", "predictions", "toy_models")

# These read, write or report, and change no number. For params.py, DVC compares the values of the settings.
NO_RESULTS = {
    "eisbach/errors.py",
    "eisbach/pipeline/files.py",
    "eisbach/training/exports.py",
    "eisbach/training/loggers.py",
    "eisbach/training/previews.py",
    *(
        f"eisbach/pipeline/{name}.py"
        for name in (
            "arm_check",
            "command",
            "durations",
            "faults",
            "params",
            "paths",
            "preflight",
            "progress",
            "ranges",
            "schedules",
            "section",
            "tables",
            "yaml_file",
        )
    ),
}
UNUSED = {  # imported by a stage that does not use them
    # `loading` can load a released model, which samples; no number of these comes from sampling.
    **{stage: {"eisbach/sample.py"} for stage in ("base", "census", "reference")},
    # Previews generate samples, and validation chooses its clips with `generate.prompts`; neither changes an adapter.
    "finetune": {"eisbach/inference/generate.py", "eisbach/sample.py"},
}


def file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    found = [path.with_suffix(".py"), path / "__init__.py"]
    return next((file for file in found if file.is_file()), None)


@cache
def imported(path: Path) -> frozenset[Path]:
    """Our files that a file imports, including imports within functions."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return frozenset(file for module in modules if module.split(".")[0] in OURS if (file := file_of(module)))


def run_by(module: str) -> set[str]:
    """Our files that `python -m module` can run, relative to the project's root."""
    start = file_of(module)
    waiting, found = [start.with_name("__main__.py") if start.name == "__init__.py" else start], set()
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += imported(file)
    return {str(file.relative_to(ROOT)) for file in found if file.name != "__init__.py"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_files_that_it_runs(stage):
    plan = STAGES[stage]
    needed = run_by(plan["cmd"].split()[2]) - NO_RESULTS - UNUSED.get(stage, set())
    missing = {name for name in needed if not any(Path(name).is_relative_to(dep) for dep in plan["deps"])}
    assert not missing, f"add to {stage} in dvc.yaml: {', '.join(sorted(missing))}"


def test_imports_within_functions_are_found():
    assert {"eisbach/training/loop.py", "eisbach/barrier.py"} <= run_by("eisbach.pipeline.stages.finetune")
    assert "predictions/judge/judge.py" in run_by("predictions")


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_that_a_stage_depends_on_exists(stage):
    code = [dep for dep in STAGES[stage]["deps"] if dep.split("/")[0] in OURS]
    assert all((ROOT / dep).exists() for dep in code)
