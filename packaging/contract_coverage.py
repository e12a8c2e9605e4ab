"""Measure which lines of the contracts their tests reach: 95 % of every file (of a short one all but one), and every
function.

Forge can only count lines of code that is compiled without the optimiser, which is too deep for the stack here, or
through the IR, where lines of inline assembly have no counters: those are left out (a function of assembly alone still
has to be called, and tests/contracts/mutants.py changes what is inside). Gas figures and the long invariant run are not
part of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = ROOT / "contracts"
WORK = ROOT / "build" / "coverage"
LEAST = 0.95
LEFT_OUT = ("*/Solvency.t.sol", "*Handler.sol", "*Gas.t.sol")
_ASSEMBLY = re.compile(r"\bassembly\b[^{]*{")


def measure(forge: str) -> Path:
    """Run the tests under forge's coverage, in folders of its own, and return the report. Raises CalledProcessError."""
    report = WORK / "lcov.info"
    WORK.mkdir(parents=True, exist_ok=True)
    settings = {
        "FOUNDRY_SOLC": str(CONTRACTS / "bin" / "solc"),
        "FOUNDRY_OUT": str(WORK / "out"),
        "FOUNDRY_CACHE_PATH": str(WORK / "cache"),
        "FOUNDRY_DENY": "never",
        "FOUNDRY_FUZZ_RUNS": "32",
        # Without the optimiser everything costs more: figures are neither compared nor written.
        "FORGE_SNAPSHOT_CHECK": "false",
        "FORGE_SNAPSHOT_EMIT": "false",
    }
    command = [forge, "coverage", "--ir-minimum", "--report", "lcov", "--report-file", str(report), "--skip", *LEFT_OUT]
    done = subprocess.run(
        command, cwd=CONTRACTS, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stdout.write(done.stdout + done.stderr)
        done.check_returncode()
    return report


def assembly_lines(source: str) -> set[int]:
    """Return the numbers of the lines inside inline assembly."""
    inside: set[int] = set()
    for found in _ASSEMBLY.finditer(source):
        depth, end = 1, found.end()
        while depth and end < len(source):
            depth += {"{": 1, "}": -1}.get(source[end], 0)
            end += 1
        first, last = source.count("\n", 0, found.start()) + 1, source.count("\n", 0, end) + 1
        inside.update(range(first, last + 1))
    return inside


def judge(report: str, root: Path) -> list[tuple[str, int, int, list[str]]]:
    """Return of each source file: its name, lines reached, lines, and functions that no test calls."""
    rows = []
    for record in report.split("end_of_record"):
        name = (re.search(r"^SF:(src/.*)$", record, re.MULTILINE) or [None, None])[1]
        if name is None:
            continue
        skipped = assembly_lines((root / name).read_text(encoding="utf-8"))
        hits = {int(line): int(count) for line, count in re.findall(r"^DA:(\d+),(\d+)", record, re.MULTILINE)}
        lines = {line: count for line, count in hits.items() if line not in skipped}
        missed = [label for count, label in re.findall(r"^FNDA:(\d+),(.*)$", record, re.MULTILINE) if count == "0"]
        rows.append((name, sum(count > 0 for count in lines.values()), len(lines), missed))
    return rows


def main(forge: str) -> int:
    """Measure and print a line a file; 0 when everything is reached as it should be."""
    try:
        rows = judge(measure(forge).read_text(encoding="utf-8"), CONTRACTS)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stdout.write(f"forge coverage gave no report: {error}\n")
        return 1
    bad = 0 if rows else 1
    for name, reached, lines, missed in rows:
        short = lines - reached > max(1, (1 - LEAST) * lines)
        bad += short or bool(missed)
        share = 100 * reached / lines if lines else 100
        sys.stdout.write(f"{'TOO FEW' if short else 'ok':<8}{share:6.1f} % of {lines:3d} lines  {name}\n")
        sys.stdout.writelines(f"        never called: {label}\n" for label in missed)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
