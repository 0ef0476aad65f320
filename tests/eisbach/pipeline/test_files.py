import contextlib
import errno
import os

import pytest

from eisbach.errors import UserError
from eisbach.pipeline.files import replacing


def test_a_failed_write_leaves_the_old_file_and_no_temporary_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with contextlib.suppress(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_replaces_the_whole_old_folder(tmp_path):
    for content in ("first", "second"):
        with replacing(tmp_path / "folder") as temporary:
            temporary.mkdir()
            (temporary / content).write_text(content)
    assert os.listdir(tmp_path / "folder") == ["second"]


def test_a_full_disk_is_recognised_by_the_error_number(tmp_path):
    with pytest.raises(UserError, match="disk is full"), replacing(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_recognised_by_the_error_text(tmp_path):
    with pytest.raises(UserError, match="disk is full"), replacing(tmp_path / "a"):
        raise RuntimeError("I/O error: No space left on device (os error 28)")


def test_a_full_disk_is_recognised_by_the_free_space(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 0}))
    with pytest.raises(UserError, match="disk is full"), replacing(tmp_path / "a"):
        raise RuntimeError("it did not work")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
    ],
)
def test_a_path_that_cannot_be_written_is_named(tmp_path, error, reason):
    with (
        pytest.raises(UserError, match=rf"a cannot be written \({reason}\); check its permissions"),
        replacing(tmp_path / "a"),
    ):
        raise error


def test_other_errors_pass_through(tmp_path):
    with pytest.raises(IsADirectoryError), replacing(tmp_path / "a"):
        raise IsADirectoryError(errno.EISDIR, "is a directory")
