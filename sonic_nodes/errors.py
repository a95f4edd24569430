"""Errors that a user reads: the first line is the remedy. Each carries the exit code that `sonic` ends with."""


class SonicError(Exception):
    """Something the user can mend. The message's first sentence says how."""

    exit_code = 3


class UsageError(SonicError):
    """Options that contradict each other or lie outside their range."""

    exit_code = 2


class InputError(SonicError):
    """A picture or recording that cannot be used."""

    exit_code = 3


class NoFaceError(InputError):
    """No face was found in the picture."""

    exit_code = 4


class ResourceError(SonicError):
    """Memory or disk space ran out."""

    exit_code = 5


class OutOfMemoryError(ResourceError):
    """Memory ran out during the work, although it was expected to fit."""


class OutputError(SonicError):
    """The result could not be written."""

    exit_code = 6


class InstallError(SonicError):
    """A part of the program itself is missing or does not load."""

    exit_code = 7
