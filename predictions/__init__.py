"""The paper's claims as falsifiable code: proofs, statistics, verdicts."""
