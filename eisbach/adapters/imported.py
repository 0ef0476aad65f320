"""Adapters in Stable Audio 3's format that others trained: extra arms when samples are generated and measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from eisbach.adapters import sa3_format
from eisbach.adapters.layer import PairedLayer
from eisbach.adapters.merged import merged, without_adapters
from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.peft_format import Adapter
from eisbach.errors import UserError


def files(folder: str | Path, taken: set[str]) -> dict[str, Path]:
    """Arm -> file, for every NAME.safetensors of `folder`. Raises UserError for a name that is in `taken`."""
    found = {path.stem: path for path in sorted(Path(folder).glob("*.safetensors"))}
    if twice := sorted(found.keys() & taken):
        raise UserError(f"{found[twice[0]]} has the name of an arm or of a weighting; give the file another name")
    return found


@contextmanager
def use_adapter(adapters: PairedAdapters, path: Path, strength: float = 1.0) -> Iterator[None]:
    """Run the DiT of `adapters` with only the adapter stored at `path`, then restore it.

    The stored adapter may differ from `adapters` in kind and rank, and may leave out layers. Raises UserError when it
    does not fit the DiT.
    """
    with without_adapters(adapters), added(adapters.dit, sa3_format.read(path), path, strength, adapters.rounding):
        yield


@contextmanager
def added(
    dit: nn.Module, stored: Adapter, source: Path, strength: float = 1.0, rounding: str = "output"
) -> Iterator[None]:
    """Run `dit` with the adapter `stored`, read from `source`, on top of its weights, then restore it.

    Several adapters are added by nesting, each on the weights that the one before has adapted, as Stability's loader
    does. Raises UserError when the adapter does not fit, and for a second one on a bf16 base that rounds outputs.
    """
    if any(isinstance(module, PairedLayer) for module in dit.modules()):
        raise UserError(f"{source} is a second adapter on a bf16 base; set rounding to 'weight', or dtype to 'float32'")
    if strength == 0:
        yield
        return
    theirs = PairedAdapters(dit, ["theirs"], stored.kind, stored.rank, stored.alpha, rounding=rounding)
    try:
        theirs.load_state("theirs", theirs.state("theirs") | stored.tensors, source)
        with merged(theirs, "theirs", strength):
            yield
    finally:
        theirs.remove()
