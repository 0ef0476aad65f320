"""Where a checkpoint's files are: a folder in the hub's layout, or a repository on the hub, through its cache.

The cache's place, the token and offline work are huggingface_hub's own: `HF_HOME`, `HF_TOKEN`, `HF_HUB_OFFLINE=1`.
Only the files that are asked for are fetched; the repository of Medium has 14 GB of which 10 are needed.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from eisbach.errors import UserError

CONFIG, WEIGHTS = "model_config.json", "model.safetensors"
PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")

# Revisions that others have published hashes of; none was ever fetched from here.
PINNED = {
    "stabilityai/stable-audio-3-medium-base": "b32993f73c3bdc3864043a72d8032606bba737c8",
    "stabilityai/stable-audio-3-small-music-base": "eab5ceee5ad9c1ed38800aff30a8e49d1161c539",
    "stabilityai/stable-audio-3-small-sfx-base": "cc5ddb990e30daa68336ac61c140c37c7033ab7c",
    "stabilityai/stable-audio-3-medium": "27b5a21b791b1b033d193a9e1e3ce78493f102f9",
    "stabilityai/stable-audio-3-small-music": "0fef1392cd842149a2b6d445e181c97608faac06",
    "stabilityai/stable-audio-3-small-sfx": "ae12755283df9d62ca39a9b050a39a0b607b8c20",
}


class Missing(UserError):
    """A file that a place does not have; another place may."""


@dataclass(frozen=True)
class Place:
    """A folder, or a repository at a revision (a commit, a tag or a branch)."""

    source: str
    revision: str = ""  # empty for a folder

    def __str__(self) -> str:
        return f"{self.source} at {self.revision}" if self.revision else self.source

    def file(self, name: str) -> Path:
        """The path of a file, fetched where it has to be. Raises `Missing`, or UserError when it cannot be had."""
        if not self.revision:
            path = Path(self.source) / name
            if not path.is_file():
                raise Missing(f"{path} is missing{_pickle(path)}; a checkpoint has {CONFIG} and {WEIGHTS}")
            return path
        try:
            return Path(hf_hub_download(self.source, name, revision=self.revision))
        except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
            reason = " ".join(str(error.__cause__ or "HF_HUB_OFFLINE is set").split())
            raise Missing(
                f"{name} of {self} is not in the cache, and the hub did not give it ({reason}); run once with a "
                "connection, or set model.source to a folder that has the files"
            ) from error
        except EntryNotFoundError as error:
            raise Missing(f"{self} has no {name}; pickles such as model.ckpt are not opened here") from error
        except GatedRepoError as error:
            raise UserError(
                f"{self.source} is gated: accept its terms at huggingface.co/{self.source} and set HF_TOKEN"
            ) from error
        except RevisionNotFoundError as error:
            raise UserError(
                f"{self.source} has no revision {self.revision}; set model.revision to one it has"
            ) from error
        except (RepositoryNotFoundError, HFValidationError) as error:
            raise UserError(
                f"{self.source} is neither a folder here nor a repository that the hub shows you; correct "
                "model.source, or set HF_TOKEN if it is private"
            ) from error
        except HfHubHTTPError as error:
            raise UserError(
                f"{name} of {self} cannot be fetched ({' '.join(str(error).split())}); try again"
            ) from error

    def config(self) -> dict:
        """`model_config.json`. Raises UserError when it is missing or is no object with a "model" in it."""
        path = self.file(CONFIG)
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(config["model"], dict):
                raise TypeError("'model' is no object")
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not a model's configuration ({error}); fetch it again") from error
        return config


def place(source: str | Path, revision: str | None = None) -> Place:
    """`source` is a folder, or a name as "stabilityai/stable-audio-3-medium-base"; of those `revision`, the pinned one
    by default. Raises UserError when it is neither, and for a revision of a folder.
    """
    source = str(source)
    if Path(source).is_dir():
        if revision:
            raise UserError(f"{source} is a folder and has no revisions; leave model.revision empty")
        return Place(source)
    owner, slash, name = source.partition("/")
    if not slash or not owner.strip(".~") or not name or "/" in name:
        raise UserError(f"model.source is {source!r}, which is no folder here and no name on the hub as owner/name")
    return Place(source, revision or PINNED.get(source, "main"))


def verify(path: Path, wanted: str | None) -> None:
    """Raise UserError when a SHA-256 is `wanted` and the file has another."""
    if wanted and (found := sha256(path)) != wanted:
        raise UserError(f"{path} has the SHA-256 {found}, and {wanted} is asked for; fetch it again")


def sha256(path: str | Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _pickle(path: Path) -> str:
    """What stands in place of safetensors, if anything does."""
    if path.suffix != ".safetensors" or not path.parent.is_dir():
        return ""
    found = sorted(one.name for one in path.parent.iterdir() if one.suffix in PICKLES)
    return f" and {found[0]} is a pickle, which could run anything when opened" if found else ""
