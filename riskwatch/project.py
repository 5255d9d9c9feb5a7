"""Find a project's folder, and make a new one from the template."""

from __future__ import annotations

import importlib.resources
import shutil
from pathlib import Path

import riskwatch
from riskwatch.errors import ProjectError

__all__ = ["FOLDERS", "find_project", "init_project", "template_root"]

FOLDERS = ("models", "pipelines", "config")
"""What makes up a project; the rest of a repository is code."""

_MARK = Path("config", "riskwatch.yaml")


def find_project(start: Path | str = ".") -> Path:
    """Return the nearest folder at or above ``start`` that holds ``config/riskwatch.yaml``.

    Parameters
    ----------
    start : path
        Where to begin.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    ProjectError
        If there is none, or ``start`` does not exist.
    """
    begin = Path(start).resolve()
    if not begin.exists():
        raise ProjectError(f"no project at {start}: no such folder", hint="`riskwatch init DIR` makes one")
    for folder in (begin, *begin.parents):
        if (folder / _MARK).is_file():
            return folder
    raise ProjectError(
        f"no project at {begin}: neither it nor a folder above it holds {_MARK.as_posix()}",
        hint="change to a project's folder, name it with --project, or make one with `riskwatch init DIR`",
    )


def template_root() -> Path:
    """Return the folder that holds the template's ``models``, ``pipelines`` and ``config``.

    In an installed wheel that is ``riskwatch/template``; an editable install does not see mapped data packages, so there it is
    the checkout.

    Raises
    ------
    ProjectError
        If this installation has no template.
    """
    inside = Path(str(importlib.resources.files("riskwatch") / "template"))
    if inside.is_dir():
        return inside
    checkout = Path(str(riskwatch.__file__)).resolve().parent.parent
    if (checkout / _MARK).is_file():
        return checkout
    raise ProjectError("this installation of riskwatch holds no project template", hint="install it from a wheel or a checkout")


def init_project(target: Path | str, *, force: bool = False) -> Path:
    """Make a project: copy the template's definitions.

    Parameters
    ----------
    target : path
        Folder to make; it must be empty or not exist.
    force : bool
        Write into a folder that is not empty. Files of the template replace those of the same name; all others are left alone.

    Returns
    -------
    Path
        The project's folder, absolute.

    Raises
    ------
    ProjectError
        If the folder is not empty and ``force`` is not given, is a file, lies within the template, or cannot be written.
    """
    folder = Path(target).resolve()
    template = template_root()
    if folder.exists() and not folder.is_dir():
        raise ProjectError(f"cannot make a project at {target}: it is a file, not a folder")
    if folder.is_dir() and not force:
        found = sorted(entry.name for entry in folder.iterdir())
        if found:
            shown = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
            raise ProjectError(
                f"cannot make a project at {target}: the folder must be empty, and holds {shown}",
                hint="choose another folder, or add --force to write the template's files over those of the same name",
            )
    if any(folder == part or part in folder.parents for part in (template / name for name in FOLDERS)):
        raise ProjectError(f"cannot make a project at {target}: it lies within the template")
    if folder == template:
        raise ProjectError(f"cannot make a project at {target}: it is the template itself")
    try:
        for name in FOLDERS:
            shutil.copytree(
                template / name,
                folder / name,
                dirs_exist_ok=True,
                copy_function=shutil.copyfile,
                ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "__init__.py"),
            )
        # The database and digests hold records: they do not belong in version control.
        ignored = folder / ".gitignore"
        if not ignored.exists():
            ignored.write_text("var/\n", encoding="utf-8")
    except OSError as error:
        raise ProjectError(f"cannot make a project at {target}: {error.strerror or error}") from error
    return folder
