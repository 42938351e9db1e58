"""``kadr clean``: say which work files can go and how much they hold, ask, and delete them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kadr.cli.flags import Json, Quiet
from kadr.cli.session import Session, session
from kadr.core import formatting
from kadr.errors import OptionsError

if TYPE_CHECKING:
    from kadr.storage.clean import WorkFiles

Project = Annotated[str | None, typer.Argument(metavar="[NAME.kadr]", help="The project to clean.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")]
AllCaches = Annotated[
    bool,
    typer.Option("--all-caches", help="Also the work of all runs that had no project."),
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
    """Delete work files, which the next run makes again; keys, settings and output stay."""
    with session(quiet=quiet, json=json) as now:
        from kadr.storage.clean import delete_work_files, find_work_files

        found = [find_work_files(folder) for folder in _folders(project, all_caches)]
        for each in found:
            _tell(each, now)
        size, count = sum(each.size for each in found), sum(len(each.files) for each in found)
        freed = 0
        if not dry_run and count and _is_wanted(yes, json or quiet, count, size):
            freed = sum(delete_work_files(each) for each in found)
        now.speaker.result(
            _outcome(dry_run, count, size, freed),
            folders=[str(each.folder) for each in found],
            files=count,
            bytes=size,
            freed=freed,
            kept=[str(path) for each in found for path in each.others],
        )


def _folders(project: str | None, all_caches: bool) -> list[Path]:
    from kadr.project.folder import open_project
    from kadr.storage.clean import cached_work

    if project is None and not all_caches:
        raise OptionsError("nothing to clean: give a project, NAME.kadr, or --all-caches")
    folders = [] if project is None else [open_project(project).work]
    return folders + (cached_work() if all_caches else [])


def _tell(found: WorkFiles, now: Session) -> None:
    for kind, (count, size) in found.kinds.items():
        now.speaker.notice(
            f"{found.folder}: {kind}: {formatting.counted(count, 'file')}, {formatting.size(size)}"
        )
    if found.others:
        others = ", ".join(path.relative_to(found.folder).as_posix() for path in found.others[:3])
        more = f" and {len(found.others) - 3} more" if len(found.others) > 3 else ""
        now.speaker.notice(f"{found.folder}: stays, not made by kadr: {others}{more}")


def _is_wanted(yes: bool, silent: bool, count: int, size: int) -> bool:
    if yes:
        return True
    if silent or not sys.stdin.isatty():
        raise OptionsError("clean: nobody to ask; give --yes to delete, or --dry-run to look")
    asked = f"Delete {formatting.counted(count, 'file')}, {formatting.size(size)}?"
    return typer.confirm(asked, default=False, err=True)


def _outcome(dry_run: bool, count: int, size: int, freed: int) -> str:
    if not count:
        return "nothing to clean"
    if dry_run:
        return f"would delete {formatting.counted(count, 'file')}, {formatting.size(size)}"
    return f"freed {formatting.size(freed)}" if freed else "nothing was deleted"
