"""``kadr studio``: a page in the browser on which a project is looked at, edited and run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from kadr.cli.flags import Quiet, Verbose
from kadr.cli.session import Session, open_session
from kadr.core.locations import url_of
from kadr.core.parsing import expand_home
from kadr.errors import BackendError, InputError

_PACKAGES = ("fastapi", "uvicorn")

Target = Annotated[
    str | None,
    typer.Argument(
        parser=expand_home,
        metavar="[PROJECT|CLIP|FOLDER]",
        help="A project, a clip, or a folder with some (default: this folder).",
    ),
]
Host = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Where to listen; beyond this machine, the address that is printed holds a token.",
    ),
]
Port = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=65535, help="The port (default: 8477, or a free one)."),
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Do not open the page.")]
Sample = Annotated[bool, typer.Option("--sample", help="Open the sample project.")]
Launcher = Annotated[
    bool,
    typer.Option(
        "--install-launcher", help="Only write a file that starts the studio by a double click."
    ),
]


def studio(
    target: Target = None,
    host: Host = "127.0.0.1",
    port: Port = None,
    no_browser: NoBrowser = False,
    sample: Sample = False,
    install_launcher: Launcher = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Open the studio: choose keyframes, paint, run and compare, on a page in the browser.

    It works on the same projects as the other commands; Ctrl-C ends it.
    """
    with open_session(quiet=quiet, verbose=verbose) as session:
        if install_launcher:
            _install(session)
            return
        missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            raise BackendError(
                f"studio: needs {' and '.join(missing)}; install it with pip install 'kadr[studio]'"
            )
        from kadr.studio.serve import serve

        project, folder = _project_and_folder(target)

        def on_ready(url: str) -> None:
            session.reporter.result(f"kadr studio: {url} (Ctrl-C ends it)")
            if not url.startswith("http://localhost"):
                session.reporter.notice(
                    "note: the address is not encrypted; use it in networks that you trust"
                )

        serve(
            project,
            folder,
            host=host,
            port=port,
            browser=not no_browser,
            sample=sample,
            on_ready=on_ready,
        )


def _project_and_folder(target: str | None) -> tuple[Path | None, Path]:
    """What to open at once, if anything, and the folder of the start page."""
    if target is None:
        return None, Path.cwd()
    if url_of(target) is not None:
        raise InputError(
            f"{target}: the studio opens projects and clips on this machine; a project's own clip "
            "may be a URL: kadr new"
        )
    path = Path(target).absolute()
    if not path.exists():
        raise InputError(f"{target}: no such project, clip or folder; check the path")
    if path.is_dir() and not (path / "project.toml").is_file():
        return None, path
    return path, path.parent


def _install(session: Session) -> None:
    from kadr.studio.launcher import install_launcher

    paths = install_launcher()
    session.reporter.result(
        f"{paths[0]}: starts the studio by a double click",
        *(f"{path}: the same, in the menu of programs" for path in paths[1:]),
    )
