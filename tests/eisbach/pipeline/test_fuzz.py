"""Any params.yaml is refused in one sentence, or it is used as written, by us and by DVC alike."""

import random
import shutil
from copy import deepcopy
from dataclasses import asdict

import pytest
import yaml
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from eisbach.errors import UserError
from eisbach.pipeline import params, preflight, yaml_file
from tests.settings import ROOT

TEXT = (ROOT / "params.yaml").read_text()
WHOLE = yaml_file.parse(TEXT, "params.yaml")
MUSIC = {kind: yaml.safe_load((ROOT / f"conf/data/{kind}.yaml").read_text()) for kind in ("folder", "musiccaps")}
WORDS = ["baseline", "constant", "barrier", "${seeds}", "artifacts", "cpu", "cuda", "1e-4", "adapters", "..", "~"]
PIECES = [
    *(
        b"\t",
        b"\n",
        b": ",
        b"- ",
        b"0",
        b"-",
        b"e9",
        b"'",
        b"{",
        b"&a ",
        b"*a",
        b"!!set ",
        b"\r",
        b"%",
        b"---\n",
        b"null",
    ),
    b"<<: ",
]
SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.integers(-2, 3), st.floats(), st.floats(0, 1), st.text(max_size=8)),
    *(st.dates(), st.sampled_from(WORDS)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(value: object) -> list[tuple[object, object]]:
    """(container, key) of everything inside `value`."""
    keys = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [one for key, inner in keys for one in [(value, key), *places(inner)]]


def like(value: object) -> st.SearchStrategy:
    """Values of the type of `value`, mostly in its range, so that many files are accepted."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return st.integers(0, 2 * value + 2)
    if isinstance(value, float):
        return st.floats(0, 1) | st.integers(0, 1)
    return st.lists(st.sampled_from(value)) if isinstance(value, list) and value else st.just(value)


@st.composite
def changed_values(draw) -> str:
    """The committed file with a few values changed, removed, added or exchanged."""
    whole = deepcopy(WHOLE)
    for corpus in draw(st.sampled_from([[], ["folder"], ["musiccaps"]])):
        whole["prepare"] |= deepcopy(MUSIC[corpus]["prepare"])
    kinds = draw(st.sampled_from([["like"], ["set", "set", "set", "remove", "add", "swap"]]))
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(whole)))
        kind = draw(st.sampled_from(kinds))
        if kind == "like":
            container[key] = draw(like(container[key]))
        elif kind == "set":
            container[key] = draw(VALUES)
        elif kind == "remove":
            del container[key]
        elif kind == "add" and isinstance(container, dict):
            container[draw(st.text(max_size=6) | st.integers())] = draw(VALUES)
        else:
            other, place = draw(st.sampled_from(places(whole)))
            container[key] = deepcopy(other[place])
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


@st.composite
def changed_text(draw) -> bytes:
    """The committed file with a few bytes, lines or pieces changed."""
    content, chance = bytearray(TEXT.encode()), random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 3))):
        start = chance.randrange(len(content))
        end = start + chance.choice([0, 0, 1, 3, 20, 200])
        piece = draw(st.binary(max_size=3) | st.sampled_from(PIECES))
        content[start:end] = piece
    return bytes(content)


def covered(given: object, used: object) -> bool:
    """Whether everything in the YAML value `given` is in the settings `used`, unchanged."""
    if isinstance(given, dict):
        return isinstance(used, dict) and all(key in used and covered(inner, used[key]) for key, inner in given.items())
    if isinstance(given, list):
        return len(given) == len(used) and all(map(covered, given, used))
    return given == used and isinstance(given, bool) == isinstance(used, bool)


@pytest.fixture(scope="module")
def resolve(tmp_path_factory):
    """DVC's own reading of dvc.yaml with the params.yaml of bytes: the stages by name."""
    from dvc.parsing import DataResolver
    from dvc.repo import Repo
    from dvc.utils.serialize import load_yaml

    folder = tmp_path_factory.mktemp("dvc")
    repo = Repo.init(str(folder), no_scm=True)
    shutil.copy(ROOT / "dvc.yaml", folder)
    plan = load_yaml(folder / "dvc.yaml")

    def resolved(content: bytes) -> tuple[dict, dict]:
        (folder / "params.yaml").write_bytes(content)
        return load_yaml(folder / "params.yaml"), DataResolver(repo, str(folder), deepcopy(plan)).resolve()["stages"]

    return resolved


def refusal(content: bytes, path) -> params.Params | None:
    """The settings of a file, None when they are refused; the refusal must be one sentence."""
    path.write_bytes(content)
    try:
        read = params.load(path)
        preflight.check(read)
    except UserError as error:
        said = str(error)
        assert said
        assert "\n" not in said
        assert len(said) < 5000
        return None
    return read


def check(content: bytes, path, resolve) -> None:
    read = refusal(content, path)
    event("refused" if read is None else "accepted")
    if read is None:
        return
    given, stages = resolve(content)
    assert covered(given, asdict(read)), "a setting was ignored or changed"
    for seed in read.seeds:
        assert stages[f"generate@{seed}"]["cmd"] == f"python -m eisbach.pipeline.stages.generate {seed}"
    assert len([name for name in stages if name.startswith("finetune@")]) == len(read.seeds)


def run(content: bytes, resolve, tmp_path_factory, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.chdir(ROOT)
        check(content, tmp_path_factory.getbasetemp() / "params.yaml", resolve)


@given(st.just(TEXT.encode()))
@settings(deadline=None, max_examples=1, suppress_health_check=list(HealthCheck))
def test_the_committed_file_is_used_as_written(resolve, tmp_path_factory, monkeypatch, content):
    run(content, resolve, tmp_path_factory, monkeypatch)


ANY = st.one_of(changed_values().map(lambda text: text.encode("utf-8", "surrogatepass")), changed_text(), st.binary())
FAST = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
LONG = settings(FAST, max_examples=12_000)  # about ten minutes


@FAST
@given(ANY)
def test_any_file_is_refused_in_one_sentence_or_used_as_written(resolve, tmp_path_factory, monkeypatch, content):
    run(content, resolve, tmp_path_factory, monkeypatch)


@pytest.mark.slow
@LONG
@given(ANY)
def test_ten_minutes_of_any_file(resolve, tmp_path_factory, monkeypatch, content):
    run(content, resolve, tmp_path_factory, monkeypatch)
