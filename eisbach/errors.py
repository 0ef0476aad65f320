"""The one exception for problems that the user can solve: wrong parameters, broken files, a full disk."""


class UserError(Exception):
    """The message is one sentence: the wrong value, the place, the cure. Commands print it and exit with status 1."""
