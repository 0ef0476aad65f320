"""Train all seeds of params.yaml: `python -m eisbach.runner`, or spread over a cluster with `--runner ray`.

Machines share the project's folder. A seed is a task of `--cores` cores, or of `--gpus` GPUs; when its machine dies, it
goes on elsewhere from its state in `.cache`, to the same bits on as many cores. Afterwards `dvc commit` takes over what
was made.
"""

import argparse
import os
import sys
from collections.abc import Iterable

from eisbach.errors import UserError
from eisbach.pipeline.command import run


def train(seed: int, folder: str) -> int:
    """The stage `finetune@seed`, in the project's `folder` and in this process: they die together."""
    from eisbach.pipeline.stages import finetune

    os.chdir(folder)
    sys.argv = ["finetune", str(seed)]
    finetune.main()
    return seed


def serial(seeds: Iterable[int]) -> None:
    for seed in seeds:
        train(seed, os.getcwd())


def spread(seeds: Iterable[int], cores: int, gpus: int, address: str | None) -> None:
    """On the Ray cluster at `address` (None: the one that RAY_ADDRESS names, or this machine alone).

    Raises UserError for a seed that fails by itself, after the others; the death of a machine is no failure.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError(
            "`--runner ray` needs Ray, which is not installed; `pip install ray` on every machine"
        ) from None
    ray.init(address=address, logging_level="ERROR")
    try:
        task = ray.remote(train).options(num_cpus=cores, num_gpus=gpus, max_retries=-1)
        waiting = {task.remote(seed, os.getcwd()): seed for seed in seeds}
        failed = {}
        for done, seed in waiting.items():
            try:
                ray.get(done)
            except ray.exceptions.RayTaskError as error:
                failed[seed] = str(error.cause)
    finally:
        ray.shutdown()
    if failed:
        raise UserError("; ".join(f"seed {seed}: {fault}" for seed, fault in failed.items()))


def main() -> None:
    from eisbach.pipeline import paths
    from eisbach.pipeline.params import load

    words = argparse.ArgumentParser(prog="python -m eisbach.runner", description=__doc__.split("\n")[0])
    words.add_argument("--runner", choices=["serial", "ray"], default="serial")
    words.add_argument("--cores", type=int, default=1, help="of each seed")
    words.add_argument("--gpus", type=int, default=0, help="of each seed")
    words.add_argument("--address", help="of the Ray cluster")
    given = words.parse_args()
    if not paths.REGISTRATION.is_file():
        raise UserError(f"{paths.REGISTRATION} is missing; run `dvc repro register` first, it seals the registry")
    seeds = load().seeds
    if given.runner == "ray":
        spread(seeds, given.cores, given.gpus, given.address)
    else:
        serial(seeds)
    print("made; now type: dvc commit --force", *(f"finetune@{seed}" for seed in seeds))


if __name__ == "__main__":
    run(main)
