import html.entities
import re
import xml.etree.ElementTree as ET

import pytest

from predictions.proofs import derivations as proofs
from predictions.report import mathematics

XML = {"lt;", "gt;", "amp;"}
HTML = {name: sign for name, sign in html.entities.html5.items() if name not in XML}


@pytest.mark.parametrize("name", [derive.__name__ for derive in proofs.PROOFS])
def test_every_proof_is_well_formed_mathml(name):
    derivation = mathematics.derivations()[name]
    assert derivation.statement
    for equation in derivation.equations:
        root = ET.fromstring(re.sub(r"&(\w+;)", lambda named: HTML.get(named[1], named[0]), equation))
        assert root.tag == "math"
        assert any(one.tag == "mo" and one.text in ("=", "<", ">") for one in root.iter())
