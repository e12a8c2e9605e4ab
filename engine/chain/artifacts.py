"""Compiled contracts, as shipped in ``assets/abi``: what the client needs without a Solidity compiler."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.errors import EngineError
from engine.core.paths import assets_dir

CONTRACTS = (
    "GameCertificates",
    "LeagueAnchor",
    "LeagueCourt",
    "NeuralConsensus",
    "POL",
    "ProofOfLearning",
    "StakeVault",
)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract.

    ``abi`` is the JSON ABI; ``bytecode`` creates the contract (constructor arguments are appended);
    ``deployed_bytecode`` is the runtime code with zeros in the place of immutables; ``source_hash`` is the SHA-256
    over the compiler's whole input; ``compiler`` holds its version and settings.
    """

    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    deployed_bytecode: bytes
    source_hash: str
    compiler: dict[str, Any]

    @classmethod
    def from_json(cls, text: str) -> Artifact:
        """Read the form that ``to_json`` writes. Raises ValueError, KeyError or TypeError on anything else."""
        raw = json.loads(text)
        return cls(
            name=raw["contractName"],
            abi=tuple(raw["abi"]),
            bytecode=bytes.fromhex(raw["bytecode"].removeprefix("0x")),
            deployed_bytecode=bytes.fromhex(raw["deployedBytecode"].removeprefix("0x")),
            source_hash=raw["sourceHash"],
            compiler=raw["compiler"],
        )

    def to_json(self) -> str:
        """Return the file's text: the same artifact gives the same bytes."""
        raw = {
            "contractName": self.name,
            "abi": self.abi,
            "bytecode": "0x" + self.bytecode.hex(),
            "deployedBytecode": "0x" + self.deployed_bytecode.hex(),
            "sourceHash": self.source_hash,
            "compiler": self.compiler,
        }
        return json.dumps(raw, indent=2, sort_keys=True) + "\n"


def artifact_path(name: str, folder: Path | None = None) -> Path:
    """Return where the artifact of contract ``name`` lies; ``folder`` None: among the shipped assets."""
    return (folder or assets_dir() / "abi") / f"{name}.json"


def load_artifact(name: str, folder: Path | None = None) -> Artifact:
    """Return the compiled contract ``name``. Raises EngineError when its file is missing or broken."""
    path = artifact_path(name, folder)
    try:
        return Artifact.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        why = f"{path} cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError) as error:
        why = f"{path} is damaged ({type(error).__name__}: {error})"
    raise EngineError(
        f"The contract {name} cannot be loaded",
        why,
        "Install the program again, or run `python -m engine.chain.compiler` in a checkout.",
        contract=name,
    )
