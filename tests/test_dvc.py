"""`dvc.yaml` names every file of ours that a stage runs: one that it forgot would leave old results under new code."""

import ast
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
OURS = ("eisbach", "predictions", "toy_models")

# Reading, writing, telling: no number comes from there. Of the settings DVC compares the values.
SAYS_NOTHING = {
    "eisbach/errors.py",
    "eisbach/files.py",
    "eisbach/training/loggers.py",
    "eisbach/training/previews.py",
    *(f"eisbach/pipeline/{name}.py" for name in ("command", "durations", "params", "paths", "progress", "tables")),
}
NAMES = {"eisbach/barrier.py"}  # `stages.loading` checks the names of weightings
UNADAPTED = {f"eisbach/adapters/{path.name}" for path in (ROOT / "eisbach" / "adapters").glob("*.py")}
UNUSED = {
    # `stages.loading` imports them for the stages that wear adapters; these take the base alone.
    **dict.fromkeys(("base", "census", "reference"), UNADAPTED | {"eisbach/sample.py"}),
    "encode": UNADAPTED | NAMES,
    "generate": NAMES,
    # Previews sample, and validation takes its clips from `generate.prompts`; neither moves an adapter.
    "finetune": {"eisbach/inference/generate.py", "eisbach/sample.py"},
}


def file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    found = [path.with_suffix(".py"), path / "__init__.py"]
    return next((file for file in found if file.is_file()), None)


@cache
def imported(path: Path) -> frozenset[Path]:
    """Our files that a file imports, within functions too."""
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
def test_a_stage_depends_on_all_that_it_runs(stage):
    plan = STAGES[stage]
    needed = run_by(plan["cmd"].split()[2]) - SAYS_NOTHING - UNUSED.get(stage, set())
    missing = {name for name in needed if not any(Path(name).is_relative_to(dep) for dep in plan["deps"])}
    assert not missing, f"add to {stage} in dvc.yaml: {', '.join(sorted(missing))}"


def test_imports_within_functions_are_seen():
    assert {"eisbach/training/loop.py", "eisbach/barrier.py"} <= run_by("eisbach.pipeline.stages.finetune")
    assert "predictions/judge/judge.py" in run_by("predictions")


@pytest.mark.parametrize("stage", STAGES)
def test_dependencies_of_code_exist(stage):
    code = [dep for dep in STAGES[stage]["deps"] if dep.split("/")[0] in OURS]
    assert all((ROOT / dep).exists() for dep in code)
