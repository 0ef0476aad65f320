import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.arms import Arm, parse

NAMES = st.from_regex(r"[a-z_]\w{0,8}", fullmatch=True)
ARMS = st.builds(
    Arm,
    NAMES,
    st.none() | st.integers(0, 1000).map(lambda thousandths: thousandths / 1000),
    st.sampled_from(["", "dora", "lora", "full"]),
    st.just("") | NAMES,
)


@given(ARMS)
def test_parsing_an_arms_text_gives_the_arm(arm):
    assert parse(str(arm)) == arm


@pytest.mark.parametrize("text", ["", "@0.5", "barrier@", "barrier@.5.5", "barrier 1", "a:b:c", "barrier@0.5:", "a~"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="is not an arm"):
        parse(text)
