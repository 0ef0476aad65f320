"""Models whose truth is known in closed form."""
