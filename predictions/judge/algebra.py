"""What needs no data: proofs that sympy derives again, and counterexamples that a search finds."""

from collections.abc import Mapping

from predictions import proofs
from predictions.judge.verdict import AlgebraVerdict, SearchResult
from predictions.registry.schema import Algebra, Claim

Searched = Mapping[tuple[str, str], Mapping]  # (search, regime) -> the fields of `SearchResult`, or a `reason`


def verdicts(claim: Claim, searched: Searched) -> tuple[AlgebraVerdict, ...]:
    """The claim's statements with their words. Raises ProofError where a step can no longer be derived."""
    return tuple(_verdict(one, searched.get((one.search, one.regime), {})) for one in claim.algebra)


def _verdict(one: Algebra, found: Mapping) -> AlgebraVerdict:
    if one.proof is not None:
        getattr(proofs, one.proof)()
        return AlgebraVerdict(
            statement=one.statement, says=one.says, word=one.word, proof=one.proof, search=None, counterexample=None
        )
    result = SearchResult(**found) if "tried" in found else None
    return AlgebraVerdict(
        statement=one.statement,
        says=one.says,
        word=one.word if result is not None and result.found else "undecided",
        proof=None,
        search=one.search,
        counterexample=result,
    )
