"""The seal: what a confirmatory run may and may not change."""

import shutil
import subprocess

import pytest

from eisbach.errors import UserError
from predictions.registry import load as registry
from predictions.registry import seal


def test_a_comment_does_not_change_the_hash(tmp_path, page, load_page):
    before = load_page(page)
    path = tmp_path / "registry.yaml"
    path.write_text("# a comment\n" + path.read_text())
    assert seal.digest(registry.load(path)) == seal.digest(before)


def test_a_margin_changes_the_hash_of_its_hypothesis_alone(page, load_page):
    before = load_page(page)
    page["claims"][0]["hypotheses"][0]["margin"] = 0.1
    after = load_page(page)
    assert seal.digest(before) != seal.digest(after)
    assert seal.changed(seal.digests(before), seal.digests(after)) == ["claim/risk"]


@pytest.mark.parametrize("part", ["regimes", "confirmatory"])
def test_regimes_and_seeds_have_hashes_of_their_own(page, load_page, part):
    before = load_page(page)
    (page["regimes"]["real"] if part == "regimes" else page["confirmatory"]).update(
        {"seeds": 7} if part == "regimes" else {"last": 120}
    )
    assert seal.changed(seal.digests(before), seal.digests(load_page(page))) == [part]


@pytest.fixture
def repository(tmp_path, page, load_page):
    """A git repository whose commit holds the page's registry."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    load_page(page)
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    for command in (["init", "-q"], ["add", "registry.yaml"], [*who, "commit", "-qm", "Register"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def path(repository):
    return repository / "registry.yaml"


@pytest.fixture
def target(repository):
    return repository / "seal.json"


def edit(path):
    path.write_text(path.read_text().replace("bound: 0.5", "bound: 0.4"))


def test_confirmatory_seeds_seal_the_committed_registry(path, target):
    seal.seal(registry.load(path), [100, 101], path, target)
    assert seal.sealed(registry.load(path), target)
    seal.check_seal(registry.load(path), target)


def test_confirmatory_seeds_refuse_to_start_from_an_edited_registry(path, target):
    edit(path)
    assert not seal.committed(path)
    with pytest.raises(UserError, match="confirmatory seeds cannot start"):
        seal.seal(registry.load(path), [100, 101], path, target)
    assert not target.exists()


def test_exploratory_seeds_start_from_an_edited_registry_and_seal_nothing(path, target):
    edit(path)
    seal.seal(registry.load(path), [0, 1], path, target)
    assert not seal.sealed(registry.load(path), target)


def test_a_registry_edited_after_the_run_is_refused_by_name(path, target):
    seal.seal(registry.load(path), list(range(100, 112)), path, target)
    edit(path)
    with pytest.raises(UserError, match=r"edited after the confirmatory run was sealed in .*: claim/weight;"):
        seal.check_seal(registry.load(path), target)


def test_without_a_seal_nothing_is_sealed(path, target):
    assert not seal.sealed(registry.load(path), target)
    seal.check_seal(registry.load(path), target)


def test_exploratory_seeds_leave_a_seal_as_it_is(path, target):
    seal.seal(registry.load(path), [100, 101], path, target)
    made = target.read_bytes()
    seal.seal(registry.load(path), [0, 1], path, target)
    edit(path)
    seal.seal(registry.load(path), [0, 1], path, target)
    assert target.read_bytes() == made


def test_a_seal_holds_for_one_registry(path, target):
    seal.seal(registry.load(path), [100, 101], path, target)
    edit(path)
    assert not seal.sealed(registry.load(path), target)


def test_settings_that_are_not_committed_make_the_tree_unclean(repository):
    assert seal.clean(repository)
    (repository / "params.yaml").write_text("")
    assert not seal.clean(repository)


def test_dvc_s_lock_does_not_make_the_tree_unclean(repository):
    (repository / "dvc.lock").write_text("")
    assert seal.clean(repository)
