"""``kadr clean``: list work files and their size, ask, and delete them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kadr.cli.flags import Json, Quiet
from kadr.cli.session import Session, open_session
from kadr.core import formatting
from kadr.core.parsing import expand_home
from kadr.errors import OptionsError

if TYPE_CHECKING:
    from kadr.storage.clean import WorkFiles

Project = Annotated[
    str | None,
    typer.Argument(parser=expand_home, metavar="[NAME.kadr]", help="The project to clean."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be deleted.")]
AllCaches = Annotated[
    bool,
    typer.Option("--all-caches", help="Also delete the work files of all runs without a project."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")]


def clean(
    project: Project = None,
    dry_run: DryRun = False,
    all_caches: AllCaches = False,
    yes: Yes = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Delete work files, which the next run makes again. Keys, settings and output stay."""
    with open_session(quiet=quiet, json=json) as session:
        from kadr.storage.clean import delete_work_files, find_work_files

        cleaned = [find_work_files(folder) for folder in _folders(project, all_caches)]
        for work_files in cleaned:
            _report(work_files, session)
        size = sum(work_files.size for work_files in cleaned)
        count = sum(len(work_files.files) for work_files in cleaned)
        freed = 0
        if not dry_run and count and _confirm(yes, json or quiet, count, size):
            freed = sum(delete_work_files(work_files) for work_files in cleaned)
        session.reporter.result(
            _outcome(dry_run, count, size, freed),
            folders=[str(work_files.folder) for work_files in cleaned],
            files=count,
            bytes=size,
            freed=freed,
            kept=[str(path) for work_files in cleaned for path in work_files.others],
        )


def _folders(project: str | None, all_caches: bool) -> list[Path]:
    from kadr.project.folder import open_project
    from kadr.storage.clean import cached_work

    if project is None and not all_caches:
        raise OptionsError("nothing to clean: give a project, NAME.kadr, or --all-caches")
    folders = [] if project is None else [open_project(project).work]
    return folders + (cached_work() if all_caches else [])


def _report(work_files: WorkFiles, session: Session) -> None:
    folder, others = work_files.folder, work_files.others
    for kind, (count, size) in work_files.kinds.items():
        session.reporter.notice(
            f"{folder}: {kind}: {formatting.counted(count, 'file')}, {formatting.size(size)}"
        )
    if others:
        names = ", ".join(path.relative_to(folder).as_posix() for path in others[:3])
        rest = f" and {len(others) - 3} more" if len(others) > 3 else ""
        session.reporter.notice(f"{folder}: stays, not made by kadr: {names}{rest}")


def _confirm(yes: bool, silent: bool, count: int, size: int) -> bool:
    if yes:
        return True
    if silent or not sys.stdin.isatty():
        raise OptionsError(
            "clean: cannot ask for confirmation here; give --yes to delete, or --dry-run to look"
        )
    question = f"Delete {formatting.counted(count, 'file')}, {formatting.size(size)}?"
    return typer.confirm(question, default=False, err=True)


def _outcome(dry_run: bool, count: int, size: int, freed: int) -> str:
    if not count:
        return "nothing to clean"
    if dry_run:
        return f"would delete {formatting.counted(count, 'file')}, {formatting.size(size)}"
    return f"freed {formatting.size(freed)}" if freed else "nothing was deleted"
