"""Calling a shipped contract by hand: what can be called, arguments read from text, the cost told before it is sent.

Values are written as in Solidity's JSON: numbers decimal or 0x hex, bytes and addresses as 0x hex, true or false, and
arrays and structs as JSON lists. See the contract ABI specification of Solidity, "Types".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from eth_abi.exceptions import ABITypeError, ParseError
from eth_abi.grammar import TupleType, parse
from eth_utils.address import is_checksum_address, to_checksum_address

from engine.chain.abi import contract_abi, explain_revert, parameter_types, plain_value, signature
from engine.chain.errors import ContractRevertError
from engine.chain.rpc import Rpc, error_text, hex_bytes, hex_data, revert_data
from engine.chain.session import Chain
from engine.core.errors import UsageError
from engine.core.hashing import nesting
from engine.store.database import Store
from engine.store.outbox import OutboxRow, OutboxTx

MAX_TEXT = 100_000  # characters of one argument
MAX_DEPTH = 32  # of lists in lists: no ABI has as many, and thousands end the process inside Python's own reader
_NUMBER = re.compile(r"-?(0x[0-9a-fA-F]{1,64}|[0-9]{1,78})")
_HEX = re.compile(r"0x([0-9a-fA-F]{2})*")


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter of a function: its name (never empty) and its ABI type, structs as tuples."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Function:
    """Something that a contract can be asked or told. ``reads`` costs nothing; ``payable`` takes ether."""

    key: str
    signature: str
    arguments: tuple[Argument, ...]
    reads: bool
    payable: bool


@dataclass(frozen=True, slots=True)
class CallPreview:
    """What sending would take: ``gas`` units at ``gas_price`` wei, or why the contract ``refusal`` refuses it."""

    gas: int | None = None
    gas_price: int | None = None
    refusal: str = ""

    @property
    def cost(self) -> int | None:
        """What the gas costs in wei, None when it is not known."""
        return None if self.gas is None or self.gas_price is None else self.gas * self.gas_price


def functions_of(contract: str) -> tuple[Function, ...]:
    """Return all functions of a shipped contract: those that read first, each kind by name."""
    found = [
        Function(
            key,
            signature(item),
            tuple(_argument(entry, at) for at, entry in enumerate(item["inputs"], 1)),
            item.get("stateMutability") in ("view", "pure"),
            item.get("stateMutability") == "payable",
        )
        for key, item in contract_abi(contract).functions.items()
    ]
    return tuple(sorted(found, key=lambda function: (not function.reads, function.key.lower())))


def parse_argument(kind: str, text: str) -> Any:
    """Return the value that ``text`` stands for, as eth-abi takes it. Raises UsageError saying what is wrong."""
    text = text.strip()
    if len(text) > MAX_TEXT:
        raise UsageError("The value is too long", f"it has {len(text):,} characters, at most {MAX_TEXT:,} are taken")
    try:
        form: Any = parse(kind)
    except (ParseError, ABITypeError) as error:
        raise UsageError(f"The type {kind} is not known", str(error)[:200]) from error
    if not (form.is_array or isinstance(form, TupleType)):
        return _value(form, text)
    if nesting(text) > MAX_DEPTH:
        raise UsageError("The value cannot be read", f"lists stand in each other more than {MAX_DEPTH} deep")
    try:
        value = json.loads(text, parse_float=_no_fraction)
    except ValueError as error:
        raise UsageError("The value cannot be read", f"{kind} is written as a JSON list, as in [1, 2]") from error
    return _value(form, value)


def encode(contract: str, function: Function, texts: Sequence[str]) -> bytes:
    """Return the calldata of a call with its arguments as text. Raises UsageError."""
    values = [parse_argument(part.kind, text) for part, text in zip(function.arguments, texts, strict=True)]
    return contract_abi(contract).encode_call(function.key, *values)


async def read(rpc: Rpc, contract: str, address: str, function: Function, data: bytes, sender: str) -> tuple[str, ...]:
    """Ask a contract; return a line an output. Raises ContractRevertError with the decoded reason, or RpcError."""
    request = {"from": sender, "to": address, "data": hex_data(data)}
    answer = hex_bytes(await rpc.request("eth_call", request, "latest"), "eth_call")
    abi = contract_abi(contract)
    outputs = abi.functions[function.key]["outputs"]
    lines = []
    for at, (entry, value) in enumerate(zip(outputs, abi.decode_result(function.key, answer), strict=True), 1):
        name = entry["name"] or (f"result {at}" if len(outputs) > 1 else "result")
        lines.append(f"{name} = {_shown(plain_value(value, entry))}")
    return tuple(lines) or ("nothing is returned",)


async def preview(rpc: Rpc, address: str, data: bytes, value: int, sender: str) -> CallPreview:
    """Return what sending a call would cost, or why it would be refused; changes nothing."""
    if value >= 2**128:
        return CallPreview(refusal="nobody has that much ether")
    request = {"from": sender, "to": address, "data": hex_data(data), "value": hex(value)}
    estimate, price = await rpc.batch([("eth_estimateGas", [request]), ("eth_gasPrice", [])])
    error = estimate.get("error")
    if error is not None:
        reverted = revert_data(error)
        return CallPreview(refusal=explain_revert(reverted)[0] if reverted is not None else error_text(error)[:300])
    return CallPreview(int(estimate["result"], 16), int(price["result"], 16))


async def send(chain: Chain, store: Store, contract: str, address: str, call: tuple[bytes, int]) -> OutboxRow:
    """Send calldata and wei of the operator through the outbox; return its row once it is mined.

    Raises ContractRevertError with the decoded reason where the contract refuses.
    """
    data, value = call
    known = contract_abi(contract).decode_call(data)
    purpose = f"call {contract}.{known.name if known else '?'} by hand"
    key = f"{chain.book}:call:{uuid4().hex}"
    with store.transaction():
        store.outbox.enqueue(OutboxTx(key, chain.book, chain.operator, address, data, value, purpose))
    await chain.drain()
    row = store.outbox.get(key)
    assert row is not None
    if row.state != "mined":
        raise ContractRevertError("The contract refused the call", row.error, "The form is as you left it.")
    return row


def _argument(entry: Mapping[str, Any], at: int) -> Argument:
    return Argument(entry["name"] or f"argument {at}", parameter_types([entry])[0])


def _value(form: Any, value: Any) -> Any:
    """Return a value for a type of the grammar; numbers may be JSON's or text."""
    kind = form.to_type_str()
    if form.is_array:
        return _items(form, kind, value)
    if isinstance(form, TupleType):
        if not isinstance(value, list) or len(value) != len(form.components):
            raise UsageError("The value cannot be read", f"{kind} is a list of {len(form.components)} values")
        return tuple(_value(part, item) for part, item in zip(form.components, value, strict=True))
    readers = {"uint": _number, "int": _number, "bool": _truth, "address": _address, "bytes": _octets, "string": _text}
    reader = readers.get(form.base)
    if reader is None:
        raise UsageError(f"The type {kind} is not known")
    return reader(kind, form.sub, value)


def _items(form: Any, kind: str, value: Any) -> list[Any]:
    length = form.arrlist[-1]
    if not isinstance(value, list) or (length and len(value) != length[0]):
        raise UsageError("The value cannot be read", f"{kind} is a list{f' of {length[0]} values' if length else ''}")
    return [_value(form.item_type, item) for item in value]


def _number(kind: str, bits: int, value: Any) -> int:
    text = str(value).replace("_", "").replace(",", "") if not isinstance(value, bool) else "a truth value"
    if not _NUMBER.fullmatch(text):
        raise UsageError("That is no whole number", f"{kind} takes digits or 0x hex")
    number = int(text, 16) if "0x" in text else int(text)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if kind.startswith("int") else (0, 2**bits)
    if not low <= number < high:
        raise UsageError("The number does not fit", f"{kind} takes {'0' if not low else f'-2^{bits - 1}'} and above, "
                         f"below 2^{bits - 1 if low else bits}")  # fmt: skip
    return number


def _truth(kind: str, _sub: Any, value: Any) -> bool:
    known = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
    found = known.get(str(value).lower())
    if found is None:
        raise UsageError("That is neither true nor false", f"{kind} takes true or false")
    return found


def _address(_kind: str, _sub: Any, value: Any) -> str:
    text = str(value)
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise UsageError("That is no address", "an address is 0x and 40 hex digits")
    if text[2:] not in (text[2:].lower(), text[2:].upper()) and not is_checksum_address(text):
        raise UsageError("The address has a mistake in it", "its checksum, the mixed case, does not hold")
    return str(to_checksum_address(text))


def _octets(kind: str, length: int | None, value: Any) -> bytes:
    text = str(value)
    if not _HEX.fullmatch(text):
        raise UsageError("That is no hex", f"{kind} takes 0x and two digits a byte")
    if length and len(text) != 2 + 2 * length:
        raise UsageError("The length is wrong", f"{kind} takes {length} bytes, here are {len(text) // 2 - 1}")
    return bytes.fromhex(text[2:])


def _text(_kind: str, _sub: Any, value: Any) -> str:
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError("That is no text", "half of a character is in it") from error
    return str(value)


def _no_fraction(text: str) -> Any:
    raise ValueError(f"{text} is no whole number")


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, list | dict | bool) else str(value)
