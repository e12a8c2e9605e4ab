"""The committed artifacts are what the committed sources compile to, and stale or broken ones are noticed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.chain import compiler
from engine.chain.artifacts import CONTRACTS, Artifact, artifact_path, load_artifact
from engine.core.errors import DependencyError, EngineError

SOLC = compiler.contracts_dir() / "bin" / "solc"


@pytest.fixture(scope="module")
def compiled() -> dict[str, Artifact]:
    return compiler.compile_contracts()


def test_committed_artifacts_are_fresh(compiled: dict[str, Artifact]) -> None:
    assert compiler.stale(compiled) == [], "run `python -m engine.chain.compiler`"


def test_artifacts_load_as_they_were_written(compiled: dict[str, Artifact]) -> None:
    for name in CONTRACTS:
        artifact = load_artifact(name)
        assert artifact == compiled[name]
        assert artifact.compiler["version"].startswith("0.8.37+commit.")
        assert artifact.compiler["settings"]["viaIR"] is False
        assert 0 < len(artifact.deployed_bytecode) <= 20_000
        assert len(artifact.deployed_bytecode) < len(artifact.bytecode)


def test_abi_names_what_clients_call() -> None:
    functions = {entry["name"] for entry in load_artifact("LeagueAnchor").abi if entry["type"] == "function"}
    assert {"post", "verifyStep", "verifyTrace", "proveScoreMismatch", "settle", "claimPayout"} <= functions
    functions = {entry["name"] for entry in load_artifact("StakeVault").abi if entry["type"] == "function"}
    assert {"stake", "requestUnbond", "withdraw", "claim", "slash", "accountOf", "totals"} <= functions


def test_stale_artifacts_are_named(compiled: dict[str, Artifact], tmp_path: Path) -> None:
    assert compiler.stale(compiled, tmp_path) == list(CONTRACTS)
    for artifact in compiled.values():
        artifact_path(artifact.name, tmp_path).write_text(artifact.to_json(), encoding="utf-8")
    assert compiler.stale(compiled, tmp_path) == []
    artifact_path("StakeVault", tmp_path).write_text("{}", encoding="utf-8")
    assert compiler.stale(compiled, tmp_path) == ["StakeVault"]


def test_missing_and_broken_artifacts_are_errors(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"Nowhere\.json cannot be read"):
        load_artifact("Nowhere", tmp_path)
    for text in ("", "[]", "{}", '{"contractName": "X", "abi": [], "bytecode": "0xzz"}'):
        (tmp_path / "Broken.json").write_text(text, encoding="utf-8")
        with pytest.raises(EngineError, match="damaged"):
            load_artifact("Broken", tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A Solidity project of our settings with one contract of its own."""
    ours = compiler.contracts_dir()
    shutil.copy(ours / "foundry.toml", tmp_path)
    shutil.copytree(ours / "bin", tmp_path / "bin")
    (tmp_path / "node_modules").symlink_to(ours / "node_modules")
    (tmp_path / "src").mkdir()
    return tmp_path


def write_source(project: Path, body: str) -> None:
    source = f"// SPDX-License-Identifier: MIT\npragma solidity ^0.8.24;\n{body}\n"
    (project / "src" / "Probe.sol").write_text(source, encoding="utf-8")


def test_bytecode_does_not_depend_on_place_or_comments(project: Path) -> None:
    write_source(project, "contract Probe { uint256 public x = 1; }")
    first = compiler.compile_contracts(project, ["Probe"])["Probe"]
    write_source(project, "contract Probe { uint256 public x = 1; } // said in passing")
    second = compiler.compile_contracts(project, ["Probe"])["Probe"]
    assert first.bytecode == second.bytecode
    assert first.source_hash != second.source_hash


def test_code_that_does_not_compile_is_an_error(project: Path) -> None:
    write_source(project, "contract Probe { uint256 x = nothing; }")
    with pytest.raises(EngineError, match="Undeclared identifier"):
        compiler.compile_contracts(project, ["Probe"])


def test_warnings_are_errors(project: Path) -> None:
    write_source(project, "contract Probe { function f() external { uint256 unused; } }")
    with pytest.raises(EngineError, match="Unused local variable"):
        compiler.compile_contracts(project, ["Probe"])


def test_a_missing_source_is_named(project: Path) -> None:
    write_source(project, 'import {X} from "@openzeppelin/contracts/Nothing.sol"; contract Probe {}')
    with pytest.raises(DependencyError, match=r"openzeppelin/contracts/Nothing\.sol is missing"):
        compiler.compile_contracts(project, ["Probe"])
    (project / "foundry.toml").unlink()
    with pytest.raises(EngineError, match=r"foundry\.toml"):
        compiler.compile_contracts(project, ["Probe"])


def test_a_missing_compiler_is_named(project: Path) -> None:
    write_source(project, "contract Probe {}")
    (project / "bin" / "solc").unlink()
    with pytest.raises(DependencyError, match="compiler does not start"):
        compiler.compile_contracts(project, ["Probe"])


# The wrapper around solcjs -----------------------------------------------------------------------------------------


def solc(*arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SOLC, *arguments], input=stdin, capture_output=True, text=True, check=False, env={**os.environ, **env}
    )


def test_wrapper_answers_like_the_native_compiler() -> None:
    answer = solc("--version")
    assert answer.returncode == 0
    assert answer.stdout.splitlines()[-1].startswith("Version: 0.8.37+commit.")
    request = {
        "language": "Solidity",
        "sources": {"A.sol": {"content": "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.24; contract A {}"}},
        "settings": {"outputSelection": {"*": {"*": ["evm.bytecode.object"]}}},
    }
    answer = solc("--standard-json", "--allow-paths", ".,/nowhere", stdin=json.dumps(request))
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["contracts"]["A.sol"]["A"]["evm"]["bytecode"]["object"]


def test_wrapper_reads_imports_below_the_base_path(tmp_path: Path) -> None:
    text = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.24;"
    (tmp_path / "B.sol").write_text(f"{text} contract B {{}}", encoding="utf-8")
    request = {
        "language": "Solidity",
        "sources": {"A.sol": {"content": f'{text} import "B.sol"; import "C.sol"; contract A is B {{}}'}},
    }
    answer = solc("--standard-json", "--base-path", str(tmp_path), stdin=json.dumps(request))
    errors = [error["message"] for error in json.loads(answer.stdout)["errors"]]
    assert len(errors) == 1
    assert 'Source "C.sol" not found' in errors[0]


def test_wrapper_refuses_what_it_does_not_speak() -> None:
    answer = solc("--bin", "A.sol")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "--standard-json" in answer.stderr


def test_wrapper_uses_the_node_it_is_told(tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho told: $2\n", encoding="utf-8")
    node.chmod(0o755)
    assert solc("--version", NASHBOARD_NODE=str(node)).stdout == "told: --version\n"
