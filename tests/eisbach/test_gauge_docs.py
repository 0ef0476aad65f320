"""The worked examples of docs/gauge.md, run exactly as printed there."""

import json
import re
import warnings
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gauge.md").read_text()


def example(heading: str, language: str = "python") -> str:
    """The first block of code under a heading."""
    section = PAGE.partition(f"{heading}\n")[2]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1]


@pytest.mark.parametrize(
    ("heading", "package", "samples"),
    [
        ("## During: `Gauge`", "torch", 160),
        ("### PEFT and a plain loop", "peft", 200),
        ("### accelerate", "accelerate", 32),
        ("### diffusers: a flow-matching image DiT", "diffusers", 120),
    ],
)
def test_an_example_runs_and_gauges_every_sample(heading, package, samples):
    pytest.importorskip(package, reason=f"{package} is not installed")
    names: dict = {}
    with torch.random.fork_rng(), warnings.catch_warnings():
        torch.manual_seed(0)
        warnings.filterwarnings("ignore", "the factor is a constant")
        exec(compile(example(heading), f"docs/gauge.md, {heading}", "exec"), names)
        found = names["gauge"].summary()
    assert found["samples"] == samples
    assert found["samples_not_finite"] == 0
    assert 0 < found["mean_w"] < 1
    assert found["mean_factor"] == pytest.approx(0.5 + 0.5 * found["mean_w"], rel=1e-6)
    assert names.get("log", [found])[-1].items() >= found.items()


def test_the_lines_that_it_changes_are_those_of_the_installed_trainer_with_the_barrier():
    """As in docs/barrier.md: context lines stand there once in that order, and added lines name what is defined."""
    from importlib.util import find_spec

    folder = Path(find_spec("stable_audio_tools").submodule_search_locations[0])
    trainer = [line.strip() for line in (folder / "training" / "diffusion.py").read_text().splitlines()]
    barrier = (ROOT / "docs" / "barrier.md").read_text()
    lines = example("### Stability's trainer", "diff").splitlines()
    context = [line[1:].strip() for line in lines if line.startswith(" ")]
    assert context[0] in barrier
    assert context[1] in trainer
    before = trainer[: trainer.index(context[1])]
    assert any(line.startswith("t = ") for line in before)
    assert any(line.startswith("output = ") for line in before)
    added = "\n".join(line[1:].removeprefix("        ") for line in lines if line.startswith("+"))
    names = stability_step()
    exec(compile(added, "docs/gauge.md", "exec"), names)
    assert names["self"].logged["gauge/samples"] == 3


def stability_step() -> dict:
    """The names that the added lines read, with the shapes that the trainer gives them."""
    from eisbach.barrier import barrier_factor
    from eisbach.gauge import Gauge

    class Wrapper:
        gauge, global_step = Gauge(), 0

        def log_dict(self, values: dict) -> None:
            self.logged = values

    output, loss_mask = torch.randn(3, 4, 9, generator=torch.Generator().manual_seed(0)), torch.ones(3, 9).bool()
    factor = barrier_factor(output, 0.5, loss_mask)
    return {"self": Wrapper(), "output": output, "loss_mask": loss_mask, "t": torch.rand(3), "factor": factor}


def test_the_table_of_costs_is_that_of_the_committed_file():
    from benchmarks.gauge import RESULT, table

    rows = json.loads(RESULT.read_text())["rows"]
    assert table(rows) in PAGE
    assert all(row["belief_given_over_barrier"] < 1 for row in rows)
