"""Measurements of the method's cost and precision, and of the judge. Results are committed next to the programs."""
