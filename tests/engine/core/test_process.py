import asyncio
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from engine.core.errors import EngineError
from engine.core.process import ChildProcess

PARENT = """
import asyncio, sys
from engine.core.process import ChildProcess
from engine.core.workers import Workers
import os

async def main():
    child = await ChildProcess.start([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"],
                                     name="sleeper", on_line=lambda line: None)
    worker = await Workers(1).run(os.getpid)
    print(child.pid, worker, flush=True)
    await asyncio.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_lines_are_streamed_and_stop_is_orderly():
    lines = []
    script = "import time; print('one'); print('x' * 200_000); print('two', flush=True); time.sleep(600)"
    child = await ChildProcess.start([sys.executable, "-c", script], name="talker", on_line=lines.append)
    await until(lambda: "two" in lines)
    assert await child.stop() == -signal.SIGTERM
    assert lines[0] == "one"
    assert await child.stop() == -signal.SIGTERM


async def test_a_child_that_ignores_sigterm_is_killed_after_the_deadline():
    lines = []
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    child = await ChildProcess.start([sys.executable, "-c", script], name="stubborn", on_line=lines.append)
    await until(lambda: lines)
    assert await child.stop(deadline=0.2) == -signal.SIGKILL


async def test_a_missing_program_is_an_error_with_its_name():
    with pytest.raises(EngineError, match="no-such-program"):
        await ChildProcess.start(["./no-such-program"], name="Ghost", on_line=print)


def test_no_child_outlives_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment)
    child, worker = (int(pid) for pid in parent.stdout.readline().split())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while any(psutil.pid_exists(pid) for pid in (child, worker)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not psutil.pid_exists(child)
    assert not psutil.pid_exists(worker)
