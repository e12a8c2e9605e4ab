"""What a round is run with, and its file form LEAGUE.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation
from enum import Enum
from pathlib import Path
from typing import Any

import tomlkit

from engine.core.errors import UsageError
from engine.league.schedule import FORMATS

WEI = 10**18
MAX_U64 = 2**64 - 1
MAX_AGENTS = 10_000
MAX_FILE_BYTES = 8 << 20  # of a league file: the paths of all those agents
MAX_MATCHES = 100_000
MAX_STAGES = 1_000
DEFAULT_BUDGET = 1_000_000
MAX_BUDGET = 2**32 - 1


class Tier(Enum):
    """The league tiers: minimum stake in wei and reward multiplier in basis points."""

    BRONZE = ("bronze", WEI // 10, 10_000)
    SILVER = ("silver", WEI, 15_000)
    GOLD = ("gold", 10 * WEI, 20_000)

    def __init__(self, label: str, min_stake: int, multiplier_bps: int) -> None:
        self.label = label
        self.min_stake = min_stake
        self.multiplier_bps = multiplier_bps

    @classmethod
    def of(cls, label: str) -> Tier:
        """Return the tier of that name. Raises UsageError."""
        for tier in cls:
            if tier.label == label:
                return tier
        raise UsageError(f"Unknown tier {label!r}", "", f"Choose one of {', '.join(tier.label for tier in cls)}.")


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """An agent as a league file names it: where its module lies, its name, its owner."""

    path: Path
    name: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class RoundConfig:
    """A round, reproducible from this alone.

    ``matches`` an agent, with two seats games a pairing; ``seed`` of the round, 64 bits; ``budget`` in gas a decision;
    ``stake_wei`` what an agent that has no account in the book yet deposits; ``claims`` are match bundles that owners
    handed in; ``reward_wei`` is the base reward, multiplied by the tier's factor.

    ``format`` is auto, solo, round_robin, swiss or ladder, ``stages`` of the last two (0: as many as it takes);
    ``params`` over ``preset`` set the System's parameters; ``capacity`` is how many may take part (0: all), the
    richest first; ``suspension`` how many rounds an agent sits out after a disqualification.

    ``workers``, ``cluster`` (address of a scheduler) and ``recheck_percent`` (of the matches, played again on another
    worker and compared) say how it is computed; they change nothing in the result.
    """

    name: str = "league"
    system: str = "snake"
    tier: Tier = Tier.BRONZE
    agents: tuple[AgentEntry, ...] = ()
    claims: tuple[Path, ...] = ()
    format: str = "auto"
    stages: int = 0
    matches: int = 10
    params: Mapping[str, int] = field(default_factory=dict)
    preset: str = ""
    capacity: int = 0
    suspension: int = 0
    seed: int = 1
    budget: int = DEFAULT_BUDGET
    stake_wei: int = WEI
    reward_wei: int = WEI
    workers: int = field(default=1, compare=False)
    cluster: str = field(default="", compare=False)
    recheck_percent: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        _in_range("matches", self.matches, 1, MAX_MATCHES)
        _in_range("seed", self.seed, 0, MAX_U64)
        _in_range("budget", self.budget, 1, MAX_BUDGET)
        _in_range("stake_wei", self.stake_wei, 0, 2**127)
        _in_range("reward_wei", self.reward_wei, 0, 2**127)
        _in_range("stages", self.stages, 0, MAX_STAGES)
        _in_range("capacity", self.capacity, 0, MAX_AGENTS)
        _in_range("suspension", self.suspension, 0, 1000)
        _in_range("workers", self.workers, 1, 256)
        _in_range("recheck_percent", self.recheck_percent, 0, 100)
        if self.format not in ("auto", *FORMATS):
            raise UsageError(f"Unknown format {self.format!r}", "", f"Choose one of auto, {', '.join(FORMATS)}.")
        if not self.name or len(self.name) > 64 or not self.name.isprintable():
            raise UsageError("The league's name cannot be used", "it must be 1 to 64 printable characters")

    @property
    def pot_wei(self) -> int:
        """The reward that is shared out, in wei."""
        return self.reward_wei * self.tier.multiplier_bps // 10_000

    @classmethod
    def from_toml(cls, path: Path) -> RoundConfig:
        """Read a league file; agents' paths are relative to it. Raises UsageError naming the field."""
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)  # not all of it: the window waits for it
            if len(content) > MAX_FILE_BYTES:
                raise UsageError(f"The league file {path} is too large", f"it may have {MAX_FILE_BYTES:,} bytes")
            data = tomllib.loads(content.decode("utf-8"))
        except OSError as error:
            raise UsageError(f"The league file {path} cannot be read", error.strerror or repr(error)) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"The league file {path} is not valid TOML", str(error)) from error
        return _from_table(data, path)

    def to_toml(self, base: Path) -> str:
        """Return the league file's text, with paths relative to the folder ``base`` where they are below it."""
        document = tomlkit.document()
        document["name"] = self.name
        document["system"] = self.system
        document["tier"] = self.tier.label
        document["format"] = self.format
        if self.stages:
            document["stages"] = self.stages
        document["matches"] = self.matches
        for name in ("capacity", "suspension"):
            if getattr(self, name):
                document[name] = getattr(self, name)
        if self.preset:
            document["preset"] = self.preset
        document["seed"] = str(self.seed) if self.seed > 2**63 - 1 else self.seed
        document["budget"] = self.budget
        document["stake_eth"] = format_eth(self.stake_wei)
        document["reward_eth"] = format_eth(self.reward_wei)
        if self.claims:
            document["claims"] = [_relative(claim, base) for claim in self.claims]
        if self.params:
            document["params"] = dict(self.params)
        agents = tomlkit.aot()
        for entry in self.agents:
            table = tomlkit.table()
            table["path"] = _relative(entry.path, base)
            table["name"] = entry.name
            table["owner"] = entry.owner
            agents.append(table)
        document["agents"] = agents
        return tomlkit.dumps(document)


_EXACT = Context(prec=100)
_TEXTS = ("name", "system", "format", "preset")
_NUMBERS = ("matches", "stages", "capacity", "suspension", "seed", "budget")
_FIELDS = {*_TEXTS, *_NUMBERS, "tier", "stake_eth", "reward_eth", "params", "agents", "claims"}


def _from_table(data: dict[str, Any], path: Path) -> RoundConfig:
    unknown = sorted(data.keys() - _FIELDS)
    if unknown:
        raise UsageError(
            f"The league file {path} has an unknown field {unknown[0]!r}", "", f"Known: {sorted(_FIELDS)}."
        )
    given: dict[str, Any] = {}
    for name in _TEXTS:
        if name in data:
            given[name] = _text(data[name], name)
    for name in _NUMBERS:
        if name in data:
            given[name] = parse_int(data[name], name)
    for name in ("stake", "reward"):
        if f"{name}_eth" in data:
            given[f"{name}_wei"] = parse_eth(data[f"{name}_eth"], f"{name}_eth")
    if "tier" in data:
        given["tier"] = Tier.of(_text(data["tier"], "tier"))
    params = data.get("params", {})
    if not isinstance(params, dict):
        raise UsageError(f"The league file {path} is wrong", "params must be a table, such as params = { rounds = 20 }")
    given["params"] = {name: parse_int(value, f"params.{name}") for name, value in params.items()}
    agents = data.get("agents", [])
    if not isinstance(agents, list) or not all(isinstance(item, dict) for item in agents):
        raise UsageError(f"The league file {path} is wrong", "agents must be a list of [[agents]] tables")
    given["agents"] = tuple(_entry(item, path) for item in agents)
    claims = data.get("claims", [])
    if not isinstance(claims, list):
        raise UsageError(f"The league file {path} is wrong", "claims must be a list of paths")
    given["claims"] = tuple((path.parent / _text(item, "claims")).resolve() for item in claims)
    return RoundConfig(**given)


def _entry(item: dict[str, Any], path: Path) -> AgentEntry:
    unknown = sorted(item.keys() - {"path", "name", "owner"})
    if unknown or "path" not in item:
        why = f"unknown field {unknown[0]!r}" if unknown else "the field 'path' is missing"
        raise UsageError(f"An [[agents]] table of {path} is wrong", why, "It takes path, name, owner.")
    module = (path.parent / _text(item["path"], "path")).resolve()
    return AgentEntry(module, _text(item.get("name", ""), "name"), _text(item.get("owner", ""), "owner"))


def _relative(path: Path, base: Path) -> str:
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"The field {name} must be text", f"got {value!r}")
    return value


def parse_int(value: Any, name: str) -> int:
    """Return a whole number given as such or as decimal or 0x text. Raises UsageError naming the field."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return int(value, 0) if isinstance(value, str) else _refuse(value, name)
    except ValueError:
        return _refuse(value, name)


def parse_params(given: Iterable[str]) -> dict[str, int]:
    """Return the parameters in texts of the form ``name=3``. Raises UsageError naming the wrong one."""
    params: dict[str, int] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name in params:
            why = "it is given twice" if name in params else "it is not of the form name=3"
            raise UsageError(f"The parameter {text!r} cannot be used", why)
        params[name] = parse_int(value, name)
    return params


def _refuse(value: Any, name: str) -> int:
    raise UsageError(f"The field {name} must be a whole number", f"got {value!r}")


def parse_eth(value: Any, name: str) -> int:
    """Return wei for an amount in ETH given as text or number. Raises UsageError naming the field."""
    try:
        wei = _EXACT.multiply(Decimal(str(value)), Decimal(WEI))
        if wei < 0 or wei != int(wei):
            raise InvalidOperation
    except (InvalidOperation, ValueError, OverflowError):
        raise UsageError(
            f"The field {name} must be an amount in ETH", f"got {value!r}", "Give it as text, such as '0.1'."
        ) from None
    return int(wei)


def format_eth(wei: int) -> str:
    """Return the amount in ETH as exact decimal text."""
    sign, wei = ("-", -wei) if wei < 0 else ("", wei)
    whole, rest = divmod(wei, WEI)
    return f"{sign}{whole}" + (f".{rest:018d}".rstrip("0") if rest else "")


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} is out of range", f"{value} is not between {low} and {high}")
