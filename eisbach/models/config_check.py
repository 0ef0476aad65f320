"""A released `model_config.json` against the configuration that the project was built for.

`released_configs/*.json` are reconstructions: the released files were never on the machines that this was written
on. Their tensors agree in number and size with those of the released checkpoints (997 and 685; 2,305,495,793
parameters for Medium). `released_configs/defaults.json` lists what a file may state or leave out, because the library
assumes the same.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from eisbach.errors import UserError

FOLDER = Path(__file__).parent / "released_configs"
NAMES = ("medium", "stability_small")

# Settings of training, of speed, of where the text encoder lies (`t5gemma.find` reads those), and keywords that the
# library swallows: no output depends on them.
INERT = {
    "sample_size",
    "training",
    "svd_bases_path",
    "requires_grad",
    "enable_grad",
    "freeze",
    "freeze_backbone",
    "checkpointing",
    "iterate_batch",
    "model_half",
    "conv_bias",
    "use_flash",
    "use_snake",
    "use_dilated_conv",
    "enable_inner_layer_dropout",
    "mapping_style",
    "zero_init_output",
    "zero_init_branch_outputs",
    "conv_kernel_size",
    "abs_pos_emb_max_length",
    "model_path",
    "repo_id",
    "subfolder",
    "mask_noise",  # of SAME: not known to us, fixed by a seed here
}
ABSENT = object()


def known(name: str) -> dict:
    """The reconstructed configuration "medium" or "stability_small"."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def check(config: dict, accept: Iterable[str], where: str | Path) -> str:
    """The name of the known configuration that `config` is nearest to.

    Raises UserError listing every setting that is unknown, missing or changed, except those that lie at or under a
    path of `accept`, such as "model.diffusion.config.depth".
    """
    found = {name: differences(config, known(name)) for name in NAMES}
    nearest = min(found, key=lambda name: len(found[name]))
    allowed = tuple(accept)
    left = [
        phrase
        for path, phrase in sorted(found[nearest].items())
        if not any(path == one or path.startswith(f"{one}.") for one in allowed)
    ]
    if left:
        raise UserError(
            f"{where} is not the configuration of '{nearest}' known here: {'; '.join(left)}; take the pinned revision, "
            "or list in model.accept in params.yaml what you know to be harmless"
        )
    return nearest


def differences(config: dict, reference: dict) -> dict[str, str]:
    """Path -> what is wrong with it, for every setting on which an output depends."""
    given, wanted = flat(config), flat(reference)
    usual = flat(json.loads((FOLDER / "defaults.json").read_text()))
    found = {}
    for path in given.keys() | wanted.keys():
        if not INERT.isdisjoint(path.split(".")):
            continue
        has, needs = (values.get(path, usual.get(path, ABSENT)) for values in (given, wanted))
        if needs is ABSENT:
            found[path] = f"'{path}' is unknown ({given[path]!r})"
        elif has is ABSENT:
            found[path] = f"'{path}' is missing ({needs!r})"
        elif has != needs:
            found[path] = f"'{path}' is {has!r}, not {needs!r}"
    return found


def flat(node: object, path: str = "") -> dict[str, object]:
    """The leaves of nested dicts by dotted path; entries of a list that have an "id" go by it."""
    if isinstance(node, list) and node and all(isinstance(entry, dict) and "id" in entry for entry in node):
        node = {entry["id"]: {key: value for key, value in entry.items() if key != "id"} for entry in node}
    if not isinstance(node, dict) or not node:
        return {path: node}
    return {
        leaf: value for key, child in node.items() for leaf, value in flat(child, f"{path}.{key}".lstrip(".")).items()
    }
