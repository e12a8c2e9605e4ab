"""The process that checks files: whatever a hostile module does to the compiler happens here, under limits."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import resource
import signal
import sys
import threading
from multiprocessing.connection import Connection, wait
from typing import Any

from engine.league.gate.verdict import Verdict

_MAX_FILE = 64 * 1024 * 1024


def serve(connection: Connection, memory_bytes: int, cpu_seconds: int) -> None:
    """Answer checks until the other end closes; the target of a spawned process.

    A request is a JSON head and the file's bytes; the answer a JSON head and the instrumented module. No pickles:
    should a module ever take this process over, it still cannot make its parent run anything.
    """
    _follow_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from engine.league.gate.inspect import Inspector  # here, so that the parent's death is watched from the start

    inspector = Inspector()
    _limit_memory(memory_bytes)
    with contextlib.suppress(EOFError, OSError):
        while True:
            head = json.loads(connection.recv_bytes())
            data = connection.recv_bytes()
            _limit_cpu(cpu_seconds)
            answer, module = _answer(inspector, data, head)
            del data
            connection.send_bytes(json.dumps(answer).encode())
            connection.send_bytes(module)


def _answer(inspector: Any, data: bytes, head: dict[str, str]) -> tuple[dict[str, Any], bytes]:
    try:
        verdict: Verdict = inspector.check(data, head["kind"])
    except MemoryError:
        return {"accepted": False, "reason": "checking it took more memory than is allowed"}, b""
    except Exception as error:
        return {
            "accepted": False,
            "reason": "the check itself failed on it",
            "bug": f"{type(error).__name__}: {error}",
        }, b""
    answer = {
        "accepted": verdict.accepted,
        "reason": verdict.reason,
        "abi": verdict.abi,
        "spec": verdict.spec.model_dump() if verdict.spec else None,
    }
    return answer, verdict.module or b""


def _follow_parent() -> None:
    """End with the parent, also when it is killed. Not by PDEATHSIG: that follows the thread which started us."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(0)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _limit_memory(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A memory's first image is a file in memory for wasmtime, so writing must stay possible.
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE, _MAX_FILE))
    # Data, not address space: wasmtime reserves gigabytes of addresses for a memory that holds one page.
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _limit_cpu(seconds: int) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, hard))
