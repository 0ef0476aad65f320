"""conf/ -> params.yaml: `python -m eisbach.compose profile=smoke`. The same groups as `dvc exp run -S` takes."""

import sys
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf

from eisbach.errors import UserError
from eisbach.files import replacing
from eisbach.pipeline import params


def composed(overrides: list[str], folder: str | Path = "conf") -> str:
    """The YAML text of params.yaml for Hydra overrides such as "profile=smoke" or "finetune.steps=20".

    Raises UserError for an unknown group, option or key.
    """
    try:
        with initialize_config_dir(str(Path(folder).resolve()), version_base=None):
            return OmegaConf.to_yaml(compose("config", overrides=overrides), resolve=True)
    except HydraException as error:
        raise UserError(f"{' '.join(overrides)} does not fit conf/: {' '.join(str(error).split())}") from error


def main() -> None:
    text = composed(sys.argv[1:])
    target = Path("params.yaml")
    if target.exists() and target.read_text() == text:
        return
    with replacing(target) as temporary:
        temporary.write_text(text)
        params.load(temporary)  # a fault is reported before the old file is replaced


if __name__ == "__main__":
    from eisbach.pipeline.command import run

    run(main)
