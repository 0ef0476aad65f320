"""Adapters in Stable Audio 3's format that others trained: extra arms when samples are generated and measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eisbach.adapters import sa3_format
from eisbach.adapters.merged import merged, without_adapters
from eisbach.adapters.paired import PairedAdapters
from eisbach.errors import UserError


def files(folder: str | Path, taken: set[str]) -> dict[str, Path]:
    """Arm -> file, for every NAME.safetensors of `folder`. Raises UserError for a name that is in `taken`."""
    found = {path.stem: path for path in sorted(Path(folder).glob("*.safetensors"))}
    if twice := sorted(found.keys() & taken):
        raise UserError(f"{found[twice[0]]} has the name of an arm or of a weighting; give the file another name")
    return found


@contextmanager
def use_adapter(adapters: PairedAdapters, path: Path) -> Iterator[None]:
    """Run the DiT of `adapters` with only the adapter stored at `path`, then restore it.

    The stored adapter may differ from `adapters` in kind and rank, and may leave out layers. Raises UserError when it
    does not fit the DiT.
    """
    stored = sa3_format.read(path)
    with without_adapters(adapters):
        theirs = PairedAdapters(adapters.dit, ["theirs"], stored.kind, stored.rank, stored.alpha)
        try:
            theirs.load_state("theirs", theirs.state("theirs") | stored.tensors, path)
            with merged(theirs, "theirs"):
                yield
        finally:
            theirs.remove()
