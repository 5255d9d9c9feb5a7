"""Files: whole or not at all, once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from riskwatch.delivery import filedrop
from riskwatch.delivery.filedrop import FileSender, folder_name
from riskwatch.delivery.message import Attachment
from tests.delivery.conftest import parcel

FILES = (Attachment("html", "a.html", b"<p>"), Attachment("json", "a.json", b"{}"))
PLACE = Path("2025-12-31", "digest_changchun_mail_centre_zh")


def test_a_folder_for_each_message(tmp_path: Path) -> None:
    assert FileSender(tmp_path / "drop").send(parcel(attachments=FILES)).code == "written"
    assert folder_name("digest/2025-12-31/changchun/mail/centre/zh") == PLACE
    found = {path.relative_to(tmp_path / "drop").as_posix(): path.read_bytes() for path in (tmp_path / "drop").rglob("*") if path.is_file()}
    assert found == {f"{PLACE}/a.html": b"<p>", f"{PLACE}/a.json": b"{}"}


def test_sent_again_after_a_kill_it_is_left_as_it_is(tmp_path: Path) -> None:
    FileSender(tmp_path).send(parcel(attachments=FILES))
    (tmp_path / PLACE / "a.html").write_bytes(b"read and marked by a person")
    assert FileSender(tmp_path).send(parcel(attachments=FILES)).detail == "it was there already"
    assert (tmp_path / PLACE / "a.html").read_bytes() == b"read and marked by a person"


def test_killed_while_writing_nothing_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path, content: bytes) -> None:
        if path.name == "a.json":
            raise KeyboardInterrupt
        path.write_bytes(content)

    with monkeypatch.context() as patch:
        patch.setattr(filedrop, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            FileSender(tmp_path).send(parcel(attachments=FILES))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert FileSender(tmp_path).send(parcel(attachments=FILES)).code == "written"


def test_a_full_disk_and_a_file_in_the_way_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(filedrop, "_write", full)
        outcome = FileSender(tmp_path).send(parcel(attachments=FILES))
    assert (outcome.state, outcome.code, outcome.detail) == ("retry", "disk", "No space left on device")
    (tmp_path / "file").write_text("")
    assert FileSender(tmp_path / "file").send(parcel(attachments=FILES)).state == "retry"


def test_what_a_killed_process_had_begun_is_removed_and_what_a_live_one_writes_is_not(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    day, name = (tmp_path / PLACE).parent, (tmp_path / PLACE).name
    of_the_dead, of_the_living, other = (
        day / f".{what}.{pid}.abc.part" for what, pid in ((name, gone.pid), (name, os.getppid()), ("x", gone.pid))
    )
    for folder in (of_the_dead, of_the_living, other):
        folder.mkdir(parents=True)
        (folder / "a.html").write_bytes(b"half")
    assert FileSender(tmp_path).send(parcel(attachments=FILES)).state == "sent"
    assert [folder.exists() for folder in (of_the_dead, of_the_living, other)] == [False, True, True]
