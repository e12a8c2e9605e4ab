"""The devnet's saved state: a JSON file that Anvil rewrites every second, so that a kill can leave half of it.

A damaged one is put aside, never overwritten, and the copy of the last good start takes its place: what the chain
forgets by that, the outbox sends again.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from pathlib import Path

from engine.chain.errors import DevnetError

_log = logging.getLogger(__name__)


def check_state(path: Path) -> None:
    """Keep a copy of a good state; put a damaged one aside and go on from the copy.

    Raises DevnetError when there is no copy; the next start begins a new chain then.
    """
    good = path.with_name(f"{path.stem}.good{path.suffix}")
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise DevnetError("The devnet's state cannot be read", f"{path}: {error.strerror}") from error
    if text:
        try:
            if isinstance(json.loads(text), dict):
                shutil.copy2(path, good)
                return
        except ValueError:
            pass
    aside = path.with_name(f"{path.stem}.damaged-{int(time.time())}{path.suffix}")
    os.replace(path, aside)  # noqa: PTH105
    if good.exists():
        shutil.copy2(good, path)
        _log.info("the devnet's state was damaged (kept as %s); going on from the last good copy", aside.name)
        return
    raise DevnetError(
        "The devnet's saved state is damaged",
        f"{path.name} has {len(text)} bytes and is not the JSON that Anvil writes; it is kept as {aside.name}",
        "Start again for a new chain, or put a copy of the file back.",
        kept=str(aside),
    )
