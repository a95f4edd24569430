"""Errors for users: the first sentence is the remedy. Each has the exit code of the command `sonic`."""


class SonicError(Exception):
    """A problem that the user can solve. The first sentence of the message says how."""

    exit_code = 3


class UsageError(SonicError):
    """Options that contradict each other or are out of range."""

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
    """Memory ran out during a run that was estimated to fit."""


class OutputError(SonicError):
    """The result could not be written."""

    exit_code = 6


class InstallError(SonicError):
    """A part of the program is missing or does not load."""

    exit_code = 7
