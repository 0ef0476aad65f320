"""Speed of the toys' stacks, and their agreement with models trained alone."""
