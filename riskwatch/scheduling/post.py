"""Messages that wait between runs: attempts that failed, the end of quiet hours, what a killed run left behind."""

from __future__ import annotations

from riskwatch.api import Project
from riskwatch.runner.deliver import DeliveryReport, deliver
from riskwatch.store import outbox

__all__ = ["send_due"]


def send_due(project: Project) -> DeliveryReport | None:
    """Send what is due now, without the run lease: each message is claimed by itself.

    Returns
    -------
    DeliveryReport or None
        None if nothing is due, or if no pipeline has the step ``deliver``: then messages are sent by hand.

    Raises
    ------
    StoreError
        If the database refuses.
    """
    if not any(step.step == "deliver" for pipeline in project.definitions.pipelines.values() for step in pipeline.steps):
        return None
    with project.store() as store:
        if not outbox.due_channels(store.database, project.clock()):
            return None
    with project.context() as ctx:
        return deliver(ctx, bounded=True)  # a run may become due meanwhile
