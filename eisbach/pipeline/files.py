"""Atomic writes: a killed run leaves the old file or the new one, never a part of either."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eisbach.errors import UserError

FULL = 64 * 1024  # bytes: with less free space than this, a failed write is blamed on a full disk


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; on success rename it to `path`, on failure remove it.

    Write a file or create a folder at the temporary path. Raises UserError when the disk is full or not writable.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(temporary)
        yield temporary
        if temporary.is_dir() or path.is_dir():
            _remove(path)
        os.replace(temporary, path)
    except Exception as error:  # safetensors, parquet and FLAC writers each report a full disk differently
        if _disk_is_full(path, error):
            raise UserError(f"the disk is full: cannot write {path}; free some space and run again") from error
        if isinstance(error, PermissionError) or getattr(error, "errno", None) == errno.EROFS:
            raise UserError(f"{path} cannot be written ({error.strerror}); check its permissions") from error
        raise
    finally:
        _remove(temporary)


def _disk_is_full(path: Path, error: Exception) -> bool:
    """Whether a full disk explains `error`: its number or text says so, or hardly any space is left."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error):
        return True
    return path.parent.exists() and shutil.disk_usage(path.parent).free < FULL


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
