"""The arms of a seed divided among the processes that `accelerate launch` started, one per device.

Arms are independent, so processes exchange no gradients. Each trains its arms to the same bits as a single process
would on the same kind of device. Only the tables are gathered.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from eisbach.errors import UserError
from eisbach.weighting import Weighting


def share(weightings: Mapping[str, Weighting], leaders: Mapping[str, str], index: int, count: int) -> list[str]:
    """The arms of process `index` of `count`. An arm that replays another's factors is in the same process as that arm.

    `leaders` is the result of `eisbach.training.loop.followed`. Raises UserError when a process would have no arm.
    """
    groups = {arm: [arm] for arm in weightings if arm not in leaders}
    for follower, leader in leaders.items():
        groups[leader].append(follower)
    if count > len(groups):
        raise UserError(
            f"{count} processes cannot share {len(groups)} arms that train by themselves; "
            f"start `accelerate launch` with --num_processes {len(groups)} at most"
        )
    shares: list[list[str]] = [[] for _ in range(count)]
    for group in sorted(groups.values(), key=len, reverse=True):
        min(shares, key=len).extend(group)
    return [arm for arm in weightings if arm in shares[index]]


def gathered(table: pd.DataFrame, step: str, arms: Iterable[str]) -> pd.DataFrame:
    """The tables of all processes as one, in the row order of a single process: by the column `step`, then by `arms`.

    All processes must call it.
    """
    from accelerate.utils import gather_object

    whole = pd.concat(gather_object([table]))
    order = {arm: index for index, arm in enumerate(arms)}
    return whole.iloc[np.lexsort((whole["arm"].map(order), whole[step]))]
