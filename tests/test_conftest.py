"""The guards of conftest.py themselves: each must fail a test that deserves it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CASES = {
    "leaked_task": (
        "import asyncio\nasync def test_x():\n    asyncio.create_task(asyncio.sleep(60), name='lost')",
        "lost",
    ),
    "unseen_failure": (
        "import asyncio\nasync def test_x():\n    asyncio.get_running_loop().call_soon(lambda: 1 / 0)\n"
        "    await asyncio.sleep(0.01)",
        "ZeroDivisionError",
    ),
    "stray_log": (
        "import logging\ndef test_x():\n    logging.getLogger('engine.x').warning('odd')",
        "WARNING engine.x: odd",
    ),
    "stray_child": (
        "import subprocess\nchildren = []\ndef test_x():\n    children.append(subprocess.Popen(['sleep', '60']))",
        "sleep 60",
    ),
}


@pytest.fixture
def guarded(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    shutil.copy(Path(__file__).parent / "conftest.py", pytester.path / "conftest.py")
    return pytester


@pytest.mark.parametrize("name", CASES)
def test_guard_fails_the_test(guarded: pytest.Pytester, name: str) -> None:
    source, expected = CASES[name]
    guarded.makepyfile(source)
    result = guarded.runpytest_subprocess("-p", "no:cacheprovider")
    assert result.ret != 0
    result.stdout.fnmatch_lines([f"*{expected}*"])


def test_expected_log_and_coroutine_with_fixture_pass(guarded: pytest.Pytester) -> None:
    guarded.makepyfile(
        "import asyncio, logging, pytest\n"
        "@pytest.mark.expects_log\n"
        "async def test_x(data_dir):\n"
        "    await asyncio.sleep(0)\n"
        "    logging.getLogger('app.y').error('asked for')\n"
        "    assert data_dir.logs.is_dir()\n"
    )
    guarded.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_coroutine_test_fails_when_it_fails(guarded: pytest.Pytester) -> None:
    guarded.makepyfile("async def test_x():\n    assert 1 == 2")
    guarded.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(failed=1)
