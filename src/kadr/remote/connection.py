"""A URL in, an open connection to its server out; what a library raises becomes one line.

Credentials come from where the tools of the provider look for them: its environment variables and
files. A URL that holds a password is refused.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kadr.core.locations import mask_secrets, signed_url
from kadr.errors import BackendError, InputError, KadrError

_PACKAGES = {
    "s3": ("s3fs", "remote"),
    "gs": ("gcsfs", "gcs"),
    "https": ("aiohttp", "remote"),
    "http": ("aiohttp", "remote"),
}
"""Scheme → the library that fsspec needs for it, and kadr's extra that installs it."""

_CREDENTIALS = {
    "s3": "AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login",
    "https": "~/.netrc, or a signed URL on the command line",
    "http": "~/.netrc, or a signed URL on the command line",
}
"""Scheme → where its credentials come from."""

_LIBRARIES = frozenset({
    "aiobotocore", "aiohttp", "asyncio", "botocore", "fsspec", "gcsfs", "google", "s3fs",
})  # fmt: skip
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = frozenset({
    "401", "403", "AccessDenied", "AllAccessDisabled", "ExpiredToken", "Forbidden",
    "InvalidAccessKeyId", "InvalidToken", "InvalidClientTokenId", "SignatureDoesNotMatch",
    "Unauthorized",
})  # fmt: skip
_NO_BUCKET = frozenset({"NoSuchBucket"})
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True)
class Connection:
    """A URL without its secrets, the fsspec file system for it, and its path in that."""

    url: str
    files: Any
    key: str

    @property
    def scheme(self) -> str:
        """``s3``, ``gs``, ``https`` or ``http``."""
        return self.url.partition(":")[0]

    @property
    def bucket(self) -> str:
        """The bucket of an object; the name of the server for other URLs."""
        return urlsplit(self.url).netloc

    def child(self, name: str) -> Connection:
        """A file in the folder that this is."""
        return Connection(f"{self.url}/{name}", self.files, f"{self.key}/{name}")

    def exists(self) -> bool:
        """Whether there is a file or a folder; raises what the library raises, see ``errors``."""
        try:
            self.files.info(self.key, **({"refresh": True} if self.scheme == "s3" else {}))
        except FileNotFoundError:
            return False
        return True

    @contextlib.contextmanager
    def errors(self, kind: type[KadrError] = InputError) -> Iterator[None]:
        """Turn what a library raises into an error of ``kind`` that names the URL and the cause.

        Errors of kadr, faults, and those of a disk of this machine that is full, pass through.
        """
        try:
            yield
        except KadrError:
            raise
        except Exception as error:  # three libraries, each with several classes of its own
            if not _is_of_library(error) or getattr(error, "errno", None) in _DISK_FULL:
                raise
            raise kind(f"{mask_secrets(self.url)}: {self._cause(error)}") from error

    def _cause(self, error: Exception) -> str:
        codes = set(_codes(error))
        names = {type(cause).__name__ for cause in _causes(error)}
        hint = _CREDENTIALS[self.scheme]
        if names & {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"}:
            return f"no credentials found; set {hint}"
        if "ProfileNotFound" in names:
            return f"the profile that AWS_PROFILE names does not exist; set {hint}"
        if codes & _NO_BUCKET:
            return self._no_bucket()
        if names & _UNREACHABLE or isinstance(error, (ConnectionError, TimeoutError)):
            return "the server cannot be reached; check the network, the address and any proxy"
        if isinstance(error, PermissionError) or codes & _DENIED:
            return f"access denied; check the credentials and what they may do: {hint}"
        if isinstance(error, FileNotFoundError) or codes & _MISSING:
            return self._why_missing()
        answers = sorted(codes) or [type(error).__name__]
        return f"the server answers with {answers[0]}; try again later"

    def _no_bucket(self) -> str:
        return f"there is no bucket {self.bucket}; check its name, or create it first"

    def _why_missing(self) -> str:
        """Whether the object or its whole bucket is missing."""
        if self.scheme in ("s3", "gs"):
            try:
                self.files.info(self.bucket)
            except FileNotFoundError:
                return self._no_bucket()
            except Exception:  # a bucket that may not be listed exists
                return "no such file or folder; check the URL"
        return "no such file or folder; check the URL"


_UNREACHABLE = frozenset({
    "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError",
    "ConnectionClosedError", "ClientConnectorError", "ClientConnectorDNSError",
    "ServerDisconnectedError", "ServerTimeoutError", "FSTimeoutError", "ClientOSError",
    "ProxyConnectionError", "ConnectionTimeoutError", "HTTPClientError", "ClientPayloadError",
})  # fmt: skip
"""Names of the classes of errors about the network; their libraries need not be installed."""


def connect(url: str) -> Connection:
    """A connection to the server of a URL.

    Raises InputError for a URL with a password, BackendError if a library is not installed.
    """
    scheme = url.partition(":")[0]
    if "@" in urlsplit(url).netloc:
        raise InputError(
            f"{mask_secrets(url)}: holds a password; take it out, and set {_CREDENTIALS[scheme]}"
        )
    package, extra = _PACKAGES[scheme]
    try:
        import fsspec

        importlib.import_module(package)
    except ImportError as error:
        raise BackendError(
            f"{url}: needs {package}; install it with pip install 'kadr[{extra}]'"
        ) from error
    # proxies and ~/.netrc, as other programs use them
    options = {"client_kwargs": {"trust_env": True}} if scheme.startswith("http") else {}
    connection = Connection(url, None, "")
    with connection.errors():
        files = fsspec.filesystem(scheme, use_listings_cache=False, **options)
        return Connection(url, files, files._strip_protocol(signed_url(url)))


def _is_of_library(error: Exception) -> bool:
    """Whether an error tells about the server or the way to it, and not about a fault of kadr."""
    modules = {type(cause).__module__.partition(".")[0] for cause in _causes(error)}
    return isinstance(error, OSError) or bool(modules & _LIBRARIES)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _codes(error: BaseException) -> Iterator[str]:
    """What a server answered: names of errors, and HTTP status codes."""
    for cause in _causes(error):
        response = getattr(cause, "response", None)
        if isinstance(response, Mapping):
            yield str(response.get("Error", {}).get("Code", ""))
            yield str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        # of aiohttp, and of gcsfs
        status = getattr(cause, "status" if hasattr(cause, "status") else "code", None)
        if isinstance(status, (int, str)) and status:
            yield str(status)
