"""Interrupt our own task on a running web interface, and nobody else's."""

from __future__ import annotations

import logging

from kadr.stylize.servers.client import Client, ServerError
from kadr.stylize.servers.json_values import as_object

log = logging.getLogger(__name__)

_TIMEOUT = 5.0
"""Seconds for each request."""


def stop_task(client: Client, task_id: str) -> None:
    """Interrupt a task if the server says that it is the one that runs.

    The server's command to interrupt names no task, and stops whatever runs. Only its own page's
    interface tells whether a given task runs; not every server has one. Without it the frame is
    left to be finished.
    """
    status_client = Client(client.endpoint, _TIMEOUT, retries=0)
    try:
        state = as_object(
            status_client.post_json(
                "/internal/progress", {"id_task": task_id, "live_preview": False}
            )
        )
        if state.get("active") is True:
            status_client.post_json("/sdapi/v1/interrupt", {})
            return
    except ServerError as error:
        if error.status is None:
            return  # there is no server to interrupt
        state = {}
    address = client.endpoint.address
    if state.get("queued") is True:
        log.warning(
            "%s: our frame still waits there behind other work; it will be made and not used",
            address,
        )
    elif state.get("completed") is not True:
        log.warning(
            "%s: does not tell whose frame it is working on; nothing is interrupted, and our frame "
            "is finished there and not used",
            address,
        )
