"""`python -m predictions.report.schema`: write the JSON schema of verdicts.json, which the report carries with it.

It is generated from the dataclasses of `predictions.judge.verdict`. Run it after changing one of them; a test fails
until then.
"""

import json
from pathlib import Path

from eisbach.pipeline import command

SCHEMA = Path(__file__).with_name("verdicts.schema.json")


def text() -> str:
    from predictions.judge.document import json_schema

    return json.dumps(json_schema(), indent=2) + "\n"


def main() -> None:
    command.parser(__doc__).parse_args()

    from eisbach.pipeline.files import replacing

    with replacing(SCHEMA) as temporary:
        temporary.write_text(text())
    print(f"{SCHEMA} is written")


if __name__ == "__main__":
    main()
