"""From files to agents in the roster, and from names to Systems: everything goes through the gate."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from engine.core.bus import EventBus
from engine.core.errors import UsageError
from engine.league.config import AgentEntry
from engine.league.errors import RejectedModuleError
from engine.league.events import AgentAdmitted, SystemAdded
from engine.league.gate import Gate
from engine.league.gate.limits import GATE_VERSION, MAX_FILE_BYTES
from engine.league.gate.verdict import SYSTEM_LEGAL_ABI, AgentImage, SystemImage, Verdict
from engine.league.roster import AgentRecord, Roster, StoredModule
from engine.league.system import SECTION, ParamSpec, Preset, read_spec
from engine.league.wasm.leb import MalformedModuleError
from engine.league.wasm.reader import split_sections


@dataclass(frozen=True, slots=True)
class Admission:
    """What became of one file: the gate's verdict, the agent or System that it is now, a note when it was known."""

    file: str
    verdict: Verdict
    agent: AgentRecord | None
    note: str = ""
    system: SystemInfo | None = None


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """A System that can be played. ``shipped`` ones come with the program, ``path`` is empty for the operator's own."""

    id: str
    title: str
    summary: str
    version: int
    sha256: str
    seats: int
    max_steps: int
    path: Path
    params: tuple[ParamSpec, ...] = ()
    presets: tuple[Preset, ...] = ()
    shipped: bool = True


class Admissions:
    """Lets modules in. ``systems`` is the folder of the shipped Systems."""

    def __init__(self, gate: Gate, roster: Roster, bus: EventBus, systems: Path) -> None:
        self._gate = gate
        self._roster = roster
        self._bus = bus
        self._folder = systems
        self._systems: dict[str, tuple[SystemInfo, SystemImage]] = {}

    async def check(self, paths: Sequence[Path], kind: str = "agent") -> list[Verdict]:
        """Return the gate's verdict on each file, in order."""
        return [await self._gate.check_file(path, kind) for path in paths]

    async def admit(self, entries: Sequence[AgentEntry]) -> list[Admission]:
        """Put every accepted agent into the roster; rejected, repeated and known ones are told apart."""
        admissions: list[Admission] = []
        for entry in entries:
            admissions.append(await self._judge(entry, admissions))
        return admissions

    async def admit_files(self, paths: Sequence[Path]) -> list[Admission]:
        """Take in what was dropped: a module that describes a System as such, any other as an agent."""
        admissions: list[Admission] = []
        for path in paths:
            if await asyncio.to_thread(describes_system, path):
                admissions.append(await self.add_system(path))
            else:
                admissions.append(await self._judge(AgentEntry(path), admissions))
        return admissions

    async def add_system(self, path: Path) -> Admission:
        """Put a System, if the gate lets it in, beside the shipped ones."""
        verdict = await self._gate.check_file(path, "system")
        if not verdict.accepted:
            return Admission(path.name, verdict, None)
        info, _ = await self._load(path)
        if any(known.sha256 == info.sha256 for known in await self.systems()):
            return Admission(path.name, verdict, None, f"known already, as {info.title}", info)
        self._roster.add_system(info.sha256)
        self._bus.publish(SystemAdded(info.sha256, info.id, info.title))
        return Admission(path.name, verdict, None, "", info)

    async def resolve(self, entries: Sequence[AgentEntry]) -> list[AgentRecord]:
        """Return the roster's agents for the entries of a round. Raises RejectedModuleError or UsageError."""
        if not entries:
            raise UsageError("A round needs agents", "none were given", "Name at least one .wasm file.")
        records = []
        for admission in await self.admit(entries):
            if admission.agent is None:
                raise RejectedModuleError(
                    f"{admission.file} is not admitted", admission.verdict.reason, "Mend the module or leave it out."
                )
            if admission.agent in records:
                raise UsageError(
                    f"{admission.file} is in the round twice", f"its module is that of {admission.agent.name}"
                )
            records.append(admission.agent)
        return records

    async def systems(self) -> list[SystemInfo]:
        """Return the Systems that can be played, by id: the shipped ones, then the operator's own."""
        paths = await asyncio.to_thread(lambda: {path: file_digest(path) for path in self._folder.glob("*.wasm")})
        shipped = [(await self._loaded(path, paths[path]))[0] for path in sorted(paths)]
        known = {info.sha256 for info in shipped}
        own = [await self._stored(sha256) for sha256 in self._roster.systems() if sha256 not in known]
        return sorted(shipped + own, key=lambda info: (info.id, not info.shipped))

    async def system(self, name: str) -> SystemImage:
        """Return the System of that id, sha256 or path. Raises UsageError."""
        if name.endswith(".wasm"):
            return (await self._load(Path(name)))[1]
        known = await self.systems()
        for info in known:
            if name in (info.id, info.sha256):
                return self._systems[info.sha256][1]
        stored = self._roster.module(name)
        if stored is not None and stored.kind == "system":
            return (await self._gate.check(stored.original, "system", name)).system()
        ids = ", ".join(info.id for info in known) or "none"
        raise UsageError(f"There is no System {name!r}", f"known are: {ids}", "See `nashboard system list`.")

    async def agent_image(self, sha256: str) -> AgentImage:
        """Return a stored agent as the present gate instruments it."""
        stored = self._roster.module(sha256)
        if stored is None:
            raise UsageError("There is no such agent", f"no module has the hash {sha256}")
        if stored.gate_version == GATE_VERSION:
            return AgentImage(sha256, stored.abi, stored.instrumented)
        verdict = await self._gate.check(stored.original, "agent", sha256)
        image = verdict.agent()
        self._roster.keep_module(StoredModule(sha256, "agent", image.abi, GATE_VERSION, stored.original, image.module))
        return image

    async def _verdict(self, path: Path) -> Verdict:
        """Return the gate's verdict on an agent's file; what this gate let in before it need not see again."""
        digest = await asyncio.to_thread(file_digest, path)
        stored = self._roster.module(digest) if digest else None
        if stored is None or stored.kind != "agent" or stored.gate_version != GATE_VERSION:
            return await self._gate.check_file(path, "agent")
        return Verdict(path.name, digest, True, "", "agent", stored.abi, stored.instrumented)

    async def _judge(self, entry: AgentEntry, before: Sequence[Admission]) -> Admission:
        return self._admit(entry, await self._verdict(entry.path), before)

    def _admit(self, entry: AgentEntry, verdict: Verdict, before: Sequence[Admission]) -> Admission:
        name = entry.path.name
        if not verdict.accepted:
            return Admission(name, verdict, None)
        twin = next((other for other in before if other.agent and other.agent.sha256 == verdict.sha256), None)
        known = self._roster.get(verdict.sha256)
        if twin is not None:
            return Admission(name, verdict, twin.agent, f"the same module as {twin.file}")
        if known is not None and not known.removed:
            return Admission(name, verdict, known, f"in the roster already, as {known.name}")
        return Admission(name, verdict, self._enter(entry, verdict))

    def _enter(self, entry: AgentEntry, verdict: Verdict) -> AgentRecord:
        image = verdict.agent()
        original = entry.path.read_bytes()
        self._roster.keep_module(
            StoredModule(image.sha256, "agent", image.abi, verdict.gate_version, original, image.module)
        )
        record = self._roster.admit(image.sha256, entry.name or entry.path.stem, entry.owner)
        self._bus.publish(AgentAdmitted(record.sha256, record.name, record.address))
        return record

    async def _load(self, path: Path) -> tuple[SystemInfo, SystemImage]:
        return await self._loaded(path, await asyncio.to_thread(file_digest, path))

    async def _loaded(self, path: Path, digest: str) -> tuple[SystemInfo, SystemImage]:
        known = self._systems.get(digest)
        if known is not None and known[0].path == path:
            return known
        image = await self._system_image(path, digest)
        info = _info(image, path)
        self._systems[image.sha256] = (info, image)
        return info, image

    async def _stored(self, sha256: str) -> SystemInfo:
        """Return a System that the operator brought, from the store."""
        known = self._systems.get(sha256)
        if known is None:
            stored = self._roster.module(sha256)
            assert stored is not None
            image = (await self._gate.check(stored.original, "system", sha256)).system()
            known = self._systems[sha256] = (_info(image, Path()), image)
        return replace(known[0], path=Path(), shipped=False)

    async def _system_image(self, path: Path, digest: str) -> SystemImage:
        stored = self._roster.module(digest) if digest else None
        if stored is not None and stored.kind == "system" and stored.gate_version == GATE_VERSION:
            return SystemImage(digest, read_spec(stored.original), stored.instrumented, stored.abi == SYSTEM_LEGAL_ABI)
        verdict = await self._gate.check_file(path, "system")
        image = verdict.system()
        original = await asyncio.to_thread(path.read_bytes)
        self._roster.keep_module(
            StoredModule(image.sha256, "system", verdict.abi, verdict.gate_version, original, image.module)
        )
        return image


def describes_system(path: Path) -> bool:
    """Whether a file is a module with a System's description; whatever cannot be read is left to the gate."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return False
        _, customs = split_sections(path.read_bytes())
    except (OSError, MalformedModuleError):
        return False
    return any(title == SECTION for title, _, _ in customs)


def _info(image: SystemImage, path: Path) -> SystemInfo:
    spec = image.spec
    return SystemInfo(
        spec.id,
        spec.title,
        spec.summary,
        spec.version,
        image.sha256,
        spec.seats,
        spec.max_steps,
        path,
        tuple(spec.params),
        tuple(spec.presets),
    )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file that may be a module, in hex; empty for one that cannot be read or is too large."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return ""
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
