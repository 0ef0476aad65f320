"""Training curves for DVCLive and TensorBoard, which get the same numbers.

A resumed run logs all steps again from the first, so a log always comes from one process.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from eisbach.training.validation import TIMES

Write = Callable[[int, str, float], None]  # (step, name, value)


@contextmanager
def dvclive(folder: Path) -> Iterator[Write]:
    """Log to `folder` with DVCLive; earlier logs there are deleted."""
    from dvclive import Live

    with Live(str(folder), report=None, save_dvc_exp=False, dvcyaml=False) as live:  # empties the folder

        def write(step: int, name: str, value: float) -> None:
            live.step = step
            live.log_metric(name, value)

        yield write


@contextmanager
def tensorboard(folder: Path) -> Iterator[Write]:
    """Log to `folder` for TensorBoard; earlier logs there are deleted."""
    from tensorboardX import SummaryWriter

    shutil.rmtree(folder, ignore_errors=True)
    with SummaryWriter(str(folder)) as writer:
        yield lambda step, name, value: writer.add_scalar(name, value, step)


LOGGERS = {"dvclive": dvclive, "tensorboard": tensorboard}


def logged(records: Iterable[dict], names: Iterable[str], folder: Path) -> Iterator[dict]:
    """Yield the `records` of `eisbach.training.loop.finetune`, and log each one before.

    `names` lists keys of LOGGERS; each logger writes to a folder of its name under `folder`.
    """
    with ExitStack() as opened:
        writers = [opened.enter_context(LOGGERS[name](folder / name)) for name in names]
        for record in records:
            for write in writers:
                for name, value in scalars(record).items():
                    write(record["step"], f"{record['arm']}/{name}", value)
            yield record


def scalars(record: dict) -> dict[str, float]:
    """The logged values of a record: means over the batch, and of a validation over its clips at each t."""
    found = {name: record[name] for name in ("objective", "grad_norm")}
    found |= {name: record[name].double().mean().item() for name in ("loss", "factor", "w")}
    if "validation" in record:
        by_t = record["validation"].mean(1).tolist()
        found |= {"validation": sum(by_t) / len(by_t)}
        found |= {f"validation_by_t/{t:.2f}": loss for t, loss in zip(TIMES, by_t, strict=True)}
    return found
