"""Notification: Prefect posts to a URL when a run fails, or finds drift.

Convention: the message is `{"text": "..."}`, which Slack, Mattermost, Teams' and other chat webhooks take. Each
deployment has one automation, named after it; to notify elsewhere, deploy again.

Note: of a run that the schedule made, Prefect's server evaluates the events 15 minutes after the run became pending,
because it waits for an event "Scheduled" that it never emits (measured with 3.8.8). So the message may be that late.
"""

import json
import re
from typing import Any, cast
from uuid import UUID

from audioae.flows.reporting import DRIFT

NOTIFIED = ("Failed", "Crashed", "TimedOut", DRIFT)  # not rejects, which most catalogs have every night
TEXT = (
    "{{ flow_run.name }} ended in {{ flow_run.state.name }}: {{ flow_run.state.message }}"
    "{% if flow_run|ui_url %} {{ flow_run|ui_url }}{% endif %}"
)


def notify(deployment: str, url: str) -> str:
    """Post to `url` when a run of `deployment` (`flow/name`) fails or finds drift; returns the automation's name."""
    from prefect.blocks.webhook import Webhook
    from prefect.client.orchestration import get_client
    from prefect.events.actions import CallWebhook
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification
    from pydantic import SecretStr

    name = f"audioae {deployment}"
    block = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    block_id = cast(UUID, Webhook(method="POST", url=SecretStr(url)).save(block, overwrite=True))
    post: list[Any] = [CallWebhook(block_document_id=block_id, payload=json.dumps({"text": TEXT}))]
    with get_client(sync_client=True) as client:
        deployment_id = client.read_deployment_by_name(deployment).id
        automation = AutomationCore(
            name=name,
            description=f"Posts when a run of {deployment} fails or finds drift.",
            trigger=EventTrigger(
                expect={f"prefect.flow-run.{state}" for state in NOTIFIED},
                match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
                match_related=ResourceSpecification({"prefect.resource.id": f"prefect.deployment.{deployment_id}"}),
                posture=Posture.Reactive,
                threshold=1,
            ),
            actions=post,
        )
        for old in client.read_automations_by_name(name):
            client.delete_automation(old.id)
        client.create_automation(automation)
    return name
