"""What git says about the checkout."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def git(*arguments: str, folder: Path = ROOT) -> str | None:
    """What `git <arguments>` prints in `folder`; None without git, without a repository, or where git fails."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout
