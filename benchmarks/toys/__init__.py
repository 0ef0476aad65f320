"""Speed and agreement of the toys' stacks."""
