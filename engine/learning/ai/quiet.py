"""Keeps the learning libraries off the console and off the network."""

from __future__ import annotations

import logging
import os
import warnings


def quiet_libraries() -> None:
    """Let transformers, peft and hivemind say nothing below an error, and fetch nothing; call before they are imported.

    Their worker processes write to the console's own streams, where machine output goes.
    """
    os.environ.update(
        HF_HUB_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        TRANSFORMERS_VERBOSITY="error",
        TRANSFORMERS_NO_ADVISORY_WARNINGS="1",
        TOKENIZERS_PARALLELISM="false",
        HIVEMIND_LOGLEVEL="CRITICAL",
    )
    warnings.simplefilter("ignore")
    for name in ("transformers", "peft", "hivemind", "torch"):
        logging.getLogger(name).setLevel(logging.ERROR)
