"""Clips, keys and films on an S3 server: read, written, refused, and cut short."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from cli_samples import COUNT, make_images, make_keys, make_video
from s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server, s3_server

from kadr.cli.main import main
from kadr.errors import InputError
from kadr.remote.blocks import BLOCK_BYTES
from kadr.remote.copies import local_copy, trim_copies
from kadr.remote.looked_up import look_once

QUICK = ("--detail", "draft", "--quiet")

Kadr = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture(autouse=True)
def files(
    server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, bytes]]:
    """An empty bucket, and credentials for it in the environment; its objects at the end."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    _forget_credentials()
    _moto(server, "reset")
    _files().mkdir(BUCKET)
    server.requests.clear()
    yield {}
    server.before = lambda request: None
    _moto(server, "reset-auth", b"1000000")
    _forget_credentials()


@pytest.fixture
def kadr(capsys: pytest.CaptureFixture[str]) -> Kadr:
    """Call the command line: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def refused(kadr: Kadr) -> Callable[..., str]:
    """Call the command line, check that it fails in one line, and return that."""

    def call(*arguments: object) -> str:
        code, out, err = kadr(*arguments)
        assert (code, out) == (2, ""), (out, err)
        assert re.fullmatch(r"error: [^\n]+\n", err), err
        assert SECRET_KEY not in err
        return err.removeprefix("error: ").strip()

    return call


def _forget_credentials() -> None:
    for scheme in ("s3", "http"):
        fsspec.get_filesystem_class(scheme).clear_instance_cache()


def _moto(server: S3Server, action: str, content: bytes = b"") -> None:
    address, headers = f"{server.address}/moto-api/{action}", {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(address, content, headers)).close()


def _files() -> Any:
    return fsspec.filesystem("s3", use_listings_cache=False)


def _put(name: str, *paths: Path) -> str:
    """Put a file, or files into a folder; returns its URL."""
    for path in paths:
        _files().put_file(str(path), f"{BUCKET}/{name}" + (path.name if name[-1] == "/" else ""))
    return f"s3://{BUCKET}/{name}"


def _objects() -> dict[str, bytes]:
    """The objects of the bucket by their names."""
    found = _files().find(BUCKET)
    return {name.removeprefix(f"{BUCKET}/"): _files().cat_file(name) for name in found}


def test_a_film_is_made_from_a_server_and_written_there(
    server: S3Server, tmp_path: Path, kadr: Kadr
) -> None:
    clip, keys = make_video(tmp_path / "clip.mp4"), make_keys(tmp_path / "keys", 0, COUNT - 1)
    url, keys_url = _put("in/clip.mp4", clip), _put("in/keys/", *keys.iterdir())
    output = f"s3://{BUCKET}/out/film.mp4"
    server.requests.clear()
    code, _, err = kadr("run", url, "--keys", keys_url, "-o", output, *QUICK)
    assert code == 0, err
    assert len(server.requests) <= 20
    puts = [request for request in server.requests if request.startswith("PUT")]
    assert puts == [f"PUT /{BUCKET}/out/film.mp4", f"PUT /{BUCKET}/out/film.mp4.manifest.json"]
    assert kadr("run", clip, "--keys", keys, "-o", "local.mp4", *QUICK)[0] == 0
    film = (tmp_path / "local.mp4").read_bytes()
    objects = _objects()
    assert objects["out/film.mp4"] == film
    manifest = json.loads(objects["out/film.mp4.manifest.json"])
    digest = hashlib.sha256(film).hexdigest()
    assert manifest["files"] == [{"name": "film.mp4", "bytes": len(film), "sha256": digest}]
    # the same again is refused, unless it may replace what is there
    code, _, err = kadr("run", url, "--keys", keys_url, "-o", output, *QUICK)
    assert (code, err) == (2, f"error: {output}: exists already; use --overwrite or another name\n")
    assert kadr("run", url, "--keys", keys_url, "-o", output, *QUICK, "--overwrite")[0] == 0
    assert not list((tmp_path / "cache" / "remote").glob(".kadr-*"))


def test_a_large_clip_takes_few_requests(server: S3Server, tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 36
    (tmp_path / "large.mp4").write_bytes(content[:36_284_880])
    url = _put("large.mp4", tmp_path / "large.mp4")
    server.requests.clear()
    copy = local_copy(url)
    assert copy.read_bytes() == content[:36_284_880]
    assert server.methods == {"GET": -(-36_284_880 // BLOCK_BYTES), "HEAD": 2}
    assert len(server.requests) == 11
    server.requests.clear()
    assert local_copy(Path(url)) == copy
    assert server.methods == {"HEAD": 1}
    with look_once():
        assert local_copy(url) == local_copy(url) == copy
    assert server.methods == {"HEAD": 2}
    (tmp_path / "large.mp4").write_bytes(b"another clip")
    _put("large.mp4", tmp_path / "large.mp4")
    assert local_copy(url).read_bytes() == b"another clip"


def test_a_clip_that_changes_while_it_is_read_is_refused(server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "b").write_bytes(b"other")
    url = _put("clip.mp4", tmp_path / "a")

    def change(request: str) -> None:
        if request.startswith("GET"):
            server.before = lambda request: None
            _put("clip.mp4", tmp_path / "b")

    server.before = change
    with pytest.raises(InputError, match=r"clip.mp4: changes while it is read; wait until"):
        local_copy(url)
    assert local_copy(url).read_bytes() == b"other"


def test_images_are_listed_once_and_read_once(server: S3Server, tmp_path: Path) -> None:
    images = make_images(tmp_path / "frames", range(COUNT))
    url = _put("frames/", *sorted(images.iterdir()))
    server.requests.clear()
    for path in (url.rstrip("/"), url, url + "shot_%d.png"):
        server.requests.clear()
        local_copy(path)
        lists = [request for request in server.requests if "list-type" in request]
        assert len(lists) == 1, server.requests
        reads = len(server.requests) - 1
        assert reads == (COUNT if path == url.rstrip("/") else 0), server.requests
    first, second, *_ = sorted(images.iterdir())
    first.write_bytes(second.read_bytes())
    _put("frames/", first)
    _files().rm_file(f"{BUCKET}/frames/{second.name}")
    server.requests.clear()
    copy = local_copy(url)
    assert len(server.requests) == 2
    assert (copy / first.name).read_bytes() == first.read_bytes()
    assert not (copy / second.name).exists()


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "kadr", *arguments], stderr=subprocess.PIPE)


def _kill_at(server: S3Server, count: int, sign: str, start: Callable[[], Any]) -> None:
    """Kill a process when its request number ``count`` with a sign comes, before the answer."""
    reached, killed, seen = threading.Event(), threading.Event(), []

    def hold(request: str) -> int | None:
        if sign in request:
            seen.append(request)
        if len(seen) < count:
            return None
        reached.set()
        killed.wait(20)
        return 500

    server.before = hold
    process = start()
    assert reached.wait(40), process.communicate(timeout=5)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    killed.set()
    server.before = lambda request: None


_UPLOAD = """
import sys; from pathlib import Path; from kadr.remote.upload import Upload
Upload(sys.argv[1], folder=False, overwrite=False).send([Path(sys.argv[2])])
"""


def test_a_kill_in_an_upload_leaves_nothing_under_the_name(
    server: S3Server, tmp_path: Path
) -> None:
    film, url = tmp_path / "film.mp4", f"s3://{BUCKET}/film.mp4"
    film.write_bytes(bytes(range(256)) * (40 << 12))
    command = [sys.executable, "-c", _UPLOAD, url, str(film)]
    _kill_at(server, 3, "partNumber", lambda: subprocess.Popen(command, stderr=subprocess.PIPE))
    assert _objects() == {}
    subprocess.run(command, check=True, timeout=60)
    objects = _objects()
    assert objects["film.mp4"] == film.read_bytes()
    assert set(objects) == {"film.mp4", "film.mp4.manifest.json"}


def test_a_kill_in_an_upload_of_images_is_seen_and_repeated(
    server: S3Server, tmp_path: Path, kadr: Kadr
) -> None:
    images = make_images(tmp_path / "frames", range(COUNT))
    output = f"s3://{BUCKET}/out/frames"
    command = ("frames", str(images), output)
    _kill_at(server, 4, "PUT", lambda: _start(*command))
    assert ".kadr-unfinished" in {name.rpartition("/")[2] for name in _objects()}
    assert not any(name.endswith("manifest.json") for name in _objects())
    code, _, err = kadr("info", output)
    assert code == 2
    assert err == (
        f"error: {output}: an upload to it was not finished; run the command that wrote it again\n"
    )
    assert kadr(*command)[0] == 0
    names = {name.removeprefix("out/frames/") for name in _objects()}
    assert names == {*(path.name for path in images.iterdir()), "manifest.json"}
    assert kadr("info", output)[0] == 0


def test_an_upload_that_is_refused_is_taken_back(
    server: S3Server, tmp_path: Path, refused: Callable[..., str]
) -> None:
    images = make_images(tmp_path / "frames", range(COUNT))
    last = sorted(images.iterdir())[-1].name
    server.before = lambda request: 403 if request.startswith("PUT") and last in request else None
    text = refused("frames", images, f"s3://{BUCKET}/out", "--quiet")
    assert text.startswith(f"s3://{BUCKET}/out: access denied; check the credentials and what they")
    assert _objects() == {}


def test_wrong_credentials_are_told_in_one_line(
    server: S3Server,
    tmp_path: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = _put("clip.mp4", make_video(tmp_path / "clip.mp4"))
    denied = "access denied; check the credentials and what they may do: AWS_PROFILE, AWS_ACCESS"
    _moto(server, "reset-auth", b"0")
    assert denied in refused("info", url)
    assert denied in refused("frames", "clip.mp4", f"s3://{BUCKET}/out")
    _moto(server, "reset-auth", b"1000000")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    _forget_credentials()
    assert refused("info", url).startswith(f"{url}: no credentials found; set AWS_PROFILE")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    _forget_credentials()
    assert "the profile that AWS_PROFILE names does not exist" in refused("info", url)


def test_what_is_missing_is_told_in_one_line(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_video(tmp_path / "clip.mp4")
    no_bucket = "there is no bucket nowhere; check its name, or create it first"
    no_file = "no such file or folder; check the URL"
    for name, cause in (
        ("nowhere/clip.mp4", no_bucket), ("nowhere/frames", no_bucket),
        (f"{BUCKET}/clip.mp4", no_file), (f"{BUCKET}/frames/", no_file),
        (f"{BUCKET}/f_%05d.png", "no images found"),
    ):  # fmt: skip
        assert cause in refused("info", f"s3://{name}")
    for name in ("nowhere/film.mp4", "nowhere/frames/"):
        assert no_bucket in refused("encode", clip, "-o", f"s3://{name}")
    assert "names only a bucket" in refused("encode", clip, "-o", f"s3://{BUCKET}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    _forget_credentials()
    assert "the server cannot be reached" in refused("info", f"s3://{BUCKET}/clip.mp4")


def test_a_project_holds_urls_and_no_secrets(
    tmp_path: Path, kadr: Kadr, refused: Callable[..., str]
) -> None:
    url = _put("in/clip.mp4", make_video(tmp_path / "clip.mp4"))
    keys = make_keys(tmp_path / "painted", 0, COUNT - 1)
    keys_url = _put("in/keys/", *keys.iterdir())
    output = f"s3://{BUCKET}/out/film.mp4"
    assert kadr("new", url, "--keys", keys, "-o", "a.kadr", "--to", output, "--quiet")[0] == 0
    toml = tmp_path / "a.kadr" / "project.toml"
    text = toml.read_text()
    assert f'path = "{url}"' in text
    assert f'path = "{output}"' in text
    toml.write_text(text.replace('folder = "keys"', f'folder = "{keys_url}"'))
    code, _, err = kadr("run", "a.kadr", *QUICK)
    assert code == 0, err
    assert "out/film.mp4.manifest.json" in _objects()
    assert url in (tmp_path / "a.kadr" / "work" / "run.json").read_text()
    assert kadr("status", "a.kadr")[0] == 0
    assert refused("run", "a.kadr", *QUICK).startswith(f"{output}: exists already; use --overwrite")
    for secret in ("s3://key:hidden@films/in/clip.mp4", "https://h/c.mp4?X-Amz-Signature=hidden"):
        toml.write_text(text.replace(url, secret))
        line = refused("run", "a.kadr", *QUICK)
        assert re.search(
            r"project.toml, line \d+: path \S*\*\*\*\S*: holds a password or a sig", line
        )
        assert "hidden" not in line


def test_a_signed_url_is_used_and_kept_nowhere(
    server: S3Server, tmp_path: Path, kadr: Kadr, refused: Callable[..., str]
) -> None:
    clip, keys = make_video(tmp_path / "clip.mp4"), make_keys(tmp_path / "keys", 0, COUNT - 1)
    _put("clip.mp4", clip)
    plain = f"{server.address}/{BUCKET}/clip.mp4"
    assert "access denied; check the credentials" in refused("info", plain)
    signed = _files().sign(f"{BUCKET}/clip.mp4")
    signature = re.search(r"Signature=([^&]+)", signed)[1]  # type: ignore[index]
    code, out, err = kadr("run", signed, "--keys", keys, "-o", "film.mp4", "--work", "work", "-vv",
                          "--report", "report", "--detail", "draft")  # fmt: skip
    assert code == 0, err
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) > 10
    for text in (out, err, *(path.read_bytes().decode("latin-1") for path in kept)):
        assert signature not in text
        assert ACCESS_KEY + "&" not in text
    assert plain in (tmp_path / "work" / "run.json").read_text()
    assert "path http://***" not in err
    assert "holds a password or a signature" in refused("new", signed, "-o", "b.kadr")
    assert not (tmp_path / "b.kadr").exists()


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("run", "c", "--keys", "k", "-o", "x.mp4", "--work", "s3://b/w"), "cannot be at a URL"),
        (("run", "c", "--keys", "k", "-o", "x.mp4", "--report", "s3://b/w"), "cannot be at a URL"),
        (("run", "c", "--keys", "k", "-o", "https://h/x.mp4"), "web servers are only read from"),
        (("run", "c", "--keys", "k", "-o", "x.mp4", "--background", "https://h/"), "names no"),
        (("status", "s3://b/p.kadr"), "a project lies in a folder on this machine"),
        (("preview", "s3://b/p.kadr", "--frame", "1"), "a project lies in a folder on this"),
        (("plan", "c", "--keys-budget", "2", "-o", "s3://b/plan"), "cannot be at a URL"),
        (("import", "s3://b/p.ebs"), "cannot be read"),
        (("new", "c", "--keys", "k", "-o", "s3://b/p.kadr"), "cannot be at a URL"),
        (("info", "https://h/"), "names no file"),
    ],
)
def test_commands_that_take_no_url_say_so(
    tmp_path: Path, refused: Callable[..., str], arguments: tuple[str, ...], cause: str
) -> None:
    make_images(tmp_path / "c", range(1001, 1001 + COUNT))
    make_keys(tmp_path / "k", 1001, first=1001)
    line = refused(*arguments, *(["--quiet"] if arguments[0] in ("run", "plan", "new") else []))
    assert cause in line
    assert "://" in line
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(":")]


def test_an_output_may_not_lie_in_the_input(
    tmp_path: Path, refused: Callable[..., str], kadr: Kadr
) -> None:
    url = _put("frames/", *make_images(tmp_path / "frames", range(COUNT)).iterdir())
    for output in (url, url + "more/", url + "g_####.png"):
        assert "is the input s3://films/frames or lies in it" in refused("frames", url, output)
    assert kadr("frames", url, f"s3://{BUCKET}/other/")[0] == 0


def test_old_copies_are_deleted(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"a")
    copy = local_copy(_put("a.mp4", tmp_path / "a.mp4"))
    trim_copies()
    assert copy.exists()
    record = copy.parents[1] / "versions.json"
    os.utime(record, (0, 0))
    trim_copies(keep=copy.parents[1])
    assert copy.exists()
    trim_copies()
    assert not copy.exists()
    assert local_copy(f"s3://{BUCKET}/a.mp4").read_bytes() == b"a"
