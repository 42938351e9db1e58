"""The errors that kadr raises on purpose; each is one line that names the value and the remedy."""


class KadrError(Exception):
    """Base of every error that kadr raises on purpose; the command line exits with code 2."""


class InputError(KadrError, ValueError):
    """A file or an array that the user gave cannot be used."""


class OptionsError(KadrError, ValueError):
    """An option is out of range, unknown, or contradicts another."""


class BackendError(KadrError, RuntimeError):
    """A library, a codec or a device that the work needs is missing or failed."""


class OutputError(KadrError, OSError):
    """The output cannot be written: it exists, the folder cannot be made, the disk is full."""


class ResumeError(KadrError):
    """Kept work does not fit what is asked now."""


class Cancelled(KadrError):  # noqa: N818 - a request that was granted, not a fault
    """The work was asked to stop and did; nothing stands under the final name."""
