"""The `eisbach` command: one sub-command a module of this package, imported when it is called.

A sub-command's module has a docstring, whose first line is its help, `add_arguments(parser)`, which imports nothing
heavy, and `run(arguments)`. Modules that `python -m` runs, too, get their own words unchanged.
"""

import argparse
import importlib
import os
import runpy
import sys
from collections.abc import Sequence

SUBCOMMANDS: dict[str, str] = {  # name -> the first line of its module's docstring
    "adapter": "Show, import, export or merge an adapter: PEFT's folder or Stable Audio 3's file.",
    "sample": "Generate audio for your own prompts, with or without adapters, and write FLAC files.",
    "weigh": "Measure what the barrier would do to your latents or your model, before any training.",
}
MODULES: dict[str, tuple[str, str]] = {  # name -> the module that `python -m` runs, and what it does
    "compose": ("eisbach.compose", "Compose params.yaml from conf/: profile=NAME, data=NAME, key=value."),
    "check": ("eisbach.pipeline.preflight", "Check params.yaml and the paths that it names."),
    "verdicts": ("predictions", "Judge tables of outcomes by the registered atoms."),
    "report": ("predictions.report", "Write report/ from the tables of the last run."),
}
OWN = ("eisbach", "predictions", "toy_models")


def main(words: Sequence[str] | None = None) -> None:
    """Run the sub-command that `words` name (None: the command line). A UserError becomes one sentence and status 1."""
    words = sys.argv[1:] if words is None else list(words)
    from eisbach.errors import UserError

    try:
        if words and words[0] in MODULES:
            _run_module(MODULES[words[0]][0], words[1:])
        else:
            arguments = _parse(words)
            arguments.run(arguments)
    except UserError as error:
        sys.exit(f"error: {error}")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in OWN or not package:
            raise
        sys.exit(f'error: this needs the package {package}; run `pip install "eisbach[harness]"`')


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="eisbach", description="The Eisbach log-barrier, and what it does to your data.", allow_abbrev=False
    )
    choices = parser.add_subparsers(dest="command", required=True, metavar="command")
    chosen = next((word for word in words if word in SUBCOMMANDS), None)
    for name, help_line in SUBCOMMANDS.items():
        own = choices.add_parser(name, help=help_line, description=help_line, allow_abbrev=False)
        if name == chosen:
            module = importlib.import_module(f"eisbach.cli.{name}")
            module.add_arguments(own)
            own.set_defaults(run=module.run)
    for name, (_, help_line) in MODULES.items():
        choices.add_parser(name, help=help_line)
    return parser.parse_args(words)


def _run_module(module: str, words: list[str]) -> None:
    """`python -m module words`. Like there, the folder that the command runs in comes first on the path."""
    sys.path.insert(0, os.getcwd())
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
