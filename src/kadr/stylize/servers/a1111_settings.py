"""The settings of a running web interface: read, sent with a run's frames, and put back.

A frame's request carries settings of its own. The web interface puts its own ones back after the
request, but only those that its configuration file holds: of the others it keeps the new value,
for whoever comes next. So a run first stores the present values of the settings that it will
change, which changes nothing but makes the server put them back, and checks at its end that it did.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from kadr.core.events import CancelToken
from kadr.errors import OutputError
from kadr.storage.cache import server_folder
from kadr.storage.undo_records import (
    UndoRecord,
    keep_record,
    living_records,
    take_over_records,
)
from kadr.stylize.servers.client import Client, ServerError
from kadr.stylize.servers.error_text import one_line
from kadr.stylize.servers.json_values import as_number, as_object

log = logging.getLogger(__name__)

_OPTIONS = "/sdapi/v1/options"
_MODEL = "sd_model_checkpoint"
_POLL_SECONDS = 0.25
_READINGS = 3
"""How often settings are read that another job may have changed meanwhile."""

_STATUS_TIMEOUT = 5.0
"""Seconds for a request that only reads."""

_WRITE_TIMEOUT = 60.0
"""Seconds for one that writes settings: the server may have to load another model for it."""

_SETTLE_SECONDS = 5.0
"""How long a frame that was interrupted may take to end, after which the server puts settings back
by itself."""


def read_settings(client: Client) -> dict[str, Any]:
    """The settings that the server has of its own.

    Those that a run which was killed left changed are put back first. Waits as long as the
    patience of ``client`` for the server to be idle, as the settings of another job may be in
    force while that runs. Raises ServerError.
    """
    folder = server_folder(client.endpoint.address)
    unfinished = living_records(folder)
    with take_over_records(folder) as records:
        for record in records:
            record.done = _put_back_abandoned(client, record)
        unfinished += [record.content for record in records if not record.done]
    settings = _read_idle(client)
    for content in unfinished:
        own, sent = as_object(content.get("own")), as_object(content.get("sent"))
        settings |= {
            name: own[name]
            for name, value in sent.items()
            if name in own and settings.get(name) == value
        }
    return settings


@contextmanager
def settings_put_back(
    client: Client, own: Mapping[str, Any], sent: Mapping[str, Any]
) -> Iterator[None]:
    """Leave the server with its own settings, whatever happens in the block.

    own: all settings of the server. sent: those that requests in the block carry. Until they are
    put back, a record on this machine tells the next run what they were.
    """
    changed = {name: own[name] for name, value in sent.items() if own.get(name) != value}
    if changed.get(_MODEL, "") is None:
        del changed[_MODEL]  # no model was loaded yet
    if not changed:
        yield
        return
    address = client.endpoint.address
    content = {
        "address": address,
        "own": changed,
        "sent": {name: sent[name] for name in changed},
    }
    with ExitStack() as stack:
        record = UndoRecord(content)
        try:
            record = stack.enter_context(keep_record(server_folder(address), content))
        except (OSError, OutputError) as error:
            log.warning(
                "%s; if this run is killed, nobody knows which settings %s had", error, address
            )
        _store(client, {name: value for name, value in changed.items() if name != _MODEL})
        settle_seconds = 0.0
        try:
            yield
        except BaseException:
            settle_seconds = _SETTLE_SECONDS
            raise
        finally:
            record.done = _put_back(client, content, settle_seconds)


def _store(client: Client, settings: Mapping[str, Any]) -> None:
    """Write the values that the server has into its configuration file."""
    if not settings:
        return
    try:
        client.post_json(_OPTIONS, dict(settings))
    except ServerError as error:
        log.info("%s; the settings are put back at the end of the run", error)


def _put_back(client: Client, content: Mapping[str, Any], settle_seconds: float) -> bool:
    """Put back what the server has not put back by itself; returns whether all is as it was."""
    reader, writer = _own_clients(client)
    address = client.endpoint.address
    end = time.monotonic() + settle_seconds
    try:
        left = _still_changed(reader, content)
        while left and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
            left = _still_changed(reader, content)
        if left:
            writer.post_json(_OPTIONS, left)
            left = _still_changed(reader, content)
        reason = "it keeps the values of this run"
    except ServerError as error:
        left, reason = dict(content["own"]), str(error)
    if left:
        log.warning(
            "%s: its settings could not be put back (%s): %s; the next run on it tries again",
            address, reason, _describe(left, content["sent"]),
        )  # fmt: skip
    return not left


def _put_back_abandoned(client: Client, record: UndoRecord) -> bool:
    """The same for a run that was killed, with a notice of what it had left changed."""
    own, sent = as_object(record.content.get("own")), as_object(record.content.get("sent"))
    content = {"own": own, "sent": sent}
    # what another job has brought along would be taken for what the run left
    if not _wait_until_idle(client):
        return False
    left = _still_changed(client, content)
    if left:
        log.warning(
            "%s: a run that was ended left settings changed, which are put back: %s",
            client.endpoint.address, _describe(left, sent),
        )  # fmt: skip
    return not left or _put_back(client, content, 0.0)


def _still_changed(client: Client, content: Mapping[str, Any]) -> dict[str, Any]:
    """The server's own values of settings that still have the value of the run."""
    current = as_object(client.get_json(_OPTIONS))
    own, sent = content["own"], content["sent"]
    return {
        name: value
        for name, value in own.items()
        if name in sent and name in current and current[name] == sent[name] != value
    }


def _read_idle(client: Client) -> dict[str, Any]:
    for _ in range(_READINGS):
        idle = _wait_until_idle(client)
        settings = dict(as_object(client.get_json(_OPTIONS)))
        if not settings:
            raise ServerError(f"{client.endpoint.address}: sends no settings; {client.hint}")
        # a job may have begun just before the settings were read
        if not idle or not _is_busy(client):
            break
    if not idle:
        log.warning(
            "%s: was never idle for %g s; settings that its present job brought along are taken "
            "for its own",
            client.endpoint.address, client.patience,
        )  # fmt: skip
    return settings


def _wait_until_idle(client: Client) -> bool:
    """Wait for the server to end what it is doing; returns whether it did in time."""
    end, announced = time.monotonic() + client.patience, False
    while _is_busy(client):
        if time.monotonic() > end:
            return False
        if not announced:
            announced = True
            log.warning(
                "%s: is busy; waiting up to %g s to read its settings",
                client.endpoint.address, client.patience,
            )  # fmt: skip
        client.wait(_POLL_SECONDS)
    return True


def _is_busy(client: Client) -> bool:
    try:
        answer = client.get_json("/sdapi/v1/progress", skip_current_image="true")
    except ServerError as error:
        if error.status == 404:
            return False
        raise
    state = as_object(as_object(answer).get("state"))
    return bool(state.get("job")) or bool(as_number(state.get("job_count")))


def _own_clients(client: Client) -> tuple[Client, Client]:
    """To read and to write with after a cancellation, which must not end these requests."""
    reader = replace(client, timeout=_STATUS_TIMEOUT, retries=1, patience=0.0, cancel=CancelToken())
    return reader, replace(reader, timeout=_WRITE_TIMEOUT)


def _describe(own: Mapping[str, Any], sent: Mapping[str, Any]) -> str:
    return ", ".join(
        one_line(f"{name} is {sent[name]}, was {value}", 200) for name, value in own.items()
    )
