"""The `eisbach` command: one sub-command a module of this package, imported when it is called.

A sub-command's module has a docstring, whose first line is its help, `add_arguments(parser)`, which imports nothing
heavy, and `run(arguments)`.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

SUBCOMMANDS: dict[str, str] = {}  # name -> the first line of its module's docstring


def main(words: Sequence[str] | None = None) -> None:
    """Run the sub-command that `words` name (None: the command line). A UserError becomes one sentence and status 1."""
    words = sys.argv[1:] if words is None else list(words)
    parser = argparse.ArgumentParser(
        prog="eisbach", description="The Eisbach log-barrier, and what it does to your data."
    )
    choices = parser.add_subparsers(dest="command", required=True, metavar="command")
    chosen = next((word for word in words if word in SUBCOMMANDS), None)
    for name, help_line in SUBCOMMANDS.items():
        own = choices.add_parser(name, help=help_line, description=help_line)
        if name == chosen:
            module = importlib.import_module(f"eisbach.cli.{name}")
            module.add_arguments(own)
            own.set_defaults(run=module.run)
    arguments = parser.parse_args(words)
    from eisbach.errors import UserError

    try:
        arguments.run(arguments)
    except UserError as error:
        sys.exit(f"error: {error}")
