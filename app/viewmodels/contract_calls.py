"""Calling the deployed contracts by hand: reads answer at once, writes show their cost first and go by the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.errors import Notice
from app.viewmodels.base import ViewModel
from app.viewmodels.devnet import ContractRow, DevnetState, DevnetViewModel
from engine.chain.calls import CallPreview, Function, encode, functions_of, parse_argument, preview, read, send
from engine.chain.explorer import Explorer
from engine.chain.rpc import Rpc
from engine.chain.wallet import OPERATOR
from engine.core.errors import EngineError

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Request:
    """What stands in the form: the calldata of a function of a contract, and the wei sent along."""

    contract: str
    address: str
    function: Function
    data: bytes
    wei: int = 0

    @property
    def name(self) -> str:
        """The call in words."""
        return f"{self.contract}.{self.function.key.partition('(')[0]}"


@dataclass(frozen=True, slots=True)
class CallsState:
    """``errors`` by argument; ``request`` is the form when it can be read, ``preview`` what sending it would take.

    ``answer`` are the lines of the last call, ``tx`` its transaction, ``failure`` why it was not done.
    """

    contracts: tuple[ContractRow, ...] = ()
    contract: str = ""
    functions: tuple[Function, ...] = ()
    function: Function | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    request: Request | None = None
    preview: CallPreview | None = None
    busy: str = ""
    answer: tuple[str, ...] = ()
    tx: str = ""
    failure: str = ""


class ContractCallsViewModel(ViewModel[CallsState]):
    """Follows the devnet's contracts; reads and writes them by their ABI."""

    def __init__(self, bridge: Bridge, runtime: Runtime, devnet: DevnetViewModel) -> None:
        super().__init__(bridge, CallsState())
        self._runtime = runtime
        self._devnet = devnet
        devnet.observe(self._on_devnet)

    def choose(self, contract: str) -> None:
        """Show the functions of a contract."""
        if contract != self.state.contract and any(row.name == contract for row in self.state.contracts):
            functions = functions_of(contract)
            self.update(contract=contract, functions=functions)
            self.choose_function(functions[0].key)

    def choose_function(self, key: str) -> None:
        """Show the form of a function."""
        found = next((function for function in self.state.functions if function.key == key), None)
        if found is not None:
            self.update(function=found, request=None, preview=None, errors={}, answer=(), tx="", failure="")
            self.consider([""] * len(found.arguments), 0)

    def consider(self, texts: Sequence[str], wei: int | None) -> None:
        """Read the form; of a write that can be read, work out the cost. ``wei`` None: not an amount."""
        state = self.state
        row = next((row for row in state.contracts if row.name == state.contract), None)
        if state.function is None or row is None or len(texts) != len(state.function.arguments):
            self.update(request=None, preview=None)
            return
        errors = _errors(state.function, texts)
        self.update(errors=errors)
        if errors or wei is None:
            self.update(request=None, preview=None)
            return
        request = Request(row.name, row.address, state.function, encode(row.name, state.function, texts), wei)
        if request != state.request:
            self.update(request=request, preview=None, failure="")
            if not request.function.reads:
                self.start(self._preview(request), "Working out the cost", key="call")

    def ask(self) -> None:
        """Ask the contract what stands in the form; costs nothing."""
        request = self.state.request
        if request is not None and request.function.reads and not self.state.busy:
            self.update(busy="Reading", failure="", answer=(), tx="")
            self.start(self._ask(request), f"Reading {request.name}", key="call")

    def send(self) -> None:
        """Send what was previewed from the operator's account; a failure leaves the form as it is."""
        request, told = self.state.request, self.state.preview
        if request is None or told is None or told.refusal or self.state.busy:
            return
        self.update(busy="Sending", failure="", answer=(), tx="")
        self.start(self._send(request), f"Sending {request.name}", key="call")

    # Inside

    def _on_devnet(self, state: DevnetState) -> None:
        if state.contracts == self.state.contracts:
            return
        self.update(contracts=state.contracts, request=None, preview=None)
        names = [row.name for row in state.contracts]
        if names and self.state.contract not in names:
            self.choose(names[0])

    async def _preview(self, request: Request) -> None:
        try:
            told = await preview(self._rpc(), request.address, request.data, request.wei, self._operator())
        except EngineError as error:
            told = CallPreview(refusal=error.why or error.what)
        if self.state.request == request:
            self.update(preview=told)

    async def _ask(self, request: Request) -> None:
        try:
            lines = await read(
                self._rpc(), request.contract, request.address, request.function, request.data, self._operator()
            )
            self.update(answer=lines)
        except EngineError as error:
            self.update(failure=_reason(error))
        finally:
            self.update(busy="")

    async def _send(self, request: Request) -> None:
        async def work() -> tuple[str, tuple[str, ...]]:
            chain = await self._runtime.chain()
            row = await send(chain, self._runtime.store, request.contract, request.address, (request.data, request.wei))
            found = await Explorer(chain.rpc).transaction(row.hash or "")
            return row.hash or "", found.events if found is not None else ()

        try:
            job = self._runtime.jobs.start(f"Call {request.name}", lambda context: work())
            tx, events = await job.outcome(EngineError("The call was cancelled", "it may still be mined"))
            self.update(tx=tx, answer=events or ("no event",))
            self.bridge.notify(Notice("ok", f"{request.name}: done", "Its events stand beneath the form.", key="call"))
        except EngineError as error:
            self.update(failure=_reason(error))
        finally:
            self.update(busy="")
            if self.state.request == request:
                self.start(self._preview(replace(request)), "Working out the cost", key="call")

    def _rpc(self) -> Rpc:
        feed = self._devnet.feed
        if feed is None or self._devnet.state.status.state != "running":
            raise EngineError("No devnet runs", "it was stopped", "Start it, then try again.")
        return feed.rpc

    def _operator(self) -> str:
        return self._runtime.wallet.address(OPERATOR)


def _errors(function: Function, texts: Sequence[str]) -> dict[str, str]:
    """What is wrong with the arguments, by their names."""
    errors = {}
    for argument, text in zip(function.arguments, texts, strict=True):
        try:
            parse_argument(argument.kind, text)
        except EngineError as error:
            errors[argument.name] = f"{error.what}: {error.why}." if error.why else f"{error.what}."
    return errors


def _reason(error: EngineError) -> str:
    return str(error)
