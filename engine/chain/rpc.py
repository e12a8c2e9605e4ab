"""JSON-RPC to a node: deadlines, batches, and errors that say what happened."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, TypeGuard

from engine.chain.abi import revert_error
from engine.chain.errors import RpcError
from engine.chain.http import HttpSession

DEADLINE = 30.0
_REVERTED = 3  # the error code that nodes give a call that reverted
_REPEATABLE = ("eth_", "net_", "web3_", "debug_", "txpool_")  # asked twice they do no more than once
_HEX = re.compile("0x[0-9a-fA-F]*")
Request = tuple[str, Sequence[Any]]


class Rpc:
    """A connection to one node; ``close`` ends its HTTP session."""

    def __init__(self, url: str, *, deadline: float = DEADLINE) -> None:
        self.url = url
        self._deadline = deadline
        self._session = HttpSession(url)

    async def close(self) -> None:
        """End the session."""
        await self._session.close()

    async def request(self, method: str, *params: Any) -> Any:
        """Return the result of one request. Raises RpcError or ContractRevertError."""
        answer = await self._send(_question(0, method, params), (method,))
        return _result(answer, method)

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Return the raw answers (dicts with ``result`` or ``error``) of requests sent as one, in their order."""
        if not requests:
            return []
        questions = [_question(number, method, params) for number, (method, params) in enumerate(requests)]
        answers = await self._send(questions, tuple(method for method, _ in requests))
        if _is_answer(answers) and answers.get("error"):
            raise RpcError("The node refused a batch", f"{len(requests)} requests: {error_text(answers['error'])}")
        if not isinstance(answers, list) or len(answers) != len(requests) or not all(map(_is_answer, answers)):
            raise RpcError("The node did not answer a batch", f"{len(requests)} requests, answer {answers!r:.200}")
        ordered = {answer.get("id"): answer for answer in answers if isinstance(answer.get("id"), int)}
        if len(ordered) != len(requests) or not all(number in ordered for number in range(len(requests))):
            raise RpcError("The node answered other requests than those of the batch", f"{len(requests)} requests")
        return [ordered[number] for number in range(len(requests))]

    async def call(self, to: str, data: bytes, *, block: int | None = None) -> bytes:
        """Return what a contract returned. Raises ContractRevertError with the decoded reason."""
        tag = "latest" if block is None else hex(block)
        return hex_bytes(await self.request("eth_call", {"to": to, "data": hex_data(data)}, tag), "eth_call")

    async def number(self, method: str, *params: Any) -> int:
        """Return a quantity."""
        return quantity(await self.request(method, *params), method)

    async def numbers(self, requests: Sequence[Request]) -> list[int]:
        """Return the quantities that a batch asks for, in its order."""
        answers = await self.batch(requests)
        return [
            quantity(_result(answer, method), method) for answer, (method, _) in zip(answers, requests, strict=True)
        ]

    async def head(self) -> dict[str, Any]:
        """Return the newest block, without its transactions."""
        block = await self.request("eth_getBlockByNumber", "latest", False)
        names = ("number", "timestamp", "gasLimit")
        if not isinstance(block, dict) or not all(_is_quantity(block.get(name)) for name in names):
            raise RpcError("The node answered eth_getBlockByNumber with no block", f"{block!r:.100}")
        return block

    async def block_number(self) -> int:
        """Return the head's number."""
        return await self.number("eth_blockNumber")

    async def chain_id(self) -> int:
        """Return the chain id."""
        return await self.number("eth_chainId")

    async def alive(self, deadline: float = 1.0) -> bool:
        """Return whether the node answers within ``deadline`` seconds."""
        try:
            async with asyncio.timeout(deadline):
                await self.chain_id()
        except (RpcError, TimeoutError):
            return False
        return True

    async def _send(self, question: Any, methods: Sequence[str]) -> Any:
        """Return the answer. A connection that broke is tried once more where repeating does no harm."""
        import aiohttp

        try:
            async with asyncio.timeout(self._deadline):
                try:
                    return await self._session.post(question)
                except aiohttp.ClientConnectorError:
                    raise  # nobody listens: say so at once
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                    if not all(method.startswith(_REPEATABLE) for method in methods):
                        raise
                    return await self._session.post(question)
        except TimeoutError as error:
            raise RpcError(
                f"The node at {self.url} did not answer {methods[0]}", f"{self._deadline:g} s passed"
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise RpcError(
                f"The node at {self.url} cannot be reached", why, "Start the devnet, or check that it still runs."
            ) from error


def hex_data(data: bytes) -> str:
    """Return bytes as 0x text."""
    return "0x" + data.hex()


def hex_bytes(result: Any, method: str) -> bytes:
    """Return the bytes in a node's answer to ``method``. Raises RpcError when they are none."""
    if not is_hex(result) or len(result) % 2:
        raise RpcError(f"The node answered {method} with no bytes", f"{result!r:.100}")
    return bytes.fromhex(result[2:])


def revert_data(error: Any) -> bytes | None:
    """Return the revert data in a JSON-RPC error, None when it is not about a revert."""
    if not isinstance(error, dict):
        return None
    data = error.get("data")
    if isinstance(data, dict):
        data = data.get("data")
    if is_hex(data) and len(data) % 2 == 0:
        return bytes.fromhex(data[2:])
    if error.get("code") == _REVERTED or "revert" in str(error.get("message", "")):
        return b""
    return None


def error_text(error: Any) -> str:
    """Return what a JSON-RPC error says."""
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)


def quantity(result: Any, method: str) -> int:
    """Return the number in a node's answer to ``method``. Raises RpcError when there is none."""
    if not _is_quantity(result):
        raise RpcError(f"The node answered {method} with no number", f"{result!r:.100}")
    return int(result, 16)


def is_hex(value: Any) -> TypeGuard[str]:
    """Return whether a value from a node is 0x text."""
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _is_quantity(value: Any) -> bool:
    return is_hex(value) and 2 < len(value) <= 66


def _question(number: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def _is_answer(answer: Any) -> bool:
    return isinstance(answer, dict) and ("result" in answer or "error" in answer)


def _result(answer: Any, method: str) -> Any:
    if not _is_answer(answer):
        raise RpcError(f"What answered {method} is no Ethereum node", f"it said {answer!r:.100}")
    error = answer.get("error")
    if error is None:
        return answer.get("result")
    data = revert_data(error)
    if data is not None:
        raise revert_error(f"The contract refused {method}", data)
    raise RpcError(f"The node refused {method}", error_text(error))
