from dataclasses import replace

from eisbach.arms import Arm
from eisbach.pipeline.params import Arm as Settings
from eisbach.training.arms import arms
from tests.settings import PARAMS

RUN = replace(
    PARAMS.finetune,
    arms={
        "baseline": Settings("baseline"),
        "half": Settings("barrier", {"lam": 0.5}),
        "whole": Settings("barrier", {"lam": 1.0}),
        "constant": Settings("constant", follows="whole"),
        "mine": Settings("a weighting that is not registered", {"power": 2.0}),
    },
    adapter="lora",
)


def test_an_arm_has_its_own_lambda_and_a_replaying_arm_that_of_the_arm_it_follows():
    assert arms(RUN) == {
        "baseline": Arm("baseline", None, "lora"),
        "half": Arm("half", 0.5, "lora"),
        "whole": Arm("whole", 1.0, "lora"),
        "constant": Arm("constant", 1.0, "lora", "whole"),
        "mine": Arm("mine", None, "lora"),
    }
