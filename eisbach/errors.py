"""The one exception for what a user can cure: bad parameters, bad files, a full disk."""


class UserError(Exception):
    """One sentence: what was wrong, where, and what to do. Stages print it and exit with status 1."""
