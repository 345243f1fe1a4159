"""Every error that a user can cause, so that one `except` can turn it into one clear sentence."""


class TapelineError(Exception):
    """Base of all errors whose message is written for the user: what was given, expected, to do."""


class OperatorError(TapelineError):
    """An operator was given inputs or attributes that it cannot take."""


class GradientError(TapelineError):
    """A derivative was asked for that does not exist."""


class CaptureError(TapelineError):
    """A function cannot become a graph: a value leaked out of it, or it is not the same each time."""


class TreeError(TapelineError):
    """Two trees that should have the same names and shapes differ."""


class DataError(TapelineError):
    """A data source is missing, malformed or does not fit."""


class ConfigError(TapelineError):
    """A recipe or an option is wrong."""


class CheckpointError(TapelineError):
    """A checkpoint is missing, damaged or belongs to another model."""
