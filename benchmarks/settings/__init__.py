"""Which settings let the default run see its positive controls, and at what cost. docs/training.md has the results."""
