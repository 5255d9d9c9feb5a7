"""What ops see: status and its exit code, schedule commands, doctor's findings, metrics, logs."""

from __future__ import annotations

import datetime as dt
import json
import logging
import smtplib
import socketserver
import threading
import urllib.request

import pytest
import structlog
import time_machine
from prometheus_client.parser import text_string_to_metric_families

from riskwatch.definitions import strict_yaml
from riskwatch.runner import doctor
from riskwatch.scheduling.logs import configure_logs, log
from riskwatch.scheduling.metrics import Metrics
from riskwatch.scheduling.projects import Place, Projects
from riskwatch.scheduling.status import schedule_findings, status_of
from riskwatch.scheduling.worker import Worker
from riskwatch.store.lease import this_process
from riskwatch.store.schedules import beat, sign_off
from tests.conftest import ROOT

HOUR = dt.timedelta(hours=1)


def seen(project, clock):
    with project.store() as store:
        return status_of(project, store, clock())


def alive(project, clock, holder: str = "") -> str:
    holder = holder or this_process("scheduler")
    with project.store() as store:
        beat(store.database, holder, started_at=clock(), now=clock(), keep=HOUR)
    return holder


def test_a_project_that_no_scheduler_has_seen_has_no_problems(project, clock):
    status = seen(project, clock)
    assert (status.problems, status.schedulers, status.scheduler_alive) == ((), (), False)
    [pipeline] = status.pipelines
    assert (pipeline.next, pipeline.run_state, pipeline.open) == ("2026-03-01T06:00:00+08:00", None, ())
    assert status.warnings == {"I": 0, "II": 0, "III": 0, "IV": 0}


def test_a_scheduler_that_was_seen_and_is_silent_is_a_problem(project, clock):
    Worker(lambda: project).work()
    assert seen(project, clock).problems == ("no scheduler lives: start `riskwatch serve --scheduler`",)
    holder = alive(project, clock)
    assert seen(project, clock).problems == ()
    clock.set("2026-03-01T00:01:00+08:00")
    assert seen(project, clock).scheduler_alive
    clock.set("2026-02-28T23:00:00+08:00")  # the clock set back: a sign of life from the future is one
    assert seen(project, clock).scheduler_alive
    clock.set("2026-03-01T00:01:01+08:00")
    assert not seen(project, clock).scheduler_alive
    with project.store() as store:
        sign_off(store.database, holder)
    assert seen(project, clock).schedulers == ()


def test_a_scheduler_that_died_here_is_known_to_be_dead_at_once(project, clock):
    alive(project, clock, this_process("scheduler").replace(f"process {__import__('os').getpid()}", "process 4194303"))
    assert [entry.alive for entry in seen(project, clock).schedulers] == [False]


def test_times_given_up_and_times_that_wait_are_problems_until_one_goes_well(project, clock, runs):
    worker = Worker(lambda: project)
    worker.work()
    clock.set("2026-03-01T06:00:00+08:00")
    alive(project, clock)
    assert seen(project, clock).pipelines[0].open == ("2026-03-01T06:00:00+08:00",)
    runs.errors = [ValueError("no luck")] * 4
    for minute in (0, 5, 15, 35):
        clock.set(f"2026-03-01T06:{minute:02d}:00+08:00")
        worker.work()
    alive(project, clock)
    assert seen(project, clock).problems == ("pipeline tiny: given up at 2026-03-01T06:00:00+08:00: ValueError: no luck",)
    [found] = [each for each in schedule_findings(project) if each.mark == "wrong"]
    assert (found.what, found.remedy) == ("schedule tiny", "mend it, then riskwatch schedule run-now tiny")
    clock.set("2026-03-02T08:00:01+08:00")
    alive(project, clock)
    assert "pipeline tiny: waits since 2026-03-02T06:00:00+08:00" in seen(project, clock).problems
    worker.work()
    assert seen(project, clock).problems == ()


def test_the_commands_say_it_and_end_with_the_right_code(tiny, cli):
    with time_machine.travel("2026-03-08T00:00:00+08:00", tick=False):
        assert [row["time"] for row in cli("schedule", "next", "-n", "3", project=tiny).rows] == [
            "2026-03-08T06:00:00+08:00", "2026-03-09T06:00:00+08:00", "2026-03-10T06:00:00+08:00",
        ]  # fmt: skip
        first = cli("status", project=tiny)
        assert first.code == 0
        assert "sources are silent, which is not an all clear" in first.out
        assert cli("status", "--scheduler", project=tiny).code == 1
        ran = cli("schedule", "run-now", "tiny", "--json", project=tiny)
        assert (ran.code, ran.json[0]["state"], ran.json[0]["as_of"]) == (0, "done", "2026-03-08")
        assert cli("schedule", "pause", "tiny", "--json", project=tiny).json == {"pipeline": "tiny", "changed": True}
        assert cli("schedule", "pause", "tiny", project=tiny).out == "tiny: paused already\n"
        listed = cli("schedule", "list", "--json", project=tiny).json
        assert listed["pipelines"][0]["paused_at"] == "2026-03-07T16:00:00+00:00"
        assert [(row["state"], row["attempts"]) for row in listed["occurrences"]] == [("done", 1)]
        assert cli("schedule", "resume", "tiny", project=tiny).out == "tiny: goes on\n"
        status = cli("status", "--json", project=tiny)  # a schedule that is counted wants a scheduler
        assert (status.code, status.json["ok"], status.json["pipelines"][0]["run_state"]) == (1, False, "done")
        assert "PROBLEM  no scheduler lives" in cli("status", project=tiny).out
        assert cli("schedule", "run-now", "nothing", project=tiny).code == 2
        assert cli("serve", project=tiny).code == 2


# --- doctor ----------------------------------------------------------------------------------------------------------


def test_a_clock_behind_what_the_store_has_seen_is_found(project, clock):
    clock.set("2026-03-05T06:00:00+08:00")
    project.run("tiny")

    def found(text: str) -> dict[str, str]:
        clock.set(text)
        entries = doctor.examine(project.definitions, project.trees, today=project.day(), now=clock())
        return {entry.what: entry.mark for entry in entries if entry.what in {"clock", "migrations", "pipeline tiny"}}

    assert found("2026-03-05T06:00:00+08:00") == {"migrations": "ok", "clock": "ok", "pipeline tiny": "ok"}
    assert found("2026-03-05T05:59:00+08:00")["clock"] == "ok"
    assert found("2026-03-05T05:00:00+08:00") == {"migrations": "ok", "clock": "wrong", "pipeline tiny": "ok"}
    entries = doctor.examine(project.definitions, project.trees, today=dt.date(2026, 3, 4), now=clock())
    assert any("2026-03-05 is decided already" in entry.found for entry in entries)
    assert all(entry.remedy for entry in entries if entry.mark == "wrong")


class Greeter(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 mail\r\n")
        while line := self.rfile.readline():
            self.wfile.write(b"250 mail\r\n" if line[:4].upper() == b"EHLO" else b"221 bye\r\n")


def test_mail_servers_are_greeted(monkeypatch):
    monkeypatch.setattr(doctor, "_MAIL_SECONDS", 1.0)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        channels = [{"kind": "file", "name": "drop"}, {"kind": "smtp", "name": "mail", "host": "127.0.0.1", "port": port}]
        assert [(each.mark, each.what) for each in doctor._mail({"channels": channels})] == [("ok", "mail mail")]
        server.shutdown()
    [refused] = doctor._mail({"channels": channels})
    assert (refused.mark, refused.what) == ("wrong", "mail mail")
    assert "config/delivery.yaml" in refused.remedy
    assert list(doctor._mail({})) == []
    assert smtplib.SMTP_PORT == 25


# --- metrics ---------------------------------------------------------------------------------------------------------


def exported(metrics: Metrics, port: int) -> dict[str, list]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    found: dict[str, list] = {}
    for family in families:
        found.setdefault(family.name, [])
        found.setdefault(family.name + ("_total" if family.type == "counter" else ""), [])
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def test_prometheus_reads_what_was_done_and_every_alert_rule_names_what_is_exported(project, clock):
    import re

    metrics = Metrics()
    port = metrics.serve(0)
    try:
        worker = Worker(lambda: project, observed=metrics.ended)
        worker.work()
        (project.data / "demo" / "spot_checks" / "a.csv").write_text("抽样编号,产品代码\n1,x\n", encoding="utf-8")
        clock.set("2026-03-02T06:00:00+08:00")
        worker.work()
        metrics.heartbeat(clock())
        metrics.definitions(broken=True)
        status = metrics.read(project, clock())
        found = exported(metrics, port)
    finally:
        metrics.close()
        (project.data / "demo" / "spot_checks" / "a.csv").unlink()

    def value(name: str, **labels: str) -> float:
        [sample] = [sample for sample in found[name] if labels.items() <= sample.labels.items()]
        return sample.value

    assert value("riskwatch_runs_total", pipeline="tiny", state="caught-up") == 1
    assert value("riskwatch_runs_total", pipeline="tiny", state="done") == 1
    assert value("riskwatch_run_seconds_count", pipeline="tiny") == 2
    assert value("riskwatch_last_success_timestamp_seconds", pipeline="tiny") == clock().timestamp()
    assert value("riskwatch_heartbeat_timestamp_seconds") == clock().timestamp()
    assert value("riskwatch_definitions_broken") == 1
    assert value("riskwatch_source_faults_total", source="provincial-spot-checks") == 2
    assert value("riskwatch_source_silent", source="provincial-spot-checks") == float(status.sources[0].state == "silent")
    assert value("riskwatch_warnings_open", grade="I") == 0
    assert value("riskwatch_outbox_messages", state="dead") == 0
    document, problems = strict_yaml.parse_yaml((ROOT / "deploy" / "alerts.yaml").read_bytes(), "alerts.yaml")
    assert problems == []
    rules = [rule for group in document.data["groups"] for rule in group["rules"]]
    named = {name for rule in rules for name in re.findall(r"riskwatch_\w+", rule["expr"])}
    assert len(named) > 12
    assert named <= set(found), named - set(found)
    assert len({rule["alert"] for rule in rules}) == len(rules)
    assert all(rule["labels"]["severity"] in {"page", "ticket"} and rule["annotations"]["summary"] for rule in rules)
    # Labels that an expression picks are ones that the metric has.
    for rule in rules:
        for name, label in re.findall(r"(riskwatch_\w+)\{(\w+)=", rule["expr"]):
            assert not found[name] or label in found[name][0].labels, rule["alert"]


def test_metrics_are_bound_to_loopback_and_a_taken_port_is_told():
    from riskwatch.errors import ProjectError

    metrics = Metrics()
    port = metrics.serve(0)
    try:
        assert metrics._server.server_address[0] == "127.0.0.1"
        with pytest.raises(ProjectError, match=rf"cannot listen on 127.0.0.1:{port}"):
            Metrics().serve(port)
    finally:
        metrics.close()


# --- definitions that change, logs -----------------------------------------------------------------------------------


def test_a_wrong_edit_stops_nothing_and_a_sound_one_is_taken_up(tiny):
    reported = []
    projects = Projects(Place(tiny), reported.append)
    first = projects.current()
    assert projects.current() is first
    path = tiny / "pipelines" / "tiny.yaml"
    sound = path.read_text(encoding="utf-8")
    path.write_text(sound.replace('"0 6 * * *"', '"0 6 * * 1"'), encoding="utf-8")
    assert projects.current() is first
    assert projects.current() is first
    assert len(reported) == 1
    assert "pipelines/tiny.yaml" in str(reported[0])
    assert projects.broken is reported[0]
    path.write_text(sound.replace('"0 6 * * *"', '"30 7 * * *"'), encoding="utf-8")
    assert projects.current().pipeline("tiny").schedule == "30 7 * * *"
    assert projects.broken is None


@pytest.fixture
def own_logs():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in list(root.handlers):
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    for handler in handlers:
        if handler not in root.handlers:
            root.addHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_logs_are_json_lines_with_the_runs_id_and_no_password(tmp_path, own_logs):
    configure_logs(file=tmp_path / "logs" / "riskwatch.log")
    structlog.contextvars.bind_contextvars(run_id="tiny-2026-03-01-1", pipeline="tiny")
    log.info("progress", text="中文 postgresql://user:hunter2@db/riskwatch")
    try:
        int("postgresql://user:hunter2@db")
    except ValueError:
        log.exception("unexpected", doing="test")
    logging.getLogger("apscheduler.scheduler").error("from the library %s", "postgresql://user:hunter2@db")
    logging.getLogger("apscheduler.scheduler").warning("not told")
    lines = (tmp_path / "logs" / "riskwatch.log").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines]
    assert [(line["event"].split(" ")[0], line["level"]) for line in told] == [
        ("progress", "info"),
        ("unexpected", "error"),
        ("from", "error"),
    ]
    assert {line["run_id"] for line in told} == {"tiny-2026-03-01-1"}
    assert all(line["timestamp"].endswith("Z") for line in told)
    assert told[0]["text"] == "中文 postgresql://user:***@db/riskwatch"
    assert "hunter2" not in "".join(lines)
    assert "Traceback" in told[1]["exception"]


def test_logs_for_people(own_logs, capsys):
    configure_logs(human=True)
    log.warning("run ended", state="failed")
    said = capsys.readouterr().err
    assert "run ended" in said
    assert "state=failed" in said
    assert not said.startswith("{")
