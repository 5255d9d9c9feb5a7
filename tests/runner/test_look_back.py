"""The days that a digest looks back are those of config/dossiers.yaml."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

from riskwatch.api import Project
from riskwatch.runner.dossiers import dossier_frames

LAST = dt.date(2025, 12, 31)


def test_the_file_decides_how_far_back_dossiers_look(demo_project: Path, tmp_path: Path) -> None:
    path = demo_project / "config" / "dossiers.yaml"
    kept = tmp_path / "dossiers.yaml"
    shutil.copy(path, kept)
    with Project(demo_project).context(as_of=LAST, dry_run=True) as ctx:
        usual = dossier_frames(ctx)
    try:
        text = path.read_text(encoding="utf-8").replace("media_days: 28", "media_days: 7").replace("accident_days: 7", "accident_days: 60")
        path.write_text(text.replace("comment_days: 30", "comment_days: 3"), encoding="utf-8")
        with Project(demo_project).context(as_of=LAST, dry_run=True) as ctx:
            changed = dossier_frames(ctx)
    finally:
        shutil.copy(kept, path)
    assert (usual.media_days, usual.accident_days, usual.comment_days) == (28, 7, 30)
    assert (changed.media_days, changed.accident_days, changed.comment_days) == (7, 60, 3)
    assert 0 < len(changed.media) < len(usual.media)
    assert len(changed.accidents) > len(usual.accidents)
