"""Whatever goes wrong: one line, an exit code, and a log where kadr itself is at fault."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import Call

from kadr.cli import ebsynth, entry, fault_log, guard

Fail = Callable[[BaseException], None]


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Let ``kadr info`` raise an exception."""

    def set_error(error: BaseException) -> None:
        def raise_it(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("kadr.video.clips.open_clip", raise_it)

    return set_error


def log_of(line: str) -> str:
    """The text of the log that a line names."""
    return Path(line.strip().rpartition(", ")[2]).read_text(encoding="utf-8")


@pytest.mark.parametrize("error", [ZeroDivisionError("a fault"), RecursionError("too deep")])
def test_a_fault_is_one_line_that_names_a_log(
    kadr: Call, fail: Fail, cache: Path, error: Exception
) -> None:
    fail(error)
    done = kadr("info", "http://me:secret@host/a clip")
    assert (done.code, done.out) == (70, "")
    assert done.err.startswith(
        f"error: unexpected {type(error).__name__}: {error}; this is a fault of kadr: report it, "
    )
    assert done.err.count("\n") == 1
    assert str(cache / "logs") in done.err
    log = log_of(done.err)
    for part in ("kadr 0.", "Python 3", "'info' 'http://***@host/a clip'", "in raise_it"):
        assert part in log
    assert "secret" not in log
    assert log.rstrip().endswith(f"{type(error).__name__}: {error}")


def _caused(cause: Exception) -> Exception:
    error = OSError("no such library")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        BlockingIOError(11, "Resource temporarily unavailable"),
        RuntimeError("can't start new thread"),
        ImportError("cmath.so: failed to map segment from shared object"),
        _caused(OSError("libllvmlite.so: failed to map segment from shared object")),
    ],
    ids=repr,
)
def test_low_memory_is_one_line_in_all_its_forms(kadr: Call, fail: Fail, error: Exception) -> None:
    fail(error)
    done = kadr("info", "x")
    assert done.code == 2
    assert done.err == "error: not enough memory; close other programs, or work on a smaller clip\n"


def test_a_fault_of_several_lines_is_one_line(kadr: Call, fail: Fail) -> None:
    fail(ValueError("first\x1b[31m\nsecond"))
    assert r"unexpected ValueError: first\x1b[31m; this is" in kadr("info", "x").err


@pytest.mark.parametrize("words", [["-vv"], ["-v", "--verbose"], []])
def test_the_traceback_is_shown_when_asked_for(
    kadr: Call, fail: Fail, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(ZeroDivisionError("a fault"))
    if not words:
        monkeypatch.setenv("KADR_DEBUG", "1")
    words = [word for word in words if words]
    lines = kadr("frames", "x", "y", *words).err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("error: unexpected ZeroDivisionError: a fault; ")


def test_programs_get_an_object(kadr: Call, fail: Fail) -> None:
    fail(ZeroDivisionError("a fault"))
    done = kadr("info", "x", "--json")
    (fact,) = done.objects
    assert (fact["event"], fact["kind"]) == ("error", "Fault")
    assert done.err == f"error: {fact['message']}\n"


def test_a_log_goes_elsewhere_if_its_folder_cannot_be_written(
    kadr: Call, fail: Fail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fail(ZeroDivisionError("a fault"))
    assert f"report it, {tmp_path}{os.sep}kadr-fault-" in kadr("info", "x").err
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone" / "file"))
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(OSError()))
    done = kadr("info", "x")
    assert (done.code, done.err.count("\n")) == (70, 1)
    assert done.err.endswith("run again with -vv and report what it prints\n")


def test_an_error_without_a_text_is_logged(cache: Path) -> None:
    class BadError(Exception):
        def __str__(self) -> str:
            raise ValueError

    path = fault_log.write_log(BadError(), [], "kadr")
    assert path is not None
    assert "BadError" in path.read_text()


def test_only_the_last_logs_stay(kadr: Call, fail: Fail, cache: Path) -> None:
    fail(ZeroDivisionError("a fault"))
    (cache / "logs").mkdir()
    (cache / "logs" / "notes.log").touch()
    for number in range(9):
        (cache / "logs" / f"kadr-fault-20200101-00000{number}-abc.log").touch()
    last = kadr("info", "x").err
    names = sorted(path.name for path in (cache / "logs").iterdir())
    assert len(names) == 6
    assert names[0] == "kadr-fault-20200101-000005-abc.log"
    assert "notes.log" in names
    assert log_of(last)


def test_the_program_of_ebsynth_is_guarded_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(ebsynth, "synthesize_files", fail)
    monkeypatch.setattr(ebsynth, "parse_synth", lambda *_, **__: None)
    assert ebsynth.main(["-style", "a.png"]) == 70
    assert "'kadr-ebsynth' '-style' 'a.png'" in log_of(capsys.readouterr().err)


def test_an_interrupt_that_a_library_changed_is_an_interrupt(kadr: Call, fail: Fail) -> None:
    fail(ImportError("half loaded"))
    guard.interrupted.set()
    try:
        done = kadr("info", "x")
    finally:
        guard.interrupted.clear()
    assert done.code == 130
    assert done.err == "stopped; nothing was written under the final name\n"


def _python(code: str, *words: str, **environment: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


def _run(code: str, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _python(code, *words), capture_output=True, text=True, timeout=60, **options
    )  # type: ignore[call-overload]


ENTRY = "import sys; from kadr.cli.entry import main; sys.exit(main())"


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to a whole console only")
@pytest.mark.parametrize("phase", ["start", "import", "command", "destructor", "end"])
def test_ctrl_c_at_any_time_gives_no_traceback(phase: str, tmp_path: Path) -> None:
    signal_now = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    match phase:
        case "import":  # while Typer, the first of the libraries, is loaded
            (tmp_path / "typer.py").write_text(
                f"try:\n {signal_now}\n import time; time.sleep(9)\n"
                "except BaseException: raise ImportError('half loaded')\n"
            )
            code, words = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{ENTRY}", ("info",)
        case "start":  # while the guard itself is loaded
            (tmp_path / "json.py").write_text(f"{signal_now}\nimport time; time.sleep(9)\n")
            code, words = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{ENTRY}", ("info",)
        case "command":
            code = (
                "import kadr.video.clips as clips\n"
                f"def stop(*_, **__): {signal_now}\n"
                f"clips.open_clip = stop\n{ENTRY}"
            )
            words = ("info", "x")
        case "destructor":
            code = (
                "import kadr.video.clips as clips\n"
                "class Thing:\n"
                f" def __del__(self): {signal_now}\n"
                "def stop(*_, **__):\n"
                " Thing()\n import time; time.sleep(9)\n"
                f"clips.open_clip = stop\n{ENTRY}"
            )
            words = ("info", "x")
        case _:
            code = (
                f"import atexit\ndef last():\n {signal_now}\n import time; time.sleep(9)\n"
                f"atexit.register(last)\n{ENTRY}"
            )
            words = ("--version",)
    done = _run(code, *words)
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= 1
    assert done.returncode == (-signal.SIGINT if phase == "end" else 130)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to a whole console only")
def test_ctrl_c_within_an_exec_has_the_same_exit_code(tmp_path: Path) -> None:
    """Python ends a module by the signal then, though the exception was handled."""
    stop = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)"
    (tmp_path / "stopped.py").write_text(
        "import kadr.video.clips as clips\n"
        f"def stop(*_, **__): exec({stop!r})\n"
        f"clips.open_clip = stop\n{ENTRY}"
    )
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "stopped", "info", "x"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert (done.returncode, done.stderr.count("\n")) == (130, 1)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_output_that_nobody_reads_ends_quietly() -> None:
    process = subprocess.Popen(
        _python(ENTRY, "run", "--help"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_broken_pipe_that_is_not_the_output_is_a_fault(kadr: Call, fail: Fail) -> None:
    fail(BrokenPipeError(32, "Broken pipe"))
    if os.name == "nt":
        return
    code = (
        "import kadr.video.clips as clips\n"
        "def broken(*_, **__): raise BrokenPipeError(32, 'Broken pipe')\n"
        f"clips.open_clip = broken\n{ENTRY}"
    )
    done = _run(code, "info", "x")
    assert done.returncode == 70
    assert "unexpected BrokenPipeError" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_is_full_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            _python(ENTRY, "--version"), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the disk is full")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs a shell that closes streams")
def test_closed_streams_are_given_a_place() -> None:
    command = f'"{sys.executable}" -m kadr info /gone <&- >&- 2>&-; echo $?'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stdout == "2\n"


def test_python_dash_m_is_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kadr", "--version"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout[:5]) == (0, "kadr ")


def test_a_library_that_cannot_be_loaded_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ImportError('no such symbol')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{ENTRY}"
    done = _run(code, "info", "x", env={**os.environ, "KADR_CACHE": str(tmp_path / "cache")})
    assert done.returncode == 70
    assert done.stderr.startswith("error: unexpected ImportError: no such symbol; ")
    assert "typer.py" in log_of(done.stderr)


def test_a_thread_that_fails_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    for module, name in ((threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    entry._guard_threads(["run"], "kadr")
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    line = capsys.readouterr().err
    assert line.startswith("error: unexpected ZeroDivisionError: division by zero; ")
    assert line.count("\n") == 1
