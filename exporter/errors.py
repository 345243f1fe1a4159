"""What can go wrong on the way from a trained model to a published version."""

from trainer.core.errors import TapelineError


class ExportError(TapelineError):
    """A model cannot be written as an ONNX file, or a file is not what it should be."""


class VerificationError(TapelineError):
    """A file does not compute what it should; the message has the largest error and where it is."""


class PublishError(TapelineError):
    """A version cannot be put into the model folder; nothing of it is left there."""
