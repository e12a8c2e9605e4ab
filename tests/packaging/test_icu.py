"""The trimmed data of Qt's Unicode library: much smaller, and Qt sorts, converts and changes case by it."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import PySide6
import pytest

ROOT = Path(__file__).parents[2]
LIBRARIES = Path(PySide6.__file__).parent / "Qt" / "lib"

# Loads the trimmed data before Qt can find its own: it is known by its name.
SORTED = """
import ctypes, sys
ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
from PySide6.QtCore import QCollator, QLocale
for name in ("en_US", "de_DE", "sv_SE", "zh_CN"):
    order = QCollator(QLocale(name))
    order.setNumericMode(True)
    assert order.compare("\\u00e4", "b") < 0 < order.compare("z", "b"), name
    assert order.compare("run 9", "run 10") < 0, name
assert QLocale("tr_TR").toUpper("i") == "\\u0130"
assert QLocale("de_DE").toString(1234.5) == "1.234,5"
assert sys.argv[1] in open("/proc/self/maps").read()
assert sum("libicudata" in line for line in set(open("/proc/self/maps").read().split())) == 1
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the library is Linux's")
def test_qt_sorts_and_converts_by_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "packaging"))
    icu = importlib.import_module("icu")
    found = next(LIBRARIES.glob("libicudata.so.*"), None)
    if found is None:
        pytest.skip("this Qt was built without the library")
    library = tmp_path / found.name
    shutil.copyfile(found, library)
    won = icu.trim(library)
    assert won == found.stat().st_size - library.stat().st_size
    assert library.stat().st_size < 6e6
    done = subprocess.run([sys.executable, "-c", SORTED, str(library)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert icu.trim(library) == 0, "what is trimmed stays as it is"


def test_another_kind_of_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "packaging"))
    icu = importlib.import_module("icu")
    for content in (b"", b"text", b"\x7fELF\x02\x01" + bytes(9000)):
        other = tmp_path / "libicudata.so.1"
        other.write_bytes(content)
        assert icu.trim(other) == 0
        assert other.read_bytes() == content
