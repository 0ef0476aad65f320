"""Answers of git about the checkout."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def git(*arguments: str, folder: Path = ROOT) -> str | None:
    """The standard output of `git <arguments>` in `folder`; None without git or a repository, or where git fails."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout
