"""A path or text in; whether it is a URL, and how it is written for people, without its secrets.

``pathlib`` writes ``s3://bucket/clip.mp4`` as ``s3:/bucket/clip.mp4``: both stand for one URL here,
so options keep their type ``Path``. A signed URL is kept in this process only, see ``hide_secret``.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from kadr.core.formatting import printable
from kadr.errors import OptionsError

_SCHEMES = "s3|gs|https?"
_URL = re.compile(rf"({_SCHEMES}):[/\\]+([^/\\].*)", re.IGNORECASE | re.DOTALL)
_URL_PART = re.compile(rf"({_SCHEMES}):", re.IGNORECASE)
_COLLAPSED = re.compile(rf"\b({_SCHEMES}):[/\\](?=[^/\\\s])")
_USER = re.compile(r"\b([a-z][a-z0-9+.-]*:/{1,2})[^/\s@'\"]+@", re.IGNORECASE)
_QUERY = re.compile(r"\b(https?:/{1,2}[^\s?'\"<>]+)\?([^\s'\"<>]+)", re.IGNORECASE)

_HARMLESS = frozenset({"alt", "dl", "download", "format", "id", "raw", "v", "version"})
"""Names of the only query values that are no secrets: any other may be a signature or a token."""

_MASK = "***"

_secrets: dict[str, str] = {}
"""URL without its query → the signed URL that the user gave."""
_copies: dict[str, str] = {}
"""Folder on this machine → the URL of the folder that its files were read from."""


def url_of(path: str | Path) -> str | None:
    """The URL that a path stands for, ``scheme://…``; None for a path on this machine."""
    text = path if isinstance(path, str) else path.as_posix()
    match = _URL.fullmatch(text)
    return None if match is None else f"{match[1].lower()}://{match[2]}"


def path_text(path: str | Path) -> str:
    """The text of a path or URL, for records and messages."""
    return url_of(path) or str(path)


def place(root: Path, text: str | Path) -> Path:
    """A path that is relative to a folder, or a URL, which stays as it is."""
    return Path(text) if url_of(text) else root / text


def has_secret(url: str) -> bool:
    """Whether a URL holds a password, a signature or a token."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that are no address: nobody knows what the rest is
        return True
    if "@" in parts.netloc:
        return True
    if parts.scheme not in ("http", "https") or not parts.query:
        return False
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    return not names or not names <= _HARMLESS


def hide_secret(text: str) -> str:
    """The text of a path from a command line; of a signed URL only what is before its query.

    The signature is used for reading in this process, and is in no option, record or message.
    """
    url = url_of(text)
    if url is None or not url.startswith("http") or not has_secret(url):
        return text
    visible = url.partition("?")[0]
    if visible != url:
        _secrets[visible] = url
    return visible


def signed_url(url: str) -> str:
    """The URL that ``hide_secret`` took away, to read from; any other as it is."""
    return _secrets.get(url, url)


def refuse_secrets(name: str, path: str | Path) -> None:
    """Raise OptionsError for a URL with a password or a signature, which no file may hold."""
    url = url_of(path)
    if url is None or not (has_secret(url) or signed_url(url) != url):
        return
    raise OptionsError(
        f"{name} {mask_secrets(url)}: holds a password or a signature, which is not kept in files; "
        "take it out, and set the credentials in the environment"
    )


def mask_secrets(text: str) -> str:
    """A text whose URLs have no passwords, and no query values that may be secrets."""
    if ":/" not in text:
        return text
    return _QUERY.sub(_masked_query, _USER.sub(rf"\1{_MASK}@", text))


def _masked_query(match: re.Match[str]) -> str:
    if not has_secret(match[0]):
        return match[0]
    end = match[2][len(match[2].rstrip(":;,.)")) :]  # of the sentence around it
    return f"{match[1]}?{_MASK}{end}"


def register_copy(folder: Path, url: str) -> None:
    """Note that the files of a folder were read from a URL, or will be written there."""
    _copies[str(folder)] = url.rstrip("/")


def origin(path: str | Path) -> str | None:
    """The URL of a path: its own, or that which a copy on this machine was read from."""
    own = url_of(path)
    if own is not None:
        return own
    path = Path(path)
    for folder in (path, *path.parents):
        if str(folder) in _copies:
            inner = path.relative_to(folder).as_posix()
            return _copies[str(folder)] + ("" if inner == "." else f"/{inner}")
    return None


def readable(text: str) -> str:
    """A message in which copies have the names of their URLs, and URLs both their slashes."""
    for folder in sorted(_copies, key=len, reverse=True):
        text = text.replace(folder, _copies[folder])
    return _COLLAPSED.sub(r"\1://", text) if ":" in text else text


def is_below_url(path: Path) -> bool:
    """Whether a path has a folder that is called as a URL begins: nobody meant to make that."""
    return any(_URL_PART.fullmatch(part) for part in path.parts)


def _split(url: str):  # type: ignore[no-untyped-def]
    try:
        return urlsplit(url)
    except ValueError:  # brackets that are no address
        return urlsplit("")


def message_text(text: str) -> str:
    """A message as it is shown: in one line, without secrets, and with URLs as URLs."""
    return printable(mask_secrets(readable(text)))
