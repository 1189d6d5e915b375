"""Retention in memory."""

from collections.abc import Callable, Mapping
from datetime import datetime

from adapters.memory.database import MemoryDatabase
from application.ports.retention import Retention
from domain.payloads import Payload
from domain.retention import Kept


class MemoryRetention(Retention):
    """Removes what is old from a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._ways: Mapping[Kept, Callable[[datetime, int], int]] = {
            Kept.QUARANTINE: self._quarantine,
            Kept.PAYLOADS: self._payloads,
            Kept.JOBS: self._jobs,
            Kept.KEYS: self._keys,
        }

    async def prune(self, kept: Kept, before: datetime, most: int) -> int:
        """Remove some of what is older than `before`."""
        return self._ways[kept](before, most)

    def _quarantine(self, before: datetime, most: int) -> int:
        old = [
            (waiting, key)
            for waiting in self._database.quarantine.values()
            for key, rejected in waiting.items()
            if rejected.rejected_at < before
        ][:most]
        for waiting, key in old:
            del waiting[key]
        return len(old)

    def _payloads(self, before: datetime, most: int) -> int:
        old = [
            (payloads, payload)
            for (dataset, _), payloads in self._database.kept.items()
            for payload in payloads
            if payload.received_at < before and not self._is_needed(dataset, payloads, payload)
        ][:most]
        for payloads, payload in old:
            payloads.remove(payload)
            self._database.merged.discard(payload.receipt)
            del self._database.fetched_by[payload.receipt]
        bodies = {payload.body for payloads in self._database.kept.values() for payload in payloads}
        for body in self._database.bodies.keys() - bodies:
            del self._database.bodies[body]
        return len(old)

    def _is_needed(self, dataset: str, payloads: list[Payload], payload: Payload) -> bool:
        arrivals = self._database.fetched_by
        merged = [p.receipt for p in payloads if p.receipt in self._database.merged]
        job_id = arrivals[payload.receipt]
        job = self._database.jobs.get(job_id)
        return (
            (bool(merged) and arrivals[max(merged)] == job_id)
            or (job is not None and not job.status.is_final)
            or any(
                rejected.receipt == payload.receipt
                for rejected in self._database.quarantine[dataset].values()
            )
        )

    def _jobs(self, before: datetime, most: int) -> int:
        jobs = self._database.jobs.values()
        ends = [(job.dataset, job.finished_at) for job in jobs if job.finished_at is not None]
        last = {dataset: end for dataset, end in sorted(ends)}
        named = {
            checkpoint.job_id
            for table in self._database.tables.values()
            for checkpoint in table.checkpoints.values()
        }
        old = [
            job.id
            for job in jobs
            if job.finished_at is not None
            and job.finished_at < min(before, last[job.dataset])
            and job.id not in named
        ][:most]
        for job_id in old:
            del self._database.jobs[job_id]
        return len(old)

    def _keys(self, before: datetime, most: int) -> int:
        keys = self._database.keys
        old = [key for key, known in keys.items() if known.begun_at < before][:most]
        for key in old:
            del keys[key]
        return len(old)
