"""Adapters that others trained, in Stable Audio 3's format: arms of their own when samples are made and measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eisbach.adapters import sa3_format
from eisbach.adapters.merged import bare, merged
from eisbach.adapters.paired import PairedAdapters
from eisbach.errors import UserError


def files(folder: str | Path, taken: set[str]) -> dict[str, Path]:
    """Arm -> file, for every NAME.safetensors of `folder`. Raises UserError for a name that is among `taken`."""
    found = {path.stem: path for path in sorted(Path(folder).glob("*.safetensors"))}
    if twice := sorted(found.keys() & taken):
        raise UserError(f"{found[twice[0]]} has the name of an arm or of a weighting; give the file another name")
    return found


@contextmanager
def worn(adapters: PairedAdapters, path: Path) -> Iterator[None]:
    """Let the adapter of `path` alone shape the forward pass of the DiT that `adapters` are in.

    It may have another kind and rank than they, and leave layers out. Raises UserError when it does not fit the DiT.
    """
    stored = sa3_format.read(path)
    with bare(adapters):
        theirs = PairedAdapters(adapters.dit, ["theirs"], stored.kind, stored.rank, stored.alpha)
        try:
            theirs.load_state("theirs", theirs.state("theirs") | stored.tensors, path)
            with merged(theirs, "theirs"):
                yield
        finally:
            for name, layer in theirs.layers.items():
                theirs.dit.set_submodule(name, layer.base_layer)
