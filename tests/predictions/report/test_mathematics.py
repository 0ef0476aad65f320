import html.entities
import re
import xml.etree.ElementTree as ET

import pytest

from predictions.proofs import PROOFS
from predictions.report import mathematics

XML = {"lt;", "gt;", "amp;"}
HTML = {name: sign for name, sign in html.entities.html5.items() if name not in XML}


@pytest.mark.parametrize("name", [derive.__name__ for derive in PROOFS])
def test_every_proof_is_well_formed_mathml_with_a_relation(name):
    derivation = mathematics.derivations()[name]
    assert derivation.statement
    assert derivation.equations
    for equation in derivation.equations:
        root = ET.fromstring(re.sub(r"&(\w+;)", lambda named: HTML.get(named[1], named[0]), equation))
        assert root.tag == "math"
        assert any(one.tag == "mo" and one.text in ("=", "<", ">") for one in root.iter())


def test_evaluated_identities_are_left_out():
    """Two limits and the inflection of the weight evaluate to 1 = 1 or 0 = 0; its slope and curvature stay."""
    (derive,) = [derive for derive in PROOFS if derive.__name__ == "weight_falls_with_entropy"]
    assert len(derive().equations) == 5
    assert len(mathematics.derivations()["weight_falls_with_entropy"].equations) == 2
