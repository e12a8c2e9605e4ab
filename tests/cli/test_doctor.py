"""``nashboard doctor`` and ``nashboard bench``."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import doctor

ROOT = Path(__file__).parents[2]


def test_the_report_names_everything_and_where_it_was_found(nashboard, data_root: Path) -> None:
    report = nashboard("doctor", "--json").json
    checks = {check["name"]: check for check in report["checks"]}
    wanted = {"Python", "Qt", "torch", "Anvil", "forge", "node", "solc", "CUDA", "Fonts", "Display", "Data directory"}
    assert wanted <= set(checks)
    assert report["ok"]
    assert all(check["ok"] for check in report["checks"] if check["required"])
    assert checks["Data directory"]["found"] == str(data_root)
    assert "anvil" in checks["Anvil"]["found"]
    for check in report["checks"]:
        assert check["ok"] or check["hint"] or check["package"], f"{check['name']}: nothing says how to get it"


def test_what_is_needed_and_missing_exits_with_4(nashboard, tmp_path: Path) -> None:
    ran = nashboard("doctor", status=4, env={"NASHBOARD_ANVIL": str(tmp_path / "none")})
    assert "MISSING  Anvil" in ran.out
    assert str(tmp_path / "none") in ran.out


def test_a_data_directory_that_cannot_be_used_is_reported(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    command = [sys.executable, "-m", "app", "--data-dir", str(blocked), "doctor"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "MISSING  Data directory" in done.stdout
    assert "--data-dir" in done.stdout


def test_a_library_that_is_missing_names_its_debian_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DRAWING", {"libno-such-thing.so.9": "libno9"})
    monkeypatch.setattr(doctor, "WINDOW", {"libc.so.6": "libc6"})
    missing, there = doctor._libraries()
    assert (missing.ok, missing.required, missing.package) == (False, True, "libno9")
    assert there.ok


def test_a_build_goes_without_torch_and_names_its_add_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version_of", lambda name: "" if name == "torch" else "1")
    (installed,) = [check for check in doctor._python() if check.name == "torch"]
    assert installed.required and not installed.ok
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    (built,) = [check for check in doctor._python() if check.name == "torch"]
    assert not built.required and not built.ok and "nashboard-torch" in built.hint


def test_window_libraries_are_required_only_under_x(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DRAWING", {})
    monkeypatch.setattr(doctor, "WINDOW", {"libno-such-thing.so.9": "libno9"})
    monkeypatch.delenv("DISPLAY", raising=False)
    assert [check.required for check in doctor._libraries()] == [False]
    monkeypatch.setenv("DISPLAY", ":5")
    assert [check.required for check in doctor._libraries()] == [True]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the names are those of Linux")
def test_the_libraries_named_are_those_that_qt_asks_for() -> None:
    """What Qt's own files need from the system and the linker finds nowhere must be in our lists."""
    import PySide6

    folder = Path(PySide6.__file__).parent / "Qt"
    objects = [folder / "lib/libQt6Gui.so.6", folder / "lib/libQt6DBus.so.6", folder / "plugins/platforms/libqxcb.so"]
    listed = subprocess.run(["ldd", *objects], capture_output=True, text=True, check=True).stdout
    lacking = {line.split()[0] for line in listed.splitlines() if "not found" in line}
    assert lacking <= set(doctor.DRAWING) | set(doctor.WINDOW)
    for name in lacking:
        with pytest.raises(OSError, match=name):
            ctypes.CDLL(name)


def test_ci_and_readme_name_the_same_packages() -> None:
    ci, readme = (ROOT / ".ci/run").read_text("utf-8"), (ROOT / "README.md").read_text("utf-8")
    for package in [
        *doctor.DRAWING.values(),
        *doctor.WINDOW.values(),
        "fonts-dejavu-core",
        "xvfb",
        "openbox",
        "xdotool",
    ]:
        assert package in ci.split(), package
        assert package in readme.split(), package
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_a_support_bundle_is_written(nashboard, data_root: Path, tmp_path: Path) -> None:
    import zipfile

    (data_root / "logs").mkdir(parents=True)
    (data_root / "logs" / "nashboard.log").write_text("INFO it ran\npassword=hunter22\n")
    out = tmp_path / "support.zip"
    told = nashboard("doctor", "--bundle", out, "--json", status=None).json["bundle"]
    assert told["path"] == str(out) and told["bytes"] == out.stat().st_size
    with zipfile.ZipFile(out) as packed:
        assert sorted(packed.namelist()) == sorted(told["files"])
        assert packed.read("logs/nashboard.log") == b"INFO it ran\npassword=(removed)\n"
    refused = nashboard("doctor", "--bundle", tmp_path / "no" / "out.zip", status=1)
    assert "cannot be written" in refused.err
