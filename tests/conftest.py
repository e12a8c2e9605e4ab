"""What every test stands on: coroutine tests, and guards against stray tasks, log records and child processes."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before anything imports Qt, numpy or torch: no window unless a test asks for one, no session bus to wait for
# (it delays the first paint by three seconds), one thread, since the suite itself runs in parallel.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyside6")
os.environ["DBUS_SESSION_BUS_ADDRESS"] = "disabled:"
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import psutil  # noqa: E402
import pytest  # noqa: E402

from engine.core.paths import DataDir  # noqa: E402

OUR_LOGGERS = ("app", "engine", "widgets")
GRACE_S = 3.0  # for children that are just ending


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "expects_log: the test provokes log records of level WARNING or above")


# Coroutine tests -----------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run ``async def`` tests to their end in a loop of their own.

    A fixture named ``loop_factory`` in reach of the test gives the kind of loop (Qt's, say).
    """
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    run_to_end(lambda: pyfuncitem.obj(**arguments), pyfuncitem.funcargs.get("loop_factory"))
    return True


def run_to_end(make: Callable[[], Any], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
    """Run a coroutine; fail when it leaves tasks behind or when something fails on the loop unseen."""
    unseen: list[dict[str, Any]] = []
    leaked: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
        try:
            await make()
        finally:
            await asyncio.sleep(0)  # lets done-callbacks and tasks that just ended go
            leaked.extend(repr(task) for task in asyncio.all_tasks() if task is not asyncio.current_task())

    with asyncio.Runner(debug=False, loop_factory=loop_factory) as runner:
        runner.run(main())
    if leaked:
        pytest.fail("tasks left running:\n  " + "\n  ".join(leaked), pytrace=False)
    if unseen:
        pytest.fail("failures on the loop that nobody saw:\n  " + "\n  ".join(map(repr, unseen)), pytrace=False)


# Guards --------------------------------------------------------------------------------------------------------


class _Collector(logging.Handler):
    """Keeps what must not happen: our own warnings, and errors that asyncio found uncollected."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        field = record.name.partition(".")[0]
        if field in OUR_LOGGERS or (field == "asyncio" and record.levelno >= logging.ERROR):
            self.records.append(record)


@pytest.fixture(autouse=True)
def _no_stray_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that logs a warning or worse without saying so by ``@pytest.mark.expects_log``."""
    collector = _Collector()
    root = logging.getLogger()
    root.addHandler(collector)
    try:
        yield
    finally:
        root.removeHandler(collector)
    if collector.records and request.node.get_closest_marker("expects_log") is None:
        lines = (f"{record.levelname} {record.name}: {record.getMessage()}" for record in collector.records)
        pytest.fail("unexpected log records:\n  " + "\n  ".join(lines), pytrace=False)


def _children() -> dict[int, psutil.Process]:
    return {child.pid: child for child in psutil.Process().children(recursive=True)}


def _describe(process: psutil.Process) -> str | None:
    """Return the command line of a live process of ours, None for one that has ended or belongs to Python itself."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        command = " ".join(process.cmdline())
    except psutil.Error:
        return None
    own = "multiprocessing.resource_tracker" in command or "multiprocessing.forkserver" in command
    return None if own else f"{process.pid}: {command}"


@pytest.fixture(autouse=True)
def _no_stray_children() -> Iterator[None]:
    """Fail a test that leaves a child process; those of wider fixtures were there before it."""
    before = _children()
    yield
    deadline = time.monotonic() + GRACE_S
    while True:
        new = [process for pid, process in _children().items() if pid not in before]
        stray = [text for process in new if (text := _describe(process))]
        if not stray:
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    for process in new:
        process.kill()
    pytest.fail("child processes left running:\n  " + "\n  ".join(stray), pytrace=False)


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the operator's own data, settings and cache out of reach, of child processes too."""
    home = tmp_path_factory.mktemp("xdg")
    before = dict(os.environ)
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        os.environ[variable] = str(home / variable.lower())
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True, scope="session")
def _no_detached_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the session when a detached program (a devnet, say) still works in the tests' folder at the end."""
    yield
    base = str(tmp_path_factory.getbasetemp())
    stray = []
    for process in psutil.process_iter():
        text = _describe(process)
        if text and process.pid != os.getpid() and base in text and "pytest" not in text:
            stray.append(text)
            process.kill()
    if stray:
        pytest.fail("detached processes left running:\n  " + "\n  ".join(stray), pytrace=False)


# Common fixtures -----------------------------------------------------------------------------------------------


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    """An empty data directory."""
    return DataDir.open(tmp_path / "data")
