"""Read YAML as DVC reads it: YAML 1.2, in which 1e-4 is a number, 010 is ten and a key may stand only once."""

from pathlib import Path

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.error import MarkedYAMLError

from eisbach.errors import UserError

JSON_TYPES = (str, int, float, bool, type(None))


def read(path: str | Path, name: str, cure: str) -> object:
    """The content of a YAML file in UTF-8, as plain dictionaries with text keys, lists, text, numbers, bools and None.

    Raises UserError, naming the file `name`, when it is missing (then with `cure`, what the user should do), cannot be
    read, or is not such YAML.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{name} is missing; {cure}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{name} cannot be read ({error.strerror}); {cure}") from error
    return parse(text, name)


def parse(text: str, name: str) -> object:
    """As `read`, for the text of the file. Raises UserError with the line where the text is not YAML."""
    try:
        content = YAML(typ="safe").load(text)
        _check(content, "")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        said = " ".join((error.problem or error.context or "").replace("\t", "\\t").split())
        raise UserError(f"{name} is not readable as YAML ({where}{said}); correct that line") from error
    except (YAMLError, ValueError, TypeError) as error:  # ValueError: a date without such a day, an endless number
        said = " ".join(str(error).split())
        raise UserError(f"{name} is not readable as YAML ({said}); correct it") from error
    except RecursionError:
        raise UserError(f"{name} is nested too deeply, or contains itself; write it plainly") from None
    return content


def _check(content: object, key: str) -> None:
    """Raise ValueError naming the key of a value that JSON does not have, such as a date or a key that is no text."""
    if isinstance(content, dict):
        for own, value in content.items():
            if not isinstance(own, str):
                raise ValueError(f"the key {own!r}{f' in {key!r}' if key else ''} is no text; put it in quotes")
            _check(value, f"{key}.{own}" if key else own)
    elif isinstance(content, list):
        for index, value in enumerate(content):
            _check(value, f"{key}.{index}")
    elif not isinstance(content, JSON_TYPES):
        raise ValueError(f"'{key}' is a {type(content).__name__}, {content}; put it in quotes if it is text")
