"""The seal: what may and may not change after a confirmatory run began, in a real git repository."""

import json
import shutil
import subprocess

import pytest
import yaml

from eisbach.errors import UserError
from eisbach.metrics import validity
from eisbach.pipeline import outcomes, paths, tables
from predictions.judge import outcomes as read_outcomes
from predictions.registry import load as registry
from predictions.registry import seal
from tests.predictions.conftest import planted

SETTINGS = {"seeds": [0, 1], "finetune": {"steps": 50, "lr": 0.002}, "toys": {"seeds": [0], "length": 1.0}}


def commit(folder, message="Change"):
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    for command in (["add", "-A"], [*who, "commit", "-qm", message]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path, page, load_page):
    """A committed repository with a registry, settings and a little code."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    load_page(page)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(SETTINGS))
    for name in ("eisbach/pipeline/stages/train.py", "predictions/judge/words.py", "predictions/report/page.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("STEPS = 1\n")
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True, capture_output=True)
    commit(tmp_path, "Register")
    return tmp_path


@pytest.fixture
def target(root):
    (root / "results").mkdir()
    return root / "results" / "seal.json"


@pytest.fixture
def sealed(root, target):
    """The hash of the seal, made as the stage does before confirmatory seeds train."""
    seal.seal(load(root), range(100, 112), target, root)
    return json.loads(target.read_text())["seal"]


def load(root):
    return registry.load(root / "registry.yaml")


def broken(root, target, under=None):
    return seal.broken(load(root), under or {}, target, root)


def settings(**changes):
    return lambda root: (root / "params.yaml").write_text(yaml.safe_dump(SETTINGS | changes))


def in_registry(old, new):
    def change(root):
        path = root / "registry.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def code(name):
    return lambda root: (root / name).write_text("STEPS = 2\n")


def margin(root):
    margin = "{margin: 0.5, acts: along, control: 2.0, error: 0.1, p: 0.001, reach: null, because: a quarter}"
    text = f"claim/risk: {{toy: {margin}}}"
    (root / "margins.yaml").write_text(text)


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (in_registry("level: 0.05", "level: 0.1"), "registry: rules"),
        (in_registry("bound: 0.5", "bound: 0.4"), "registry: claim/weight"),
        (in_registry("tolerance: 0.05", "tolerance: 0.5"), "registry: systems"),
        (in_registry("half: true", "half: false"), "registry: controls"),
        (margin, "margins: claim/risk"),
        (settings(finetune={"steps": 60, "lr": 0.002}), "settings: finetune"),
        (settings(toys={"seeds": [0], "length": 2.0}), "settings: toys"),
        (code("eisbach/pipeline/stages/train.py"), "code: eisbach/pipeline/stages/train.py"),
        (code("predictions/judge/words.py"), "code: predictions/judge/words.py"),
        (code("eisbach/new.py"), "code: eisbach/new.py"),
        (lambda root: (root / "predictions/judge/words.py").unlink(), "code: predictions/judge/words.py"),
    ],
)
def test_a_change_after_the_seal_is_named_whether_or_not_it_is_committed(
    root, target, sealed, change, named, committed
):
    assert broken(root, target) is None
    change(root)
    if committed:
        commit(root)
    assert broken(root, target) == f"changed after the seal: {named}"


def test_another_validity_table_is_named(root, target, sealed, monkeypatch):
    known = validity.load()
    monkeypatch.setattr(validity, "load", lambda: known | {"vendi": known["vendi"] | {"valid": True}})
    assert broken(root, target) == "changed after the seal: validity table"


@pytest.mark.parametrize(
    "change",
    [
        settings(seeds=list(range(100, 112))),
        settings(toys={"seeds": [100, 101], "length": 1.0}),
        code("predictions/report/page.py"),
        code("README.md"),
        lambda root: (root / "results" / "verdicts.json").write_text("{}"),
        lambda root: (root / "registry.yaml").write_text("# a comment\n" + (root / "registry.yaml").read_text()),
    ],
)
def test_results_pages_seeds_and_comments_may_change_and_be_committed(root, target, sealed, change):
    change(root)
    commit(root, "Commit results")
    assert broken(root, target) is None


def test_many_changes_are_counted(root, target, sealed):
    for index in range(8):
        code(f"eisbach/more{index}.py")(root)
    assert broken(root, target).endswith("eisbach/more4.py and 3 more")


def test_a_table_that_carries_another_seal_or_none_is_named(root, target, sealed):
    assert broken(root, target, {"a.parquet": sealed, "b.parquet": sealed}) is None
    assert broken(root, target, {"a.parquet": sealed, "b.parquet": ""}) == "b.parquet was written under another seal"
    assert broken(root, target, {"a.parquet": "0" * 64}) == "a.parquet was written under another seal"


def test_a_stage_writes_the_seal_into_its_table_and_reading_finds_it(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "REGISTRATION", tmp_path / "registration.json")
    table = planted().drop(columns="table")
    tables.write(tmp_path / "before.parquet", outcomes.joined([table]))
    tables.write_metrics(tmp_path / "registration.json", {"sealed": True, "seal": "abc", "contents": {"a": "b"}})
    tables.write(tmp_path / "after.parquet", outcomes.joined([table.assign(regime="toy/two")]))
    _, sources = read_outcomes.read([tmp_path / "before.parquet", tmp_path / "after.parquet"])
    assert [one.seal for one in sources] == ["", "abc"]


def test_confirmatory_seeds_refuse_to_start_on_changes_that_are_not_committed(root, target):
    settings(finetune={"steps": 1})(root)
    with pytest.raises(UserError, match="confirmatory seeds cannot start on changes that are not committed"):
        seal.seal(load(root), [100], target, root)
    assert not target.exists()


def test_exploratory_seeds_seal_nothing_and_need_no_commit(root, target):
    settings(finetune={"steps": 1})(root)
    seal.seal(load(root), [0, 1], target, root)
    assert broken(root, target) == "nothing was sealed before the run"


@pytest.mark.parametrize("seeds", [[0, 1], [100]])
def test_a_seal_is_never_made_again(root, target, sealed, seeds):
    made = target.read_bytes()
    code("predictions/judge/words.py")(root)
    commit(root)
    seal.seal(load(root), seeds, target, root)
    assert target.read_bytes() == made
    assert "words.py" in broken(root, target)


def test_a_damaged_seal_is_named(tmp_path):
    (tmp_path / "seal.json").write_text('{"sealed": tru')
    with pytest.raises(UserError, match=r"seal\.json"):
        seal.read(tmp_path / "seal.json")


def test_dvc_s_lock_does_not_make_the_tree_unclean(root):
    assert seal.clean(root)
    (root / "dvc.lock").write_text("")
    assert seal.clean(root)
    (root / "params.yaml").write_text("")
    assert not seal.clean(root)
    assert not seal.committed(root / "params.yaml")
    assert seal.committed(root / "registry.yaml")
