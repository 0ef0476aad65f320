"""Comparison of a released `model_config.json` with the configurations that this project supports.

`released_configs/medium.json` and `stability_small.json` are reconstructions: no released file was available when they
were written. Models built from them have as many tensors and parameters as the released checkpoints (Medium: 997 and
2,305,495,793; small: 685 and 567,573,761). `released_configs/defaults.json` lists settings that a file may leave out,
with the values that the library then uses.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from eisbach.errors import UserError
from eisbach.models import built

FOLDER = Path(__file__).parent / "released_configs"
NAMES = ("medium", "stability_small")

# No output depends on these keys: settings of training, of speed and of the text encoder's location (`t5gemma.find`
# reads the last), and keywords that the library ignores.
IGNORED = {
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
    "mask_noise",  # of SAME: the released value is unknown; here a fixed seed draws the noise
}
ABSENT = object()


def known(name: str) -> dict:
    """The reconstructed configuration "medium" or "stability_small"."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def check(config: dict, accept: Iterable[str], where: str | Path) -> str:
    """The name of the known configuration that differs from `config` in the fewest settings.

    `accept` lists dotted paths of settings that may differ, such as "model.diffusion.config.depth"; a path covers all
    settings below it. An alias and a default left out are the same setting where Stability's factory builds the same
    model of them (`built.is_spelling`). Raises UserError naming `where` and every other setting that is unknown,
    missing or changed.
    """
    found = {name: differences(config, known(name)) for name in NAMES}
    nearest = min(found, key=lambda name: len(found[name]))
    accepted = tuple(accept)
    left = [
        phrase
        for path, phrase in sorted(found[nearest].items())
        if not any(path == prefix or path.startswith(f"{prefix}.") for prefix in accepted)
        and not built.is_spelling(config, known(nearest), path)
    ]
    if left:
        raise UserError(
            f"{where} differs from the known configuration of '{nearest}': {'; '.join(left)}; take the pinned "
            "revision, or list settings that you know to be harmless in model.accept in params.yaml"
        )
    return nearest


def differences(config: dict, reference: dict) -> dict[str, str]:
    """Dotted path -> a phrase that says how `config` differs there, for every setting on which an output depends."""
    given, wanted = flatten(config), flatten(reference)
    defaults = flatten(json.loads((FOLDER / "defaults.json").read_text()))
    found = {}
    for path in given.keys() | wanted.keys():
        if not IGNORED.isdisjoint(path.split(".")):
            continue
        has, needs = (values.get(path, defaults.get(path, ABSENT)) for values in (given, wanted))
        if needs is ABSENT:
            found[path] = f"'{path}' is unknown ({given[path]!r})"
        elif has is ABSENT:
            found[path] = f"'{path}' is missing ({needs!r})"
        elif has != needs:
            found[path] = f"'{path}' is {has!r}, not {needs!r}"
    return found


def flatten(node: object, path: str = "") -> dict[str, object]:
    """The leaves of nested dicts by dotted path. A list of dicts that each have an "id" counts as a dict by id."""
    if isinstance(node, list) and node and all(isinstance(entry, dict) and "id" in entry for entry in node):
        node = {entry["id"]: {key: value for key, value in entry.items() if key != "id"} for entry in node}
    if not isinstance(node, dict) or not node:
        return {path: node}
    prefix = f"{path}." if path else ""
    return {leaf: value for key, child in node.items() for leaf, value in flatten(child, f"{prefix}{key}").items()}
