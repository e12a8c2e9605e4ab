"""What the coverage of the contracts is judged by: lines outside assembly, functions, and a report that is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = """contract C {
    function f() external {
        uint256 x = 1;
        assembly ("memory-safe") {
            for { } lt(x, 3) { x := add(x, 1) } {
                pop(x)
            }
        }
        x = 2;
    }
}
"""
REPORT = """TN:
SF:src/C.sol
FN:2,C.f
FNDA:{calls},C.f
DA:3,{calls}
DA:5,0
DA:6,0
DA:9,{calls}
end_of_record
TN:
SF:node_modules/D.sol
DA:1,0
end_of_record
"""


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    spec = importlib.util.spec_from_file_location("contract_coverage", ROOT / "packaging" / "contract_coverage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "C.sol").write_text(SOURCE, encoding="utf-8")
    return tmp_path


def test_lines_of_assembly_are_left_out(coverage: ModuleType, project: Path) -> None:
    assert coverage.assembly_lines(SOURCE) == set(range(4, 9))
    assert coverage.judge(REPORT.format(calls=3), project) == [("src/C.sol", 2, 2, [])]
    assert coverage.judge(REPORT.format(calls=0), project) == [("src/C.sol", 0, 2, ["C.f"])]
    assert coverage.judge("", project) == []


@pytest.mark.parametrize(("report", "code"), [(REPORT.format(calls=1), 0), (REPORT.format(calls=0), 1), ("", 1)])
def test_what_is_not_reached_fails(
    coverage: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch, report: str, code: int
) -> None:
    path = project / "lcov.info"
    path.write_text(report, encoding="utf-8")
    monkeypatch.setattr(coverage, "CONTRACTS", project)
    monkeypatch.setattr(coverage, "measure", lambda forge: path)
    assert coverage.main("forge") == code


def test_forge_that_fails_is_told(coverage: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage.main("/nowhere/forge") == 1
    assert "gave no report" in capsys.readouterr().out
