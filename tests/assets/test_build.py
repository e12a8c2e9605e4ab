"""The committed modules are what their sources say, on every machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from wasmtime import Engine, FuncType, Module

from engine.core.hashing import canonical_json
from engine.core.paths import assets_dir
from engine.league.system import parse_spec
from engine.league.wasm.leb import read_unsigned

ASSETS = assets_dir()
AGENTS = sorted((ASSETS / "agents").rglob("*.wasm"))
SYSTEMS = sorted((ASSETS / "systems").glob("*.wasm"))
MODULES = [*AGENTS, *SYSTEMS, *sorted((ASSETS / "hasher").glob("*.wasm"))]


@pytest.fixture(scope="module")
def built(build_script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("assets")
    build_script.build(out)
    return out


def signature(kind: FuncType) -> str:
    return f"{','.join(map(str, kind.params))}->{','.join(map(str, kind.results))}"


def exports(path: Path) -> dict[str, str]:
    module = Module(Engine(), path.read_bytes())
    return {e.name: signature(e.type) if isinstance(e.type, FuncType) else "memory" for e in module.exports}


def test_a_rebuild_gives_the_committed_bytes(build_script: ModuleType, built: Path) -> None:
    assert build_script.stale(built) == []
    assert len(MODULES) >= 9


def test_a_changed_byte_and_a_foreign_file_are_stale(build_script: ModuleType, built: Path, tmp_path: Path) -> None:
    for target in build_script.targets():
        copy = tmp_path / target.output
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((built / target.output).read_bytes())
    greedy = tmp_path / "agents" / "snake" / "greedy.wasm"
    greedy.write_bytes(greedy.read_bytes()[:-1] + b"\0")
    assert build_script.stale(tmp_path) == [Path("agents/snake/greedy.wasm")]


def test_the_place_of_the_build_leaves_no_trace(build_script: ModuleType, built: Path) -> None:
    for path in MODULES:
        content = path.read_bytes()
        for trace in (b".c\0", b"/home/", str(built).encode(), b"producers", b"target_features", b".debug"):
            assert trace not in content, (path.name, trace)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_modules_import_nothing_and_start_nothing(path: Path) -> None:
    assert Module(Engine(), path.read_bytes()).imports == []
    assert 8 not in section_ids(path.read_bytes())  # the start section


def section_ids(module: bytes) -> list[int]:
    ids, pos = [], 8
    while pos < len(module):
        ids.append(module[pos])
        size, pos = read_unsigned(module, pos + 1)
        pos += size
    return ids


@pytest.mark.parametrize("path", AGENTS, ids=lambda p: p.stem)
def test_agents_are_small_and_export_the_abi(path: Path) -> None:
    found = exports(path)
    assert path.stat().st_size < 16_384
    assert found["decide"] == "i64->i64"
    if "nets_obs" in found:
        assert found["nets_obs"] == found["nets_obs_cap"] == "->i32"
    assert set(found) <= {"decide", "memory", "nets_obs", "nets_obs_cap"}


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda p: p.stem)
def test_systems_export_the_abi(path: Path) -> None:
    takes_params = "params" in json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert exports(path) == ({"set_param": "i32,i64->"} if takes_params else {}) | {
        "memory": "memory",
        "reset": "i64->",
        "to_move": "->i32",
        "observe": "->i64",
        "observe_bytes": "->i64",
        "step": "i64->",
        "is_done": "->i32",
        "score": "i32->i64",
        "state": "->i64",
        "is_legal": "i64->i32",
    }


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda p: p.stem)
def test_the_description_in_the_module_is_the_json_beside_it(path: Path, build_script: ModuleType) -> None:
    described = json.loads(path.with_suffix(".json").read_text("utf-8"))
    section = canonical_json(described)
    assert path.read_bytes().endswith(build_script.custom_section("nets.system", section))
    assert parse_spec(section).id == path.stem


def test_snake_json_agrees_with_the_header() -> None:
    state = json.loads((ASSETS / "systems" / "snake.json").read_text("utf-8"))["state"]
    header = (ASSETS / "include" / "snake.h").read_text("utf-8")
    constants = dict(re.findall(r"#define (SNAKE_\w+) (\d+)", header))
    assert state["width"] == int(constants["SNAKE_WIDTH"])
    assert state["height"] == int(constants["SNAKE_HEIGHT"])
    assert state["cells_offset"] == int(constants["SNAKE_HEADER"])
    assert state["length"] == state["cells_offset"] + state["width"] * state["height"]
    assert [cell["value"] for cell in state["cells"]] == list(range(7))
    ends = [field["offset"] + field["size"] for field in state["fields"]]
    assert [0, *ends] == [*(field["offset"] for field in state["fields"]), state["cells_offset"]]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 16383, 16384, 2**32 - 1])
def test_the_engine_reads_the_script_s_leb128(build_script: ModuleType, value: int) -> None:
    written = build_script.leb128(value)
    assert read_unsigned(written, 0) == (value, len(written))


def test_a_source_that_does_not_compile_stops_the_build(build_script: ModuleType, tmp_path: Path) -> None:
    broken = tmp_path / "broken.c"
    broken.write_text("int decide(void) { return 1 }\n")
    target = build_script.Target(broken, build_script.GAME_FLAGS)
    with pytest.raises(build_script.subprocess.CalledProcessError):
        build_script.compile_target(target, tmp_path / "out", tmp_path)


def test_check_says_whether_the_modules_are_up_to_date(
    build_script: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    assert build_script.main(["--check"]) == 0
    assert "up to date" in capfd.readouterr().err
