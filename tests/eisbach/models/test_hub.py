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
    """An empty cache, and a hub that cannot be reached."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    point(monkeypatch, "http://127.0.0.1:9")
    return tmp_path / "cache"


def point(monkeypatch, address):
    """Make huggingface_hub use the hub at `address`."""
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture
def requests(cache, released_folder, monkeypatch):
    """A hub that serves the released layout as owner/base; the requests that it has received."""
    with hub_server.serving(BASE, released_folder) as (address, received):
        point(monkeypatch, address)
        yield received


def cached(cache, folder, commit=hub_server.COMMIT, ref="main"):
    """Copy `folder` into the cache, in huggingface_hub's layout."""
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
def test_a_file_that_is_neither_cached_nor_reachable_is_named(cache, monkeypatch, offline):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client retries for half a minute
    with pytest.raises(
        UserError, match=r"model_config\.json of owner/base at main is not in the cache and could not be fetched"
    ):
        released.load(BASE)


def test_only_the_needed_files_are_fetched_and_only_once(requests):
    for _ in range(2):
        model = released.load(BASE, revision=hub_server.COMMIT, accept=checkpoints.NARROWED)
        model.conditioner.conditioners["prompt"].states(["a"])
    fetched = [path.rpartition(f"{hub_server.COMMIT}/")[2] for method, path, _ in requests if method == "GET"]
    encoder = [f"{checkpoints.TEXT}/{name}" for name in ("config.json", "model.safetensors")]
    tokenizer = [f"{checkpoints.TEXT}/{name}" for name in ("tokenizer.json", "tokenizer_config.json")]
    assert sorted(fetched) == sorted(["model_config.json", "model.safetensors", *encoder, *tokenizer])


def test_every_request_carries_the_token(requests, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.locate(BASE).config()
    assert [token for _, _, token in requests] == ["Bearer hf_secret"] * len(requests) != []


def test_a_source_is_printed_with_its_revision(monkeypatch, tmp_path):
    monkeypatch.setitem(hub.PINNED, BASE, hub_server.COMMIT)
    assert str(hub.locate(BASE)) == f"{BASE} at {hub_server.COMMIT}"
    assert str(hub.locate(tmp_path)) == str(tmp_path)


@pytest.mark.parametrize(
    ("pinned", "named", "requested"),
    [(None, None, "main"), (hub_server.COMMIT, None, hub_server.COMMIT), (hub_server.COMMIT, "main", "main")],
)
def test_the_revision_is_the_named_one_else_the_pinned_one_else_main(requests, monkeypatch, pinned, named, requested):
    if pinned:
        monkeypatch.setitem(hub.PINNED, BASE, pinned)
    hub.locate(BASE, named).config()
    assert {path.partition("/resolve/")[2].partition("/")[0] for _, path, _ in requests} == {requested}


@pytest.mark.parametrize(
    ("source", "revision", "said"),
    [
        ("owner/gated", None, "is gated: accept its terms at huggingface.co/owner/gated and set HF_TOKEN"),
        ("owner/nowhere", None, "neither a folder here nor a repository that the hub shows you"),
        ("owner/base", "v9", "has no revision v9; correct model.revision"),
        ("owner/forbidden", None, "is not in the cache and could not be fetched from the hub (403 Forbidden"),
        ("owner/halfway", None, "model_config.json of owner/halfway at main cannot be fetched"),
        ("own er/base", None, "neither a folder here nor a repository"),
        ("base", None, "is neither a folder here nor owner/name on the hub"),
        ("./lost/base", None, "is neither a folder here nor owner/name on the hub"),
        ("a/b/c", None, "is neither a folder here nor owner/name on the hub"),
    ],
)
@pytest.mark.usefixtures("requests")
def test_a_refusal_of_the_hub_is_reported_in_one_sentence(source, revision, said):
    with pytest.raises(UserError) as refusal:
        released.load(source, revision=revision)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.usefixtures("cache")
def test_a_repository_of_pickles_is_refused_and_no_pickle_is_fetched(released_folder, tmp_path, monkeypatch):
    shutil.copytree(released_folder, tmp_path / "pickles")
    (tmp_path / "pickles" / hub.WEIGHTS).rename(tmp_path / "pickles" / "model.ckpt")
    with hub_server.serving(BASE, tmp_path / "pickles") as (address, received):
        point(monkeypatch, address)
        with pytest.raises(UserError, match=r"has no model\.safetensors; pickles such as model\.ckpt are not opened"):
            released.load(BASE, accept=checkpoints.NARROWED)
    assert not any("ckpt" in path for _, path, _ in received)


@pytest.mark.usefixtures("cache")
def test_the_text_encoder_comes_from_the_repository_that_the_configuration_names(
    released_folder, tmp_path, monkeypatch
):
    shutil.copytree(released_folder, tmp_path / "bare")
    encoder = shutil.move(tmp_path / "bare" / checkpoints.TEXT, tmp_path / "other" / checkpoints.TEXT)
    medium = "stabilityai/stable-audio-3-medium"
    with hub_server.serving(medium, encoder.parent, (hub.PINNED[medium],)) as (address, _):
        point(monkeypatch, address)
        model = released.load(tmp_path / "bare", accept=checkpoints.NARROWED)
        states, _ = model.conditioner.conditioners["prompt"].states(["a"])
    assert states.shape == (1, 256, 768)


def test_a_folder_has_no_revision(released_folder):
    with pytest.raises(UserError, match="is a folder and has no revisions"):
        released.load(released_folder, revision="main")
