"""What an operator without a window installs: the systemd unit and the dashboard for Grafana."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from engine.core.bus import EventBus
from engine.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "packaging" / "nashboard.service"
BOARD = ROOT / "packaging" / "grafana.json"
PANELS = {"row", "stat", "timeseries"}
FUNCTIONS = {"sum", "max", "min", "by", "rate", "increase", "histogram_quantile"}
# The field a Prometheus client adds to the name, by what it counts.
SERIES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def unit() -> dict[str, dict[str, list[str]]]:
    """Return the settings of the unit by section; a name may be given several times."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in UNIT.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals and re.fullmatch(r"[A-Z][A-Za-z]+", name), line
            section.setdefault(name, []).append(value)
    return found


def test_the_unit_is_hardened() -> None:
    service = unit()["Service"]
    wanted = {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "DynamicUser": "yes",
        "CapabilityBoundingSet": "",
        "RestrictSUIDSGID": "yes",
        "SystemCallFilter": "@system-service",
        "IPAddressDeny": "any",
        "IPAddressAllow": "localhost",
        "UMask": "0077",
    }
    assert {name: service.get(name) for name in wanted} == {name: [value] for name, value in wanted.items()}
    assert set(unit()) == {"Unit", "Service", "Install"}
    (call,) = service["ExecStart"]
    assert "--host 127.0.0.1" in call and "--token-file %d/token" in call  # the credential, not the file itself
    assert service["LoadCredential"] == ["token:/etc/nashboard/token"]
    assert "MemoryDenyWriteExecute" not in service  # wasmtime and numba write machine code


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    analyse = shutil.which("systemd-analyze")
    if analyse is None:
        pytest.skip("no systemd-analyze here; the unit is parsed by the other tests")
    copy = tmp_path / UNIT.name  # it looks for the program, which is not installed
    copy.write_text(UNIT.read_text("utf-8").replace("/usr/bin/nashboard", sys.executable), "utf-8")
    done = subprocess.run([analyse, "verify", copy], capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, said) == (0, []), done.stderr


def test_the_program_takes_the_call_and_ends_as_the_unit_expects(tmp_path: Path) -> None:
    (call,) = unit()["Service"]["ExecStart"]
    program, *arguments = call.split()
    assert program == "/usr/bin/nashboard"
    (tmp_path / "token").write_text("a-token-of-sufficient-length")
    given = [argument.replace("%d", str(tmp_path)) for argument in arguments]
    given = [str(tmp_path / "data") if a == "/var/lib/nashboard" else "0" if a == "8787" else a for a in given]
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *given, "--json"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        lines = list(itertools.takewhile(lambda line: line != b"}\n", process.stdout))
        url = json.loads(b"".join(lines) + b"}")["url"]
        asked = urllib.request.Request(
            f"{url}/metrics", headers={"Authorization": "Bearer a-token-of-sufficient-length"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert b"nashboard_devnet_up" in answer.read()
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=90)
    finally:
        process.kill()
        process.communicate()
    assert unit()["Service"]["SuccessExitStatus"] == [str(status)]


# The dashboard -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    return dict(json.loads(BOARD.read_text("utf-8")))


@pytest.fixture(scope="module")
def families() -> dict[str, tuple[set[str], set[str]]]:
    """The metrics that there really are: by name their series, and their labels."""
    found = {}
    for name, metric in vars(Metrics(EventBus())).items():
        kind = getattr(metric, "_type", "")
        if kind:
            series = {f"{metric._name}{suffix}" for suffix in SERIES[kind]}
            labels = {*metric._labelnames, *(["le"] if kind == "histogram" else [])}
            found[name] = (series, labels)
    assert len(found) >= 20
    return found


def queries(board: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (title of the panel, expression, legend)."""
    return [(p["title"], t["expr"], t["legendFormat"]) for p in board["panels"] for t in p.get("targets", [])]


def names_in(expression: str) -> set[str]:
    """Return the series that an expression reads: the words that stand before a selector."""
    return set(re.findall(r"\b([a-z][a-z0-9_]*)\{", re.sub(r'"[^"]*"', '""', expression)))


def test_every_metric_in_a_panel_exists_and_every_metric_is_in_some_panel(
    board: dict[str, Any], families: dict[str, tuple[set[str], set[str]]]
) -> None:
    there = set().union(*(series for series, _ in families.values()))
    used: set[str] = set()
    for title, expression, _ in queries(board):
        named = names_in(expression)
        assert named, f"{title}: {expression} reads nothing"
        assert named <= there, f"{title} reads {named - there}, which is not there"
        used |= named
    missing = [name for name, (series, _) in families.items() if not series & used]
    assert missing == [], "in no panel"


def test_the_names_are_those_of_a_scrape(families: dict[str, tuple[set[str], set[str]]]) -> None:
    bus = EventBus()
    metrics = Metrics(bus)
    scraped = set(re.findall(r"^# TYPE (\S+) (?!gauge$)|^# TYPE (\S+) gauge$", metrics.text().decode(), re.MULTILINE))
    whole = {first or second for first, second in scraped}
    for series, _ in families.values():
        bases = {name.removesuffix(end) for name in series for end in ("", "_bucket", "_sum", "_count")}
        assert bases & whole, series


def test_expressions_are_promql_over_labels_that_exist(
    board: dict[str, Any], families: dict[str, tuple[set[str], set[str]]]
) -> None:
    labels = {name: known for series, known in families.values() for name in series}
    for title, expression, legend in queries(board):
        assert all(expression.count(a) == expression.count(b) for a, b in ("()", "{}", "[]")), title
        assert '{job=~"$job", instance=~"$instance"}' in expression, title
        known = set().union(*(labels[name] for name in names_in(expression)))
        grouped = {label.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(",")}
        assert grouped | set(re.findall(r"\{\{(\w+)\}\}", legend)) <= known, title
        assert set(re.findall(r"\b([a-z_]+) ?\(", expression)) <= FUNCTIONS, title
        for name in names_in(expression):
            climbs = name.endswith(("_total", "_bucket", "_count", "_sum"))
            counted = re.search(rf"(rate|increase)\({name}\{{[^}}]*\}}\[(\$__rate_interval|24h)\]\)", expression)
            assert bool(counted) == climbs, f"{title}: {name} is {'a counter' if climbs else 'a gauge'}"
        if "histogram_quantile" in expression:
            assert "sum by (le)" in expression and all(name.endswith("_bucket") for name in names_in(expression))


def test_the_form_is_one_that_grafana_takes(board: dict[str, Any]) -> None:
    assert board["id"] is None and re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", board["uid"])
    assert board["schemaVersion"] >= 39 and isinstance(board["title"], str) and board["editable"] is True
    assert "__inputs" not in board  # the data source is chosen in the dashboard, so that it can be provisioned too
    variables = {item["name"]: item for item in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) and min(ids) > 0
    source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in board["panels"]:
        assert panel["type"] in PANELS and panel["title"]
        if panel["type"] == "row":
            assert panel["collapsed"] is False and panel["panels"] == []
            continue
        assert panel["datasource"] == source and panel["description"].endswith(".")
        refs = [target["refId"] for target in panel["targets"]]
        assert refs == [chr(65 + number) for number in range(len(refs))] and refs
        assert all(target["datasource"] == source for target in panel["targets"])
        assert panel["fieldConfig"]["overrides"] == [] and panel["fieldConfig"]["defaults"]["unit"]
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps[0]["value"] is None and all(a["value"] < b["value"] for a, b in itertools.pairwise(steps[1:]))
        assert panel["options"]


def test_panels_do_not_overlap(board: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24 and place["h"] >= 1
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]
