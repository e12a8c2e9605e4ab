"""Analyse the contracts with Slither: what weighs medium or high is mended, or explained in contracts/slither.json.

Run by the interpreter of ``build/tools`` (see bootstrap.py), on a copy: Slither cleans what forge built. The copy holds
a contract with known holes besides ours, so that an analysis which sees nothing does not pass.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = ROOT / "contracts"
TRIAGE = CONTRACTS / "slither.json"
WORK = ROOT / "build" / "slither"
PACKAGE = Path("node_modules", "@openzeppelin", "contracts")
SERIOUS = ("Medium", "High")

# It stands on our code, and that on a package's: both must have been read for the analysis to find its holes.
CANARY = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
import {StakeVault} from "./StakeVault.sol";
contract Canary is StakeVault {
    mapping(address => uint256) private _owed;
    address private _nobody;
    constructor(address admin) StakeVault(admin, admin, 1) {}
    function put() external payable { _owed[msg.sender] += msg.value; }
    function reenter() external {
        (bool paid,) = msg.sender.call{value: _owed[msg.sender]}("");
        if (paid) _owed[msg.sender] = 0;
    }
    function nobody() external view returns (bool) { return hasRole(SLASHER_ROLE, _nobody); }
}
"""
CAUGHT = {"reentrancy-eth", "uninitialized-state"}


class Heard(logging.Handler):
    """Keeps what Slither says: it goes on where it could not understand a contract."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(record.getMessage())

    def gaps(self) -> list[str]:
        """Return what was not analysed of our own code (functions of packages may fail)."""
        gap = [line for line in self.lines if "Missing inheritance" in line]
        return gap + [line for line in self.lines if "Impossible to generate IR" in line and "(src/" in line]


def prepare(canary: str = CANARY) -> None:
    """Copy the sources with the packages they import, since forge is to find them below its root."""
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(CONTRACTS / "src", WORK / "src")
    shutil.copytree(CONTRACTS / PACKAGE, WORK / PACKAGE)
    shutil.copy(CONTRACTS / "foundry.toml", WORK)
    (WORK / "src" / "Canary.sol").write_text(canary, encoding="utf-8")


def analyse() -> tuple[list[dict[str, Any]], set[str], list[str]]:
    """Return the findings, the source files that were read, and what was not understood."""
    from slither import Slither
    from slither.__main__ import get_detectors_and_printers

    heard = Heard()
    logging.basicConfig(handlers=[heard], force=True)
    os.environ["FOUNDRY_SOLC"] = str(CONTRACTS / "bin" / "solc")
    os.chdir(WORK)
    slither = Slither(".")
    for detector in get_detectors_and_printers()[0]:
        slither.register_detector(detector)
    found = [finding for results in slither.run_detectors() for finding in results]
    read = {str(contract.source_mapping.filename.relative) for contract in slither.contracts}
    return found, read, heard.gaps()


def place(finding: dict[str, Any]) -> str:
    """Return where a finding is, without line numbers: Contract.function.variable."""
    names: list[str] = []
    element = finding["elements"][0]
    while element and element["type"] not in ("pragma", "enum"):
        if element["type"] != "node":
            names.insert(0, element["name"])
        if element["type"] == "contract":
            break
        element = element.get("type_specific_fields", {}).get("parent")
    return ".".join(names)


def serious(found: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Give check, place and text of each finding of weight in our sources."""
    for finding in found:
        first = finding["elements"][0]["source_mapping"]["filename_relative"] if finding["elements"] else ""
        if finding["impact"] in SERIOUS and first.startswith("src/"):
            yield finding["check"], place(finding), finding["description"].strip()


def main() -> int:
    """Analyse; 0 when all that was found is explained, and all that is explained was found."""
    prepare()
    found, read, gaps = analyse()
    sources = {str(path.relative_to(CONTRACTS)) for path in (CONTRACTS / "src").rglob("*.sol")}
    gaps += [f"{path} was not analysed" for path in sorted(sources - read)]
    accepted = {(item["check"], item["where"]): item["why"] for item in json.loads(TRIAGE.read_text(encoding="utf-8"))}
    ours: dict[tuple[str, str], str] = {}
    caught: set[str] = set()
    for check, where, text in serious(found):
        if where.startswith("Canary"):
            caught.add(check)
        else:
            ours[check, where] = text
    problems = [*gaps, *(f"the seeded {check} was not found" for check in sorted(CAUGHT - caught))]
    problems += [
        f"{check} at {where}:\n{text}" for (check, where), text in ours.items() if (check, where) not in accepted
    ]
    problems += [f"{check} at {where} is explained, but not found any more" for check, where in accepted.keys() - ours]
    problems += [f"{check} at {where} has no explanation" for (check, where), why in accepted.items() if len(why) < 20]
    for problem in problems:
        sys.stdout.write(f"- {problem}\n")
    sys.stdout.write(
        f"{len(sources)} files, {len(found)} findings, {len(ours)} of weight in ours, {len(accepted)} explained, "
        f"{len(problems)} problems\n"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
