"""Writing so that a killed run leaves the old file or the new one, never half of either."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eisbach.errors import UserError

SCRAP = 64 * 1024  # bytes: with less than this free, a failed write failed for want of space


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success rename it onto `path`, on failure remove it.

    Works for a file and for a folder. Raises UserError when the disk is full or not writable.
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
    except Exception as error:  # safetensors, parquet and FLAC each have their own word for a full disk
        if _full(path, error):
            raise UserError(f"the disk is full: cannot write {path}; free some space and run again") from error
        if isinstance(error, PermissionError) or getattr(error, "errno", None) == errno.EROFS:
            raise UserError(f"{path} cannot be written ({error.strerror}); check its permissions") from error
        raise
    finally:
        _remove(temporary)


def _full(path: Path, error: Exception) -> bool:
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error):
        return True
    return path.parent.exists() and shutil.disk_usage(path.parent).free < SCRAP


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
