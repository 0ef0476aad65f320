"""What all commands share: quiet numerical libraries, a parsed command line, and expected errors as one sentence."""

import argparse
import errno
import inspect
import os
import sys
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # on a busy machine spinning threads slow each other down

from eisbach.errors import UserError
from eisbach.pipeline.durations import Clock


def run(main: Callable[[], None]) -> None:
    """Call `main` and record its duration. A UserError or a full disk is printed as one sentence; exit status 1."""
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


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser for the module that `python -m` started, described by the module's docstring `doc`.

    It accepts no argument until one is added, and exits with status 2 and a usage line for any other.
    """
    spec = sys.modules["__main__"].__spec__
    return argparse.ArgumentParser(
        prog=f"python -m {spec.name.removesuffix('.__main__')}" if spec else None,
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def stage(main: Callable[..., None]) -> None:
    """Parse the command line of a stage's module and run its `main`, with the training seed if `main` takes `seed`."""
    arguments = parser(sys.modules[main.__module__].__doc__)
    if "seed" in inspect.signature(main).parameters:
        arguments.add_argument("seed", type=int, help="the training seed, an integer")
    given = vars(arguments.parse_args())
    run(lambda: main(**given))
