"""Where the operator saves what is shown: each asks for a file, then writes it."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from app.dialogs import choose_target
from app.errors import Notice
from app.formats import plural
from app.pages.logs import LogsPage
from engine.core.files import write_atomically
from widgets.table import DataTable

if TYPE_CHECKING:
    from app.support import Bundle
    from app.wiring import Wiring
    from engine.core.jobs import JobContext


def save_bundle(w: Wiring) -> None:
    """Save the match that is replayed."""
    facts = w.replay.state.facts
    if facts is not None:
        choose_target(w.window, "Save the match", facts.name, "Match bundle (*.nets)", w.replay.save_bundle)


def save_proof(w: Wiring) -> None:
    """Save the proof of the step that is replayed."""
    name = f"step-{w.replay.state.step}.json"
    choose_target(w.window, "Save the proof", name, "Step proof (*.json)", w.replay.export_proof)


def save_leaf_proof(w: Wiring) -> None:
    """Save the proof of the leaf chosen in the Merkle explorer."""
    state = w.merkle.state
    if state.chosen is not None and state.facts is not None:
        name = f"{'step' if state.facts.kind == 'match' else 'leaf'}-{state.chosen}.json"
        choose_target(w.window, "Save the proof", name, "Proof (*.json)", w.merkle.export_proof)


def save_log(w: Wiring) -> None:
    """Save the log."""
    page = w.pages["logs"]
    assert isinstance(page, LogsPage)
    text = page.text() + "\n"
    choose_target(w.window, "Save the log", "nashboard-log.txt", "Text (*.txt)", lambda path: write_text(w, path, text))


def save_table(w: Wiring, table: DataTable) -> None:
    """Save the rows of a table that are shown: raw values, in full precision."""
    text = table.to_csv()
    name = re.sub(r"[^a-z0-9]+", "-", table.view().accessibleName().lower()).strip("-") or "table"
    choose_target(w.window, "Save the table", f"{name}.csv", "Table (*.csv)", lambda path: write_text(w, path, text))


def write_text(w: Wiring, path: Path, text: str) -> None:
    """Write a text file, whole or not at all, and say so."""
    try:
        write_atomically(path, text.encode("utf-8", "replace"), mode=0o644)
    except OSError as error:
        w.bridge.report(error, "The export", key="export")
        return
    w.notify(Notice("ok", f"Saved {path.name}", f"{plural(text.count(chr(10)), 'line')}.", key="export"))


def save_support(w: Wiring) -> None:
    """Save the support bundle; looking at the machine takes seconds, so a job does it, in a thread."""

    async def work(job: JobContext, path: Path) -> Bundle:
        from app.doctor import examine
        from app.support import write_bundle

        root, given_up = w.runtime.data.root, threading.Event()
        try:
            job.progress(0, 2, "Looking at the machine")
            checks = await asyncio.to_thread(examine, root)
            job.progress(1, 2, "Writing")
            return await asyncio.to_thread(write_bundle, path, root, checks, given_up.is_set)
        finally:
            given_up.set()  # a thread cannot be stopped: it leaves no file when it comes to its end

    async def write(path: Path) -> None:
        written = await w.runtime.jobs.run("Write the support bundle", lambda job: work(job, path))
        text = f"{len(written.files)} files, {written.size / 1000:,.0f} kB. Look through it before you send it."
        w.bridge.notify(Notice("ok", f"Saved {path.name}", text, key="support"))

    name = f"nashboard-support-{time.strftime('%Y%m%d-%H%M')}.zip"
    choose_target(
        w.window,
        "Save the support bundle",
        name,
        "Support bundle (*.zip)",
        lambda path: w.bridge.spawn(write(path), "Writing the support bundle", key="support"),
    )
