"""What the guide lists is what there is: errors, exit statuses, metrics, paths, ports, keys, kinds, faults, checks."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as Xml
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from app.help import CHAIN, REPLAY
from app.window import PAGES
from engine.consensus.agents.agent_file import MODEL_FILES
from engine.consensus.agents.models import FAMILIES
from engine.consensus.config import AgentConfig, ConsensusConfig
from engine.consensus.negotiation.byzantine import BEHAVIOURS
from engine.consensus.task_kinds import KINDS
from engine.core.bus import EventBus
from engine.league.trace import CAUSE_NAMES
from engine.learning.config import RULES, LearnConfig
from engine.learning.env import Ports
from engine.learning.faults import FAULTS
from engine.learning.run.behaviour import SLASHABLE, TRAINERS, VALIDATORS
from engine.learning.scenario.checks import CHECKS
from engine.telemetry.metrics import Metrics
from engine.telemetry.routes import routes_of

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "assets" / "guide"
OPERATOR, AGENTS, FEATURES = ((GUIDE / f"{name}.md").read_text("utf-8") for name in ("operator", "agents", "features"))
CODE = [path for folder in ("app", "engine") for path in sorted((ROOT / folder).rglob("*.py"))]
DERIVED = re.compile(r"^class (\w+)\((\w+)\):", re.MULTILINE)


def section(text: str, heading: str) -> str:
    """The text below a heading, as far as the next of the same depth or a higher one."""
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert found is not None, heading
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table whose first heading is this."""
    table = re.search(rf"^\| {re.escape(heading)} \|.*\n\|[ -|]*\n((?:\|.*\n?)+)", text, re.MULTILINE)
    assert table is not None, heading
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table[1].splitlines()]


def spans(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", text))


def errors() -> set[str]:
    """Every class of the program that derives from EngineError, by its source."""
    pairs = [pair for path in CODE for pair in DERIVED.findall(path.read_text("utf-8"))]
    found = {"EngineError"}
    while more := {name for name, base in pairs if base in found and name not in found}:
        found |= more
    return {name for name in found if not name.startswith("_")}


def keys() -> Iterator[str]:
    """The keys of every command of the window, by its source."""
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Command":
                for part in ast.walk(node):
                    if isinstance(part, ast.Tuple):
                        yield from (item.value for item in part.elts if isinstance(item, ast.Constant))


# For operators


def test_every_error_is_in_the_table_with_what_to_do() -> None:
    listed = rows(section(OPERATOR, "When something fails"), "`error`")
    named = [name for row in listed for name in spans(row[0])]
    assert len(named) == len(set(named))
    assert set(named) == errors()
    assert all(len(row) == 3 and len(row[2]) > 5 for row in listed)


def test_every_exit_status_is_listed() -> None:
    listed = {int(row[0]) for row in rows(section(OPERATOR, "Exit status"), "status")}
    classes = re.findall(r"exit_code(?:: ClassVar\[int\])? = (\d+)", "".join(path.read_text("utf-8") for path in CODE))
    assert listed == {0, 130, *map(int, classes)}


def test_every_metric_and_path_of_the_service_is_listed() -> None:
    listed = section(OPERATOR, "Without a window")
    metrics = Metrics(EventBus())
    named = re.findall(r"^# TYPE (\w+) \w+$", metrics.text().decode(), re.MULTILINE)
    assert {name for name in named if not name.endswith("_created")} == {
        name for row in rows(listed, "metric") for name in spans(row[0])
    }
    absent: Any = None
    paths = {" ".join(route) for route in routes_of(absent, absent, absent)}
    assert {*paths, "GET /metrics", "GET /ws"} == {name for row in rows(listed, "path") for name in spans(row[0])}


def test_every_port_is_listed() -> None:
    listed = section(OPERATOR, "Ports")
    for port in fields(Ports):
        assert re.search(rf"\b{port.default}\b", listed), port.name
        assert not port.metadata.get("opened") or f"`{port.metadata['name']}`" in listed


def test_every_page_and_every_key_of_the_window_is_listed() -> None:
    listed = section(OPERATOR, "Keys")
    assert [row[0] for row in rows(section(OPERATOR, "The window"), "page")] == [f"**{title}**" for _, title in PAGES]
    found = {
        key for key in keys() if re.fullmatch(r"(?:Ctrl\+|Alt\+|Shift\+)*(?:F\d+|\?|,|[A-Z]|Left|Right|Return)", key)
    }
    assert {"Ctrl+K", "F5", "Ctrl+Return", "Alt+Left", "?"} <= found
    assert {key for key in found if key not in listed} == set()
    assert "Ctrl+1" in listed
    assert f"Ctrl+{len(PAGES)}" in listed
    for title, _ in (*REPLAY, *CHAIN):
        assert any(word in listed.lower() for word in title.lower().replace(",", "").split() if len(word) > 3), title


def test_what_lies_in_the_data_directory_is_listed() -> None:
    listed = spans(section(OPERATOR, "Where everything is kept"))
    assert {"nashboard.db", "devnet/", "learning/", "bundles/", "keys/", "settings.toml", "logs/", "cache/"} <= listed


# For agent authors


@pytest.mark.parametrize(
    ("heading", "first", "names"),
    [
        ("Task files", "`type`", set(KINDS)),
        ("Agent files", "`behaviour`", set(BEHAVIOURS)),
        ("Agent files", "family", set(FAMILIES)),
        ("Trainers and validators", "settings", set(LearnConfig.model_fields)),
    ],
)
def test_every_kind_is_listed_in_the_first_column(heading: str, first: str, names: set[str]) -> None:
    assert {name for row in rows(section(AGENTS, heading), first) for name in spans(row[0])} == names


def test_every_setting_of_rounds_and_agents_is_listed() -> None:
    named = spans(AGENTS)
    assert {field.name for kind in (ConsensusConfig, AgentConfig) for field in fields(kind)} <= named
    assert set(RULES) | set(MODEL_FILES) <= named


def test_every_kind_of_the_families_is_listed() -> None:
    from engine.consensus.agents import bridge_models, builtin, finance_models, moderation_models, portfolio_models

    modules: dict[str, Any] = {
        "builtin": builtin,
        "bridge": bridge_models,
        "finance": finance_models,
        "moderation": moderation_models,
    }
    listed = {next(iter(spans(row[0]))): spans(row[1]) for row in rows(section(AGENTS, "Agent files"), "family")}
    for family, module in modules.items():
        assert listed[family] == set(module.KINDS), family
    for kind in listed["portfolio"]:
        portfolio_models.model(kind, 1)


def test_every_layer_that_is_read_from_files_is_listed() -> None:
    from engine.consensus.agents.module_reader import _LAYERS

    assert {layer.__name__ for layer in _LAYERS} <= spans(section(AGENTS, "Models from files"))


def test_every_fault_is_listed_with_its_kind() -> None:
    listed = {row[0]: spans(row[2]) for row in rows(section(AGENTS, "Trainers and validators"), "faults")}
    assert listed["slashed, once proven"] == set(SLASHABLE)
    assert listed["not slashed"] == set(VALIDATORS) - set(SLASHABLE)
    assert listed["of trainers"] == set(TRAINERS)
    assert set.union(*listed.values()) == set(FAULTS)


def test_every_check_of_a_scenario_is_listed() -> None:
    listed = rows(section(AGENTS, "Trainers and validators"), "expects")
    assert {name.partition("=")[0] for row in listed for name in spans(row[0])} == set(CHECKS)


def test_every_cause_that_is_named_is_one() -> None:
    lost = {
        name
        for row in rows(section(AGENTS, "How a match ends"), "outcome")
        if row[0] == "`LOSS`"
        for name in spans(row[1])
    }
    assert lost <= set(CAUSE_NAMES.values())
    assert {name for name in CAUSE_NAMES.values() if not name.startswith("TRAP")} <= lost


# Features, and the picture


@pytest.mark.parametrize(("specification", "least"), [("nets", 20), ("Nash-Ethereum", 25), ("POL-AI", 25)])
def test_every_line_of_the_features_names_where_it_is_and_its_test(specification: str, least: int) -> None:
    listed = rows(section(FEATURES, specification), "specification")
    titles = {title for _, title in PAGES}
    assert len(listed) >= least
    for line, _, seen, test in listed:
        assert re.fullmatch(r"`tests/[\w/]+\.py`", test), line
        assert set(re.findall(r"\*\*([^*]+)\*\*", seen)) <= titles, line


def test_the_picture_is_drawn_of_nothing_but_itself() -> None:
    text = (GUIDE / "data-flow.svg").read_text("utf-8")
    root = Xml.fromstring(text)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "rect", "path", "text"}
    assert len(re.findall(r"https?://", text)) == 1  # the name of the format
    labels = " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))
    for path in re.findall(r"engine/[\w/.]+\w", labels):
        assert (ROOT / path).exists(), path
