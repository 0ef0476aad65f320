"""One page of what a run found."""
