import csv
import struct

import pytest
import torch

from eisbach.errors import UserError
from eisbach.training import loggers
from tests.settings import text


def record(step, arm, **more):
    loss = torch.tensor([0.5, 1.5]) + step
    return {"step": step, "arm": arm, "objective": 0.25 * step, "grad_norm": 2.0, "loss": loss, **more}


def course():
    """Records of two arms at three steps, the last with a validation."""
    common = {"factor": torch.ones(2), "w": torch.tensor([0.2, 0.4])}
    records = [record(step, arm, **common) for step in range(3) for arm in ("baseline", "barrier")]
    records[-1]["validation"] = torch.arange(20.0, dtype=torch.float64).view(10, 2)
    return records


def dvclive(folder):
    """The (step, value) pairs of every curve, by name."""
    found = {}
    for path in (folder / "dvclive" / "plots" / "metrics").rglob("*.tsv"):
        name = path.relative_to(folder / "dvclive" / "plots" / "metrics").with_suffix("").as_posix()
        with path.open() as file:
            next(file)
            found[name] = [(int(step), float(value)) for step, value in csv.reader(file, delimiter="\t")]
    return found


def tensorboard(folder):
    """The same, from the event file: records of length, checksum, protobuf, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = (folder / "tensorboard").iterdir()
    data, found = path.read_bytes(), {}
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


@pytest.mark.parametrize("read", [dvclive, tensorboard])
def test_every_curve_is_logged_step_by_step(tmp_path, read):
    assert len(list(loggers.logged(course(), [read.__name__], tmp_path))) == 6
    logged = read(tmp_path)
    assert logged["barrier/loss"] == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert logged["baseline/objective"] == [(0, 0.0), (1, 0.25), (2, 0.5)]
    assert logged["barrier/w"][0] == (0, pytest.approx(0.3))
    assert logged["barrier/validation"] == [(2, 9.5)]
    assert logged["barrier/validation_by_t/0.95"] == [(2, 18.5)]
    assert "baseline/validation" not in logged
    assert [path.name for path in tmp_path.iterdir()] == [read.__name__]


@pytest.mark.parametrize("read", [dvclive, tensorboard])
def test_a_resumed_run_logs_every_step_once(tmp_path, read):
    """The first run stops after one record; the second yields all records again, as a resumed run does."""
    records = loggers.logged(course(), [read.__name__], tmp_path)
    next(records)
    records.close()
    list(loggers.logged(course(), [read.__name__], tmp_path))
    assert [step for step, _ in read(tmp_path)["barrier/loss"]] == [0, 1, 2]


def test_records_are_yielded_unchanged(tmp_path):
    records = course()
    passed = list(loggers.logged(records, ["tensorboard"], tmp_path))
    assert all(one is other for one, other in zip(passed, records, strict=True))


def test_without_loggers_nothing_is_written(tmp_path):
    assert len(list(loggers.logged(course(), [], tmp_path))) == 6
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_logger_is_named(tmp_path):
    from eisbach.pipeline import params

    path = tmp_path / "params.yaml"
    path.write_text(text(finetune={"loggers": ["wandb"]}))
    with pytest.raises(UserError, match=r"finetune\.loggers\.0' is 'wandb'"):
        params.load(path)
