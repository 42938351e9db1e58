"""URLs in paths and texts: recognized in both spellings, and shown without their secrets."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.core import locations
from kadr.core.locations import (
    has_secret,
    hide_secret,
    mask_secrets,
    message_text,
    origin,
    path_text,
    place,
    readable,
    refuse_secrets,
    register_copy,
    signed_url,
    url_of,
)
from kadr.errors import OptionsError

NAMES = st.text("abcXYZ019_-. ", max_size=12).map(lambda text: f"a{text}b")
SECRETS = st.text("abcdefXYZ0123456789%+=", min_size=8, max_size=30)


@given(st.sampled_from(["s3", "gs", "https", "http"]), st.lists(NAMES, min_size=2, max_size=5))
def test_a_url_stays_one_through_a_path(scheme: str, parts: list[str]) -> None:
    url = f"{scheme}://{'/'.join(parts)}"
    assert url_of(url) == url
    assert url_of(Path(url)) == url
    assert path_text(Path(url)) == url
    assert readable(f"{Path(url)}: is missing") == f"{url}: is missing"


@pytest.mark.parametrize(
    "path", ["clip.mp4", "a:b/c.mp4", "/x/s3:/b", "C:/film.mp4", "s3:", "s3://", "ftp://h/x"]
)
def test_other_paths_are_no_urls(path: str) -> None:
    assert url_of(path) is None
    assert path_text(path) == path


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket/a.mp4", False),
        ("s3://key:secret@bucket/a.mp4", True),
        ("https://host/a.mp4", False),
        ("https://host/get?id=12&v=3", False),
        ("https://host/a.mp4?X-Amz-Signature=12", True),
        ("https://host/a.mp4?id=1&sig=2", True),
        ("https://host/a.mp4?bare", True),
        ("https://user@host/a.mp4", True),
        ("https://[bad/a.mp4", True),
        ("s3://bucket/what?.mp4", False),
    ],
)
def test_passwords_and_signatures_are_secrets(url: str, expected: bool) -> None:
    assert has_secret(url) is expected


@given(SECRETS, SECRETS, NAMES)
def test_no_secret_survives_in_a_message(first: str, second: str, name: str) -> None:
    first, second = f"hidden{quote(first)}", f"hidden{quote(second)}"
    for url in (
        f"https://host/{quote(name)}?X-Amz-Credential={first}&X-Amz-Signature={second}",
        f"s3://{first}:{second}@bucket/{name}",
        f"https:/user:{first}@host/x?token={second}",
    ):
        text = message_text(f"{url}: cannot be read ({url})")
        assert "hidden" not in text
        assert ": cannot be read (" in text


def test_texts_without_secrets_stay() -> None:
    text = "https://example.com/help?id=3 and s3://b/k?.png: 3:4, mail a@b.c"
    assert mask_secrets(text) == text


def test_a_signature_from_the_command_line_is_kept_apart() -> None:
    url = "https://host/dir/a.mp4?X-Amz-Signature=abc"
    visible = hide_secret(url)
    assert visible == "https://host/dir/a.mp4"
    assert signed_url(visible) == url
    assert hide_secret("https://host/get?id=3") == "https://host/get?id=3"
    assert hide_secret("clip.mp4?x=1") == "clip.mp4?x=1"
    with pytest.raises(OptionsError, match=r"path https://host/dir/a.mp4: holds a password or a"):
        refuse_secrets("path", Path(visible))


def test_a_copy_on_this_machine_is_called_by_its_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locations, "_copies", {})
    register_copy(tmp_path / "keys", "s3://bucket/painted/keys/")
    file = tmp_path / "keys" / "012.png"
    assert origin(file) == "s3://bucket/painted/keys/012.png"
    assert origin(tmp_path / "keys") == "s3://bucket/painted/keys"
    assert origin(tmp_path) is None
    assert readable(f"{file}: is turned") == "s3://bucket/painted/keys/012.png: is turned"


def test_a_url_has_no_place_in_a_folder(tmp_path: Path) -> None:
    assert place(tmp_path, "keys") == tmp_path / "keys"
    assert url_of(place(tmp_path, "s3://bucket/keys")) == "s3://bucket/keys"
