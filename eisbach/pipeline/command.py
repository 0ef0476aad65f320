"""What every command does first and last: quiet, deterministic libraries; one sentence for a fault."""

import errno
import os
import sys
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve each other on a busy machine

from eisbach.errors import UserError
from eisbach.pipeline.durations import Clock


def run(main: Callable[[], None]) -> None:
    """Call `main` and note how long it took; print a UserError or a full disk as one sentence, exit with status 1."""
    clock = Clock()
    try:
        main()
        clock.record()
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(
            f"error: the disk is full: cannot write {error.filename or 'an output'}; free some space and run again"
        )
