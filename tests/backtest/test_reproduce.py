"""The digests of a past run made again: the same bytes, or a word on what differs."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import shutil
from pathlib import Path

import pytest

from riskwatch.api import Project
from riskwatch.backtest import reproduce as reproducing
from riskwatch.backtest.forms import ComparedForm, compare_forms
from riskwatch.backtest.reproduce import Reproduction, reproduce
from riskwatch.casework.silences import Matcher
from riskwatch.casework.verbs import Request
from riskwatch.cli.commands.run import _print_reproduction
from riskwatch.runner import casework
from riskwatch.runner.context import RunContext
from riskwatch.store import MessageRow, outbox
from riskwatch.store.database import instant
from riskwatch.store.payload import dumps
from riskwatch.store.tables import message, run
from tests.backtest.conftest import DAYS, arrive, project_on


def again(folder: Path, day: dt.date) -> Reproduction:
    with Project(folder).context(as_of=day, dry_run=True) as ctx:
        return reproduce(ctx, "daily")


def test_digests_of_a_past_day_come_out_the_same(lived: Path) -> None:
    found = again(lived, DAYS[3])
    assert found.identical == {"jilin-province": True, "changchun": True}
    assert (found.definitions, found.code, found.records) == ((), "", ())
    forms = {"zh.html", "zh.md", "en.html", "en.md", "json"}
    assert {name: set(compared) for name, compared in found.forms.items()} == {"jilin-province": forms, "changchun": forms}
    assert {one for compared in found.forms.values() for one in compared.values()} == {ComparedForm("identical", "as published")}


def test_what_came_later_is_left_out_and_told(lived: Path, tmp_path: Path) -> None:
    """A file with cards of long ago, and a corrected one, arrives after the run: the run did not see them."""
    folder = tmp_path / "late"
    shutil.copytree(lived, folder)
    path = next((folder / "data" / "demo" / "injuries").glob(f"*-until-{DAYS[1]}.csv"))
    header, *rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    known, key, outcome = (header.index(name) for name in ("填报日期", "报告卡编号", "伤害结局"))
    early = DAYS[2].isoformat()
    more = [
        [f"L{number:05d}" if at == key else early if at == known else cell for at, cell in enumerate(row)]
        for number, row in enumerate(rows)
    ]
    corrected = [[("死亡" if at == outcome else early if at == known else cell) for at, cell in enumerate(row)] for row in rows[:3]]
    with (path.parent / "2025-12-late.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *more, *corrected])
    later = DAYS[-1] + dt.timedelta(days=2)
    with project_on(folder, later).leased(label="pull", as_of=later) as ctx:
        from riskwatch.runner.pull import pull

        assert sum(entry.new + entry.changed + entry.stale for entry in pull(ctx)) > len(rows)
    found = again(folder, DAYS[3])
    assert found.same
    assert [text.partition(":")[0] for text in found.records] == ["hospital-injury-cards"]
    # It is these records that make no difference, not the lack of any: seen, the day is another.
    with Project(folder).context(as_of=DAYS[3]) as ctx:
        assert ctx.store.count_records("injury", DAYS[3]) > len(rows)


def test_a_changed_definition_is_named(lived: Path, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(lived, folder)
    path = folder / "config" / "grading.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("lookback_days: 60", "lookback_days: 20"), encoding="utf-8")
    found = again(folder, DAYS[3])
    assert found.definitions == ("grading (changed, config/grading.yaml)",)
    assert not found.same
    assert set(found.differences) == {name for name, same in found.identical.items() if not same}


def letter(ctx: RunContext, key: str) -> MessageRow:
    """A digest by mail, of a channel that the project has no more: no run sends it."""
    return MessageRow(key, "jilin-province", ctx.as_of, "digest", "mail", "centre", "zh", "", "", "III", None, 1, "told", ctx.now)


def undelivered(ctx: RunContext, key: str) -> None:
    """Let a message die."""
    with ctx.store.database.session("write a message", write=True, lock=message) as session:
        outbox.put_messages(session, [letter(ctx, key)], ctx.now)
    claimed = outbox.claim(ctx.store.database, "mail", holder="test", now=ctx.now, seconds=60)
    assert claimed is not None
    assert claimed.message_key == key
    outbox.mark(ctx.store.database, key, holder="test", outcome="dead", code="refused", detail="", started=ctx.now, finished=ctx.now)


def evening(folder: Path, day: dt.date) -> Project:
    return Project(folder, clock=lambda: dt.datetime.combine(day, dt.time(10), tzinfo=dt.UTC))


def test_what_people_did_afterwards_is_not_seen(lived: Path, tmp_path: Path) -> None:
    """Acts before a run show in all its forms; those on its day, after it, in none of a reproduction."""
    folder, before, day = tmp_path / "handled", DAYS[-1], DAYS[-1] + dt.timedelta(days=7)
    shutil.copytree(lived, folder)

    def act(ctx: RunContext, verb: str, actor: str, *names: str, **more: str) -> None:
        casework.act_on(ctx, casework.Selection(ids=names), Request(verb, actor, ctx.as_of, "", **more))

    with evening(folder, before).context(as_of=before) as ctx:
        register = casework.read_register(ctx)
        levels = {name: register.cases[name].standing(one.grade).name for name, one in sorted(register.warnings.items()) if one.live}
        quiet = [name for name, level in levels.items() if level in {"III", "IV"}]
        act(ctx, "ack", "jilin-duty", *levels)
        goods = register.warnings[quiet[-1]].subject.code
        casework.add(
            ctx, Matcher(product=goods, region="220000"), until=dt.date(2026, 1, 10), reason="campaign under way", actor="jilin-head"
        )
        undelivered(ctx, "dead-before")
    arrive(folder, before, day)
    project_on(folder, day).run("daily", as_of=day)
    with Project(folder).context(as_of=day) as ctx:
        row = ctx.store.read_digest("jilin-province", day, language="zh+en")
        assert row is not None
        text = dumps(row.payload)
        # What is to be equal must be there.
        assert row.payload["quality"]["undelivered"] == [["digest", 1]]
        assert "2026-01-10" in text
        assert "duty desk" in text
    with evening(folder, day).context(as_of=day) as ctx:
        register = casework.read_register(ctx)
        live = [name for name, one in sorted(register.warnings.items()) if one.live and not register.cases[name].closed]
        act(ctx, "comment", "jilin-analyst", *live, note="samples drawn again")
        casework.end(ctx, register.silences[0].silence_id, actor="jilin-head")
        other = register.warnings[quiet[0]].subject.code
        casework.add(ctx, Matcher(product=other, region="220000"), until=dt.date(2026, 1, 20), reason="known", actor="jilin-head")
        outbox.requeue(ctx.store.database, ["dead-before"], now=ctx.now)
    # A run on the next day: what it stored is of a later day.
    later = day + dt.timedelta(days=1)
    project_on(folder, later).run("daily", as_of=later)
    for one in (before, day):
        found = again(folder, one)
        assert found.same, found.differences
        assert {form.made for forms in found.forms.values() for form in forms.values()} == {"identical"}


def test_who_was_dead_when(lived: Path, tmp_path: Path) -> None:
    """Put back, given up, dead again: told from the attempts."""
    folder, day = tmp_path / "letters", DAYS[-1]
    shutil.copytree(lived, folder)
    hours = {name: dt.datetime.combine(day, dt.time(hour), tzinfo=dt.UTC) for hour, name in enumerate(("zero", "one", "two", "three"), 10)}

    def dead(name: str) -> set[str]:
        half = instant(hours[name] + dt.timedelta(minutes=30))
        return {one.message_key for one in outbox.dead_at(store.database, half)}

    with Project(folder, clock=lambda: hours["zero"]).context(as_of=day) as ctx:
        store = ctx.store
        for key in ("stays", "given-up", "waits", "sent", "again"):
            undelivered(ctx, key)
    with Project(folder, clock=lambda: hours["two"]).context(as_of=day) as ctx:
        store = ctx.store
        outbox.drop(store.database, ["given-up"], reason="", now=hours["one"])
        for key, outcome in (("sent", "sent"), ("again", "dead")):
            outbox.requeue(store.database, [key], now=hours["one"])
            assert outbox.claim(store.database, "mail", holder="test", now=hours["one"], seconds=60) is not None
            outbox.mark(
                store.database, key, holder="test", outcome=outcome, code="", detail="", started=hours["one"], finished=hours["two"]
            )
        outbox.requeue(store.database, ["waits"], now=hours["two"])
        assert dead("zero") == {"stays", "given-up", "waits", "sent", "again"}
        assert dead("one") == {"stays", "waits"}
        assert dead("two") == {"stays", "again"}
        assert {one.message_key for one in store.dead_letters()} == {"stays", "again"}


def test_a_form_that_differs_is_named_with_its_first_line(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The JSON is the same; a page, a file edited by hand and one that is gone are told apart."""
    folder = tmp_path / "edited"
    shutil.copytree(lived, folder)
    digests = folder / "var" / "demo" / "digests" / DAYS[1].isoformat()
    page = digests / "changchun.zh.md"
    page.write_text(page.read_text(encoding="utf-8") + "by hand", encoding="utf-8")
    (digests / "changchun.zh.html").unlink()
    render = reproducing.render_all

    def other(*given: object) -> dict[str, dict[str, str]]:
        made = render(*given)
        lines = made["changchun"]["en.md"].split("\n")
        made["changchun"]["en.md"] = "\n".join([*lines[:3], lines[3] + " or not", *lines[4:]])
        return made

    monkeypatch.setattr(reproducing, "render_all", other)
    found = again(folder, DAYS[1])
    assert (found.identical, found.differences) == ({"jilin-province": True, "changchun": False}, {})
    forms = found.forms["changchun"]
    assert (forms["en.md"].made, forms["en.md"].file) == ("differs", "as published")
    assert forms["en.md"].line.startswith("line 4: ")
    assert forms["en.md"].line.endswith(' or not" now')
    assert forms["zh.md"] == ComparedForm("identical", "changed since")
    assert forms["zh.html"] == ComparedForm("identical", "not there")
    _print_reproduction(found)
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"daily-{DAYS[1]}-1: 1 of 2 digests identical (9 of 10 forms)"
    assert told[1].startswith("  changchun.en.md: differs, line 4: ")
    assert told[2:] == [
        "  changchun.zh.html: file not there (no difference of the digest)",
        "  changchun.zh.md: file changed since (no difference of the digest)",
    ]


def test_a_run_that_recorded_no_forms(lived: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "before"
    shutil.copytree(lived, folder)
    with Project(folder).store() as store:
        counts = next(one["counts"] for one in store.read_runs(100) if one["as_of"] == DAYS[1])
        old = {name: value for name, value in counts.items() if name not in {"forms", "files", "libraries"}}
        with store.database.session("forget", write=True, lock=run) as session:
            session.execute(run.update().where(run.c.as_of == DAYS[1]).values(counts=dumps(old)))
    found = again(folder, DAYS[1])
    assert (found.same, found.forms, found.code) == (True, {}, "")
    _print_reproduction(found)
    assert capsys.readouterr().out.splitlines() == [
        f"daily-{DAYS[1]}-1: 2 of 2 digests identical",
        "  jilin-province: forms not recorded by this run; JSON alone compared",
        "  changchun: forms not recorded by this run; JSON alone compared",
    ]


def test_a_language_taken_away_and_a_changed_map_are_named(lived: Path, tmp_path: Path) -> None:
    folder = tmp_path / "less"
    shutil.copytree(lived, folder)
    path = folder / "config" / "centres.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("- name: changchun\n", "- name: changchun\n  languages: [zh]\n"), encoding="utf-8"
    )
    borders = folder / "config" / "geo" / "jilin_counties.geojson"
    borders.write_text(borders.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    found = again(folder, DAYS[1])
    assert not found.same
    assert {form: one.made for form, one in found.forms["changchun"].items()} == {
        "zh.html": "identical",
        "zh.md": "identical",
        "en.html": "not made",
        "en.md": "not made",
        "json": "identical",
    }
    assert "config/geo/jilin_counties.geojson (changed)" in found.definitions


def test_lines_that_differ_are_shown_around_the_place(tmp_path: Path) -> None:
    long = "x" * 200
    (tmp_path / "centre.md").write_text(f"same\n{long}a\n", encoding="utf-8")
    known = hashlib.sha256((tmp_path / "centre.md").read_bytes()).hexdigest()
    one = compare_forms({"md": known}, {"md": f"same\n{long}b\n"}, tmp_path / "centre")["md"]
    assert one.line == f'line 2: "…{"x" * 15}a" published, "…{"x" * 15}b" now'
    short = compare_forms({"md": known}, {"md": "same"}, tmp_path / "centre")["md"]
    assert short.line == f'line 2: "{"x" * 60}…" published, no such line now'
