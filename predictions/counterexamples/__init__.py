"""Universal claims, tested by a search for one small input that contradicts them."""
