"""The errors that kadr raises; each message is one line that names the value and the remedy."""


class KadrError(Exception):
    """Base class of all errors that kadr raises; the command line exits with code 2."""


class InputError(KadrError, ValueError):
    """An input file or array cannot be used."""


class OptionsError(KadrError, ValueError):
    """An option is out of range, unknown, or contradicts another."""


class BackendError(KadrError, RuntimeError):
    """A required library, codec or device is missing or failed."""


class OutputError(KadrError, OSError):
    """The output cannot be written: it exists, the folder cannot be created, the disk is full."""


class FolderInUseError(OutputError):
    """Another kadr works in the folder. ``purpose``: what for, as it said; "" if it did not."""

    def __init__(self, message: str, purpose: str = "") -> None:
        super().__init__(message)
        self.purpose = purpose


class ResumeError(KadrError):
    """Stored work files do not fit the current options."""


class Cancelled(KadrError):  # noqa: N818 - the user asked for it; not a fault
    """The operation was cancelled; nothing was written under the final name."""
