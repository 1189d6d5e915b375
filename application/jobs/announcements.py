"""Announcements of jobs: handle one, and publish the error of its handler."""

import asyncio

from application.ports.jobs import Handle
from application.ports.operations import Events
from domain.events import AnnouncementFailed


async def handle_announcement(handle: Handle, job_id: str, events: Events) -> bool:
    """Return whether the handler succeeded; publish its error if not.

    Raise CancelledError only if the calling task is cancelled.
    """
    try:
        await handle(job_id)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        events.publish(AnnouncementFailed(job=job_id, error=error))
    except Exception as error:
        events.publish(AnnouncementFailed(job=job_id, error=error))
    else:
        return True
    return False
