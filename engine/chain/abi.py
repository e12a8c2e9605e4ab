"""A contract's ABI at work: calls encoded, results, custom errors and events decoded. Built on eth-abi."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address

from engine.chain.artifacts import Artifact, load_artifact
from engine.chain.errors import ContractRevertError
from engine.core.hashing import keccak

_STRING_ERROR = keccak(b"Error(string)")[:4]
_PANIC = keccak(b"Panic(uint256)")[:4]
_MALFORMED = (DecodingError, ValueError, OverflowError)  # any contract may answer anything
CONTRACTS = ("StakeVault", "LeagueAnchor", "LeagueCourt", "NeuralConsensus", "ProofOfLearning", "POL")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A call, event or error with its arguments by name; integers are ints, bytes are 0x text."""

    contract: str
    name: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.contract}.{self.name}({', '.join(f'{k}={v}' for k, v in self.arguments.items())})"


class ContractAbi:
    """The ABI of one artifact, by name (overloads: by signature) and by selector."""

    def __init__(self, artifact: Artifact) -> None:
        self.name = artifact.name
        self.artifact = artifact
        self.functions = self._named("function")
        self.events = self._named("event")
        self.errors = self._named("error")
        self.constructor: Mapping[str, Any] = next(
            (i for i in artifact.abi if i["type"] == "constructor"), {"inputs": []}
        )
        self._calls = {selector(item): item for item in self.functions.values()}
        self._errors = {selector(item): item for item in self.errors.values()}
        self._topics = {keccak(signature(item).encode()): item for item in self.events.values()}

    def encode_call(self, name: str, *arguments: Any) -> bytes:
        """Return the calldata of a call."""
        item = self.functions[name]
        return selector(item) + encode(parameter_types(item["inputs"]), arguments)

    def encode_constructor(self, *arguments: Any) -> bytes:
        """Return the creation code with its arguments."""
        return self.artifact.bytecode + encode(parameter_types(self.constructor["inputs"]), arguments)

    def decode_result(self, name: str, data: bytes) -> tuple[Any, ...]:
        """Return the values that a call of ``name`` returned."""
        return tuple(decode(parameter_types(self.functions[name]["outputs"]), data))

    def decode_call(self, data: bytes) -> Decoded | None:
        """Return the call in some calldata, None when it is not this contract's."""
        return self._decoded(self._calls.get(data[:4]), data[4:])

    def decode_error(self, data: bytes) -> Decoded | None:
        """Return the custom error in revert data, None when it is not this contract's."""
        return self._decoded(self._errors.get(data[:4]), data[4:])

    def decode_log(self, topics: Sequence[bytes], data: bytes) -> Decoded | None:
        """Return the event in a log, None when it is not this contract's."""
        item = self._topics.get(topics[0]) if topics else None
        if item is None:
            return None
        indexed = [i for i in item["inputs"] if i["indexed"]]
        plain = [i for i in item["inputs"] if not i["indexed"]]
        try:
            values = dict(zip((i["name"] for i in plain), decode(parameter_types(plain), data), strict=True))
            for entry, topic in zip(indexed, topics[1:], strict=True):
                values[entry["name"]] = decode(parameter_types([entry]), topic)[0]
        except _MALFORMED:  # another contract's event of the same name and types, indexed otherwise
            return None
        return Decoded(self.name, item["name"], {i["name"]: plain_value(values[i["name"]], i) for i in item["inputs"]})

    def _named(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """Return the items by name; those that share one by their signature."""
        items = [item for item in self.artifact.abi if item["type"] == kind]
        often = Counter(item["name"] for item in items)
        return {item["name"] if often[item["name"]] == 1 else signature(item): item for item in items}

    def _decoded(self, item: Mapping[str, Any] | None, data: bytes) -> Decoded | None:
        if item is None:
            return None
        try:
            values = decode(parameter_types(item["inputs"]), data)
        except _MALFORMED:
            return None
        names = [entry["name"] or str(n) for n, entry in enumerate(item["inputs"])]
        plain = (plain_value(value, entry) for value, entry in zip(values, item["inputs"], strict=True))
        return Decoded(self.name, item["name"], dict(zip(names, plain, strict=True)))


@lru_cache(maxsize=16)
def contract_abi(name: str) -> ContractAbi:
    """Return the ABI of the contract ``name`` from the shipped artifacts."""
    return ContractAbi(load_artifact(name))


def all_abis() -> Iterable[ContractAbi]:
    """Return the ABIs of all shipped contracts."""
    return [contract_abi(name) for name in CONTRACTS]


def decode_call(data: bytes) -> Decoded | None:
    """Return the call in some calldata, of whichever shipped contract."""
    return next((found for abi in all_abis() if (found := abi.decode_call(data)) is not None), None)


def decode_log(topics: Sequence[bytes], data: bytes) -> Decoded | None:
    """Return the event in a log, of whichever shipped contract."""
    return next((found for abi in all_abis() if (found := abi.decode_log(topics, data)) is not None), None)


def explain_revert(data: bytes) -> tuple[str, dict[str, Any]]:
    """Return revert data as text and as JSON-ready facts: a custom error, a reason string, a panic, or its bytes."""
    with contextlib.suppress(*_MALFORMED):
        if data[:4] == _STRING_ERROR:
            return str(decode(["string"], data[4:])[0]), {}
        if data[:4] == _PANIC:
            return f"panic 0x{decode(['uint256'], data[4:])[0]:02x}", {}
    found = next((e for abi in all_abis() if (e := abi.decode_error(data)) is not None), None)
    if found is not None:
        return str(found), {"contract": found.contract, "error": found.name, "arguments": found.arguments}
    return (f"unknown error 0x{data[:4].hex()}" if data else "reverted without a reason"), {}


def revert_error(what: str, data: bytes) -> ContractRevertError:
    """Return the error to raise for a refused call."""
    text, facts = explain_revert(data)
    return ContractRevertError(what, text, **facts)


def signature(item: Mapping[str, Any]) -> str:
    """Return the canonical signature of an ABI item."""
    return f"{item['name']}({','.join(parameter_types(item['inputs']))})"


def selector(item: Mapping[str, Any]) -> bytes:
    """Return the first four bytes of the signature's hash."""
    return keccak(signature(item).encode())[:4]


def parameter_types(inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the canonical types of an ABI item's parameters, structs as tuples."""
    return [_type(entry) for entry in inputs]


def _type(entry: Mapping[str, Any]) -> str:
    kind = str(entry["type"])
    if kind.startswith("tuple"):
        return f"({','.join(parameter_types(entry['components']))}){kind.removeprefix('tuple')}"
    return kind


def plain_value(value: Any, entry: Mapping[str, Any]) -> Any:
    """Return a decoded value of a parameter as JSON takes it: bytes as 0x text, structs by name."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if entry["type"] == "address":
        return to_checksum_address(value)
    if isinstance(value, tuple | list):
        parts = entry.get("components")
        if parts and not str(entry["type"]).endswith("]"):
            return {part["name"]: plain_value(item, part) for item, part in zip(value, parts, strict=True)}
        inner = {**entry, "type": str(entry["type"]).rsplit("[", 1)[0]}
        return [plain_value(item, inner) for item in value]
    return value
