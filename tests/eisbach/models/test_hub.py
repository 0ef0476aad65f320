import shutil

import pytest
from huggingface_hub import constants

from eisbach.errors import UserError
from eisbach.models import hub, released
from tests import checkpoints
from tests.eisbach.models import hub_server

BASE = "owner/base"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and a hub that is nowhere."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    point(monkeypatch, "http://127.0.0.1:9")
    return tmp_path / "cache"


def point(monkeypatch, address):
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture
def address(cache, released_folder, monkeypatch):
    with hub_server.serving(BASE, released_folder) as (address, requests):
        point(monkeypatch, address)
        yield requests


def cached(cache, folder, commit=hub_server.COMMIT, ref="main"):
    """`folder` in the cache's own layout, as huggingface_hub leaves it."""
    repository = cache / f"models--{BASE.replace('/', '--')}"
    shutil.copytree(folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / ref).write_text(commit)


def test_a_cached_checkpoint_loads_without_a_hub(cache, released_folder, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    cached(cache, released_folder)
    for revision in (None, "main", hub_server.COMMIT):
        model = released.load(BASE, revision=revision, accept=checkpoints.NARROWED)
        states, _ = model.conditioner.conditioners["prompt"].states(["a"])
        assert states.shape == (1, 256, 768)


@pytest.mark.parametrize("offline", [True, False])
def test_what_is_not_cached_and_not_in_reach_is_said(cache, monkeypatch, offline):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client tries again for half a minute
    with pytest.raises(
        UserError, match=r"model_config\.json of owner/base at main is not in the cache, and the hub did"
    ):
        released.load(BASE)


def test_only_what_is_needed_is_fetched_once_with_the_token(address, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    for _ in range(2):
        model = released.load(BASE, revision=hub_server.COMMIT, accept=checkpoints.NARROWED)
        model.conditioner.conditioners["prompt"].states(["a"])
    fetched = [path.rpartition(f"{hub_server.COMMIT}/")[2] for method, path, _ in address if method == "GET"]
    encoder = [f"{checkpoints.TEXT}/{name}" for name in ("config.json", "model.safetensors")]
    tokenizer = [f"{checkpoints.TEXT}/{name}" for name in ("tokenizer.json", "tokenizer_config.json")]
    assert sorted(fetched) == sorted(["model_config.json", "model.safetensors", *encoder, *tokenizer])
    assert {token for _, _, token in address} == {"Bearer hf_secret"}


def test_the_pinned_revision_is_asked_for_unless_another_is_named(address, monkeypatch):
    monkeypatch.setitem(hub.PINNED, BASE, hub_server.COMMIT)
    assert str(hub.place(BASE)) == f"{BASE} at {hub_server.COMMIT}"
    hub.place(BASE).config()
    hub.place(BASE, "main").config()
    asked = {path.partition("/resolve/")[2].partition("/")[0] for _, path, _ in address}
    assert asked == {hub_server.COMMIT, "main"}


@pytest.mark.parametrize(
    ("source", "revision", "said"),
    [
        ("owner/gated", None, "is gated: accept its terms at huggingface.co/owner/gated and set HF_TOKEN"),
        ("owner/nowhere", None, "neither a folder here nor a repository that the hub shows you"),
        ("owner/base", "v9", "has no revision v9; set model.revision"),
        ("owner/forbidden", None, "is not in the cache, and the hub did not give it (403 Forbidden"),
        ("owner/halfway", None, "model_config.json of owner/halfway at main cannot be fetched"),
        ("own er/base", None, "neither a folder here nor a repository"),
        ("base", None, "is no folder here and no name on the hub as owner/name"),
        ("./lost/base", None, "is no folder here and no name on the hub"),
        ("a/b/c", None, "is no folder here and no name on the hub"),
    ],
)
def test_what_the_hub_refuses_is_said_in_one_sentence(address, source, revision, said):
    with pytest.raises(UserError) as refusal:
        released.load(source, revision=revision)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_repository_of_pickles_is_refused(cache, released_folder, tmp_path, monkeypatch):
    shutil.copytree(released_folder, tmp_path / "pickles")
    (tmp_path / "pickles" / hub.WEIGHTS).rename(tmp_path / "pickles" / "model.ckpt")
    with hub_server.serving(BASE, tmp_path / "pickles") as (address, requests):
        point(monkeypatch, address)
        with pytest.raises(UserError, match=r"has no model\.safetensors; pickles such as model\.ckpt are not opened"):
            released.load(BASE, accept=checkpoints.NARROWED)
    assert not any("ckpt" in path for _, path, _ in requests)


def test_the_text_encoder_of_the_repository_that_the_configuration_names(cache, released_folder, tmp_path, monkeypatch):
    shutil.copytree(released_folder, tmp_path / "bare")
    encoder = shutil.move(tmp_path / "bare" / checkpoints.TEXT, tmp_path / "other" / checkpoints.TEXT)
    with hub_server.serving(
        "stabilityai/stable-audio-3-medium", encoder.parent, ("27b5a21b791b1b033d193a9e1e3ce78493f102f9",)
    ) as (
        address,
        _,
    ):
        point(monkeypatch, address)
        model = released.load(tmp_path / "bare", accept=checkpoints.NARROWED)
        states, _ = model.conditioner.conditioners["prompt"].states(["a"])
    assert states.shape == (1, 256, 768)


def test_a_folder_has_no_revision(released_folder):
    with pytest.raises(UserError, match="is a folder and has no revisions"):
        released.load(released_folder, revision="main")
