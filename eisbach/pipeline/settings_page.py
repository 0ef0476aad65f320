"""Write docs/settings.md, the table of all settings, from params.py: `python -m eisbach.pipeline.settings_page`."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from eisbach.pipeline import command

PAGE = Path("docs/settings.md")
HEAD = """# Settings

Written by `python -m eisbach.pipeline.settings_page` from `eisbach/pipeline/params.py`; do not edit it.

`params.yaml` holds every setting; it is composed from `conf/`, which holds the defaults:
`python -m eisbach.compose profile=smoke finetune.lr=1e-4`. `make repro` checks it before DVC starts
(`python -m eisbach.pipeline.preflight`), each stage when it starts. A key that is missing or unknown, a value of wrong
type or out of its range, a duplicate key, an arm that cannot train and a path that does not exist are refused
in one sentence. The file is YAML 1.2 in UTF-8, as DVC reads it: `1e-4` is a number, `010` is ten, `yes` is text.

"value" is that of the committed `params.yaml`, the profile `default` (for the other corpora, that of `conf/data/`).
"""
NAMES = {10**9: "10^9", 2**63 - 1: "2^63 - 1"}
COMMENT = re.compile(r"^    (\w+): .*?  # (.*)$", re.MULTILINE)


def page(settings: dict, corpora: dict[str, dict]) -> str:
    """The text of the page. `settings` are the values of params.yaml, `corpora` those of `prepare.corpus` by kind."""
    from pydantic import TypeAdapter

    from eisbach.pipeline import params

    schema = TypeAdapter(params.Params).json_schema()
    comments = {name: dict(COMMENT.findall(inspect.getsource(one))) for name, one in vars(params).items() if _own(one)}
    parts = [HEAD]
    for prefix, name, values in _sections(settings, corpora):
        part = schema if name == "Params" else schema["$defs"][name]
        kind = f" (`kind: {values['kind']}`)" if "kind" in values else ""
        parts.append(f"\n## {f'`{prefix}`{kind}' if prefix else 'Top level'}\n\n{part['description']}\n")
        parts += ["| setting | type and range | value | meaning |", "| --- | --- | --- | --- |"]
        for key, field in part["properties"].items():
            field = _resolved(field, schema)
            if "properties" in field or "oneOf" in field:
                continue  # a section of its own
            value = _shown(values.get(key, field.get("default", "")))
            parts.append(f"| `{key}` | {_range(field, schema)} | {value} | {comments[name].get(key, '')} |")
    return "\n".join(parts) + "\n"


def _own(one: object) -> bool:
    return inspect.isclass(one) and one.__module__ == "eisbach.pipeline.params"


def _sections(settings: dict, corpora: dict[str, dict]) -> Iterator[tuple[str, str, dict]]:
    """(key, class, values) of every section, in the order of params.py."""
    yield "", "Params", settings
    yield "prepare", "Prepare", settings["prepare"]
    for name, values in corpora.items():
        yield "prepare.corpus", name, values
    for key, value in settings.items():
        if isinstance(value, dict) and key != "prepare":
            yield key, key.title().replace("_", ""), value
            if key == "finetune":
                yield "finetune.arms.NAME", "Arm", value["arms"]["barrier"]


def _resolved(field: dict, schema: dict) -> dict:
    if "$ref" in field:
        return schema["$defs"][field["$ref"].rpartition("/")[2]]
    return field


def _range(field: dict, schema: dict) -> str:
    """The type and range of a field of the JSON schema, in words."""
    field = _resolved(field, schema)
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if "anyOf" in field:
        return " or ".join(_range(one, schema) for one in field["anyOf"])
    kind = field["type"]
    if kind == "array":
        if "prefixItems" in field:
            return f"{len(field['prefixItems'])} numbers: {_range(field['prefixItems'][0], schema)}"
        return f"list{' (not empty)' if field.get('minItems') else ''} of: {_range(field['items'], schema)}"
    if kind == "object":
        if "patternProperties" in field:
            (pattern,) = field["patternProperties"]
            return f"a section for each name like `{pattern}`"
        names = field.get("propertyNames", {})
        keys = _range(names, schema) if "enum" in names else "name"
        return f"for each {keys}: {_range(field['additionalProperties'], schema)}"
    words = {"integer": "integer", "number": "number", "string": "text", "boolean": "`true`, `false`"}[kind]
    low, high = field.get("minimum"), field.get("maximum")
    above, below = field.get("exclusiveMinimum"), field.get("exclusiveMaximum")
    limits = [
        f"{word} {NAMES.get(limit, limit)}" for word, limit in (("from", low), ("above", above)) if limit is not None
    ]
    limits += [
        f"{word} {NAMES.get(limit, limit)}" for word, limit in (("to", high), ("below", below)) if limit is not None
    ]
    if "pattern" in field and "x00" not in field["pattern"]:
        limits.append(f"like `{field['pattern']}`".replace("|", "\\|"))
    return " ".join([words, *limits]) + (", not empty" if kind == "string" and field.get("minLength") else "")


def _shown(value: object) -> str:
    if isinstance(value, dict) and any(isinstance(one, dict) for one in value.values()):
        return ", ".join(f"`{name}`" for name in value)
    return "" if value in ("", None) else f"`{value}`"


def main() -> None:
    command.parser(__doc__).parse_args()

    from eisbach.pipeline.files import replacing

    with replacing(PAGE) as temporary:
        temporary.write_text(text())


def text(root: Path = Path()) -> str:
    """The page for the project in `root`."""
    from eisbach.pipeline import yaml_file

    cure = "run from the project's root"
    kinds = {"scores": "Scores", "musiccaps": "MusicCaps", "folder": "Folder"}
    conf = {kind: yaml_file.read(root / "conf" / "data" / f"{kind}.yaml", kind, cure) for kind in kinds}
    corpora = {name: conf[kind]["prepare"]["corpus"] for kind, name in kinds.items()}
    return page(yaml_file.read(root / "params.yaml", "params.yaml", cure), corpora)


if __name__ == "__main__":
    command.run(main)
