"""Break the contracts in small ways, one at a time, and see that the forge suite notices each.

`python tests/contracts/mutants.py` runs them all (about half a minute each); names as arguments choose some. It works
on copies in a temporary folder. The exit status is 1 when a mutant survives, 2 when one no longer applies.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
VAULT, ANCHOR = "src/StakeVault.sol", "src/LeagueAnchor.sol"
ROUND, TRACE = "src/libraries/RoundTree.sol", "src/libraries/TraceTree.sol"
REWARDS, ROSTER = "src/libraries/Rewards.sol", "src/libraries/Roster.sol"

# name: file, what stands there once, what the mutant puts there
MUTANTS: dict[str, tuple[str, str, str]] = {
    "no-unbonding-lock": (VAULT, "block.timestamp < account.unlockAt || ", ""),
    "no-exposure-lock": (VAULT, " || account.exposure != 0", ""),
    "pending-escapes-slashing": (
        VAULT,
        "slashed = amount < active + pending ? amount : active + pending;",
        "slashed = amount < active ? amount : active;",
    ),
    "exposures-share-stake": (VAULT, "if (entry.active < exposure)", "if (entry.active < amount)"),
    "minimum-off-by-one": (VAULT, "if (msg.value < MINIMUM_STAKE)", "if (msg.value <= MINIMUM_STAKE)"),
    "credit-paid-forever": (VAULT, "        account.credit = 0;\n", ""),
    "reporter-takes-all": (VAULT, "if (bps > MAX_REPORTER_BPS)", "if (bps > BPS)"),
    "treasury-total-lost": (VAULT, "_credit(treasury, slashed - share);", "_credit(treasury, slashed);"),
    "withdraw-pausable": (
        VAULT,
        "function withdraw() external nonReentrant",
        "function withdraw() external whenNotPaused nonReentrant",
    ),
    "keys-may-slash": (VAULT, "account.code.length == 0 || ", ""),
    "stale-unlock": (
        VAULT,
        "account.unlockAt = unlockAt.toUint48();",
        "if (account.unlockAt == 0) account.unlockAt = unlockAt.toUint48();",
    ),
    "no-window": (ANCHOR, "if (block.timestamp < c.settleableAt) revert WindowOpen(c.settleableAt);", ""),
    "depth-unbound": (ANCHOR, " || proof.length != c.depth", ""),
    "index-beyond-round": (ANCHOR, "leaf.index >= c.nSteps || ", ""),
    "claim-of-any-league": (ANCHOR, " || idOf(c.poster, claim.leagueId) != id", ""),
    "claim-of-any-match": (ANCHOR, "claim.index != leaf.index || ", ""),
    "honest-claim-slashed": (
        ANCHOR,
        "if ((isA && leaf.dA == claim.score) || (isB && leaf.dB == claim.score)) revert ScoresAgree(claim.score);",
        "",
    ),
    "slashed-twice": (ANCHOR, "if (_disqualified[id].get(seat)) revert AlreadyDisqualified(agent);", ""),
    "disqualified-not-counted": (ANCHOR, "        ++_commitments[id].nDisqualified;\n", ""),
    "paid-twice": (ANCHOR, "if (_claimed[id].get(index)) revert AlreadyClaimed(agent);", ""),
    "order-repeats": (ANCHOR, " || !_markSeen(seen, seat)", ""),
    "order-unsorted": (ANCHOR, " || scores[seat] > last", ""),
    "exposure-kept": (ANCHOR, "        vault.removeExposure(poster, exposure);\n", ""),
    "dust-kept": (ANCHOR, "if (dust != 0) vault", "if (dust > 1 ether) vault"),
    "roster-unchecked": (ANCHOR, "if (Roster.hash(agents, scores) != c.rosterHash)", "if (agents.length != c.nAgents)"),
    "posted-twice": (
        ANCHOR,
        "if (_commitments[id].status != Status.None)",
        "if (_commitments[id].status == Status.Open)",
    ),
    "leaf-domain": (ROUND, "keccak256(start, 125)", "keccak256(add(start, 1), 124)"),
    "index-padding": (
        ROUND,
        "uint256 index = leaf.index;",
        "uint256 index;\n assembly { index := calldataload(leaf) }",
    ),
    "sides-swapped": (
        ROUND,
        "switch and(index, 1)\n                case 0",
        "switch and(index, 1)\n                case 1",
    ),
    "trace-node-domain": (TRACE, "bytes1(0x01)", "bytes1(0x00)"),
    "trace-path-too-short": (TRACE, "return sn == 0 && r == root;", "return r == root;"),
    "trace-index-outside": (TRACE, "if (index >= size) return false;", "if (size == 0) return false;"),
    "commitment-without-steps": (TRACE, "header, traceRoot, nSteps))", "header, traceRoot))"),
    "ties-take-the-best": (REWARDS, "ties * (n - position) - ties * (ties - 1) / 2", "ties * (n - position)"),
    "duplicates-in-roster": (ROSTER, "iszero(gt(account, last))", "lt(account, last)"),
    "wide-agents": (ROSTER, "bad := or(bad, gt(shr(160, last), 0))", ""),
}


def forge() -> Path:
    found = sorted(CONTRACTS.glob("node_modules/@foundry-rs/forge-*/bin/forge"))
    if not found:
        sys.exit("forge is missing: run `make setup`")
    return found[0]


def prepare(folder: Path) -> Path:
    """Copy what forge needs, so that mutants never touch the sources."""
    work = folder / "contracts"
    shutil.copytree(CONTRACTS, work, ignore=shutil.ignore_patterns("node_modules", "out", "cache"))
    (work / "node_modules").symlink_to(CONTRACTS / "node_modules")
    shutil.copytree(ROOT / "tests" / "vectors", folder / "tests" / "vectors")
    return work


def passes(work: Path) -> bool:
    """Run the suite. Gas figures are left out: they would notice anything. Code that does not compile is no verdict."""
    settings = {"FOUNDRY_SOLC": str(work / "bin" / "solc"), "FOUNDRY_INVARIANT_RUNS": "8", "FOUNDRY_DENY": "never"}
    command = [forge(), "test", "--root", work, "--fail-fast", "--no-match-contract", "Gas"]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    if "Suite result" not in done.stdout:
        sys.exit(f"forge did not get as far as testing:\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def survives(work: Path, name: str) -> bool:
    """Run the suite on one mutant."""
    file, old, new = MUTANTS[name]
    path = work / file
    original = path.read_text(encoding="utf-8")
    if original.count(old) != 1:
        print(f"{name}: {file} holds it {original.count(old)} times", flush=True)
        sys.exit(2)
    path.write_text(original.replace(old, new), encoding="utf-8")
    alive = passes(work)
    path.write_text(original, encoding="utf-8")
    return alive


def main(names: list[str]) -> int:
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        work = prepare(Path(folder))
        if not passes(work):
            sys.exit("the suite fails on the contracts as they are")
        for name in names or list(MUTANTS):
            alive = survives(work, name)
            print(f"{'SURVIVES' if alive else 'killed  '} {name}", flush=True)
            if alive:
                survivors.append(name)
    print(f"{len(survivors)} of {len(names or MUTANTS)} mutants survive", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
