"""The files of a checkpoint: in a folder with the hub's layout, or in a repository on the hub, through its cache.

huggingface_hub's own variables apply: `HF_HOME` (the cache), `HF_TOKEN`, `HF_HUB_OFFLINE=1`. Only the files that are
asked for are fetched: of the 14 GB in Medium's repository, 10 GB are needed.
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

# Revisions for which others have published hashes; this project has fetched none of them.
PINNED = {
    "stabilityai/stable-audio-3-medium-base": "b32993f73c3bdc3864043a72d8032606bba737c8",
    "stabilityai/stable-audio-3-small-music-base": "eab5ceee5ad9c1ed38800aff30a8e49d1161c539",
    "stabilityai/stable-audio-3-small-sfx-base": "cc5ddb990e30daa68336ac61c140c37c7033ab7c",
    "stabilityai/stable-audio-3-medium": "27b5a21b791b1b033d193a9e1e3ce78493f102f9",
    "stabilityai/stable-audio-3-small-music": "0fef1392cd842149a2b6d445e181c97608faac06",
    "stabilityai/stable-audio-3-small-sfx": "ae12755283df9d62ca39a9b050a39a0b607b8c20",
}


class MissingFile(UserError):
    """A file that one source lacks; another source may have it."""


@dataclass(frozen=True)
class Source:
    """A folder, or a repository on the hub at a revision: a commit, a tag or a branch."""

    name: str  # the folder's path, or owner/name
    revision: str = ""  # empty for a folder

    def __str__(self) -> str:
        return f"{self.name} at {self.revision}" if self.revision else self.name

    def file(self, name: str) -> Path:
        """The local path of a file, fetched if necessary.

        Raises `MissingFile` when the folder, the repository or the offline cache lacks it, UserError when the hub
        refuses it.
        """
        if not self.revision:
            path = Path(self.name) / name
            if not path.is_file():
                raise MissingFile(f"{path} is missing{_pickle_note(path)}; a checkpoint has {CONFIG} and {WEIGHTS}")
            return path
        try:
            return Path(hf_hub_download(self.name, name, revision=self.revision))
        except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
            reason = " ".join(str(error.__cause__ or "HF_HUB_OFFLINE is set").split())
            raise MissingFile(
                f"{name} of {self} is not in the cache and could not be fetched from the hub ({reason}); run once with "
                "a connection, or set model.source to a folder that has the files"
            ) from error
        except EntryNotFoundError as error:
            raise MissingFile(
                f"{self} has no {name}; pickles such as model.ckpt are not opened, take a repository with safetensors"
            ) from error
        except GatedRepoError as error:
            raise UserError(
                f"{self.name} is gated: accept its terms at huggingface.co/{self.name} and set HF_TOKEN"
            ) from error
        except RevisionNotFoundError as error:
            raise UserError(f"{self.name} has no revision {self.revision}; correct model.revision") from error
        except (RepositoryNotFoundError, HFValidationError) as error:
            raise UserError(
                f"{self.name} is neither a folder here nor a repository that the hub shows you; correct "
                "model.source, or set HF_TOKEN if it is private"
            ) from error
        except HfHubHTTPError as error:
            raise UserError(
                f"{name} of {self} cannot be fetched ({' '.join(str(error).split())}); try again"
            ) from error

    def config(self) -> dict:
        """The content of `model_config.json`. Raises UserError when it is missing or has no object "model"."""
        path = self.file(CONFIG)
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(config["model"], dict):
                raise TypeError("'model' is not an object")
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not a model's configuration ({error}); fetch it again") from error
        return config


def locate(name: str | Path, revision: str | None = None) -> Source:
    """The source that model.source and model.revision name: a folder, or owner/name on the hub.

    A repository without a `revision` is taken at its pinned one, else at "main". Raises UserError when `name` is
    neither, and when a folder is given a revision.
    """
    name = str(name)
    if Path(name).is_dir():
        if revision:
            raise UserError(f"{name} is a folder and has no revisions; leave model.revision empty")
        return Source(name)
    owner, slash, repository = name.partition("/")
    if not slash or not owner.strip(".~") or not repository or "/" in repository:
        raise UserError(f"model.source is {name!r}, which is neither a folder here nor owner/name on the hub")
    return Source(name, revision or PINNED.get(name, "main"))


def verify_sha256(path: Path, expected: str | None) -> None:
    """Raise UserError when `expected` is given and is not the file's SHA-256 in hex digits."""
    if expected and (found := sha256(path)) != expected:
        raise UserError(f"{path} has SHA-256 {found}, not {expected}; fetch it again, or correct model.sha256")


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, in hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pickle_note(path: Path) -> str:
    """The clause of an error message that names a pickle found instead of safetensors; empty if there is none."""
    if path.suffix != ".safetensors" or not path.parent.is_dir():
        return ""
    found = sorted(other.name for other in path.parent.iterdir() if other.suffix in PICKLES)
    return f" and {found[0]} is a pickle, which could run arbitrary code when opened" if found else ""
