"""Compose params.yaml from conf/: `python -m eisbach.compose profile=smoke finetune.steps=20`.

Each argument is a Hydra override: `group=option` for a group of conf/ (profile, model, data, arms), or `key=value` for
one setting. `dvc exp run -S` takes the same overrides. params.yaml is replaced only when the result is valid.
"""

from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from eisbach.errors import UserError
from eisbach.pipeline import command, params, yaml_file
from eisbach.pipeline.files import replacing


def composed(overrides: list[str], folder: str | Path = "conf") -> str:
    """The YAML text of params.yaml for Hydra overrides such as "profile=smoke" or "finetune.steps=20".

    Raises UserError for an unknown group, option or key, and where a file of conf/ cannot be read.
    """
    try:
        with initialize_config_dir(str(Path(folder).resolve()), version_base=None):
            return OmegaConf.to_yaml(compose("config", overrides=overrides), resolve=True)
    except (HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{' '.join(overrides)} does not fit conf/: {' '.join(str(error).split())}") from error


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="profile=NAME, data=NAME, key=value, ...")
    overrides = parser.parse_args().overrides
    text = composed(overrides)
    name = " ".join(["conf/ with", *overrides])
    params.checked(yaml_file.parse(text, name), name, "correct it and run again")
    target = Path("params.yaml")
    if not target.exists() or target.read_bytes() != text.encode():
        with replacing(target) as temporary:
            temporary.write_bytes(text.encode())


if __name__ == "__main__":
    command.run(main)
