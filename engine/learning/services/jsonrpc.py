"""JSON-RPC 2.0 over HTTP: single calls and batches. Source: the JSON-RPC 2.0 specification, with Ethereum's codes."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from engine.learning.services.http import Handler, json_body

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
MAX_BATCH = 100
Method = Callable[..., Any]  # takes a call's parameters; what it returns may be awaitable
_log = logging.getLogger(__name__)
_NOTHING = object()  # the answer to a notification


class CallError(Exception):
    """A call that is answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def handler_of(methods: Mapping[str, Method]) -> Handler:
    """Return the handler of POST requests that calls methods by their names.

    A method says that parameters do not fit by ValueError, anything else by CallError.
    """

    async def handle(request: web.Request) -> web.Response:
        try:
            body = await json_body(request)
        except ValueError as error:
            return web.json_response(_error(None, PARSE_ERROR, f"the body is no JSON: {error}"))
        if not isinstance(body, list):
            answer = await _answer(body, methods)
            return web.Response(status=204) if answer is _NOTHING else web.json_response(answer)
        if not 1 <= len(body) <= MAX_BATCH:
            return web.json_response(_error(None, INVALID_REQUEST, f"a batch has 1 to {MAX_BATCH} calls"))
        answers = [await _answer(call, methods) for call in body]
        kept = [answer for answer in answers if answer is not _NOTHING]
        return web.json_response(kept) if kept else web.Response(status=204)

    return handle


def error_form(status: int, message: str) -> dict[str, Any]:
    """Return the form of what goes wrong before a call is read."""
    return _error(None, INVALID_REQUEST, message)


async def _answer(call: Any, methods: Mapping[str, Method]) -> Any:
    if not isinstance(call, dict) or call.get("jsonrpc") != "2.0" or not isinstance(call.get("method"), str):
        return _error(_identity(call), INVALID_REQUEST, "a call is an object with jsonrpc 2.0, a method, and an id")
    if "id" in call and not _is_identity(call["id"]):
        return _error(None, INVALID_REQUEST, "an id is a string, a number or null")
    name, params = call["method"], call.get("params", [])
    try:
        made = {"jsonrpc": "2.0", "id": call.get("id"), "result": await _call(name, params, methods)}
    except CallError as error:
        made = _error(call.get("id"), error.code, error.message)
    except ValueError as error:
        made = _error(call.get("id"), INVALID_PARAMS, f"{name}: {error}")
    except Exception:
        _log.exception("a call failed: %s", name)
        made = _error(call.get("id"), INTERNAL_ERROR, "the call failed; the log says why")
    return made if "id" in call else _NOTHING


async def _call(name: str, params: Any, methods: Mapping[str, Method]) -> Any:
    method = methods.get(name)
    if method is None:
        raise CallError(METHOD_NOT_FOUND, f"the method {name[:80]} does not exist or is not available")
    if not isinstance(params, list):
        raise CallError(INVALID_PARAMS, f"{name}: parameters come as a list")
    try:
        inspect.signature(method).bind(*params)
    except TypeError as error:
        raise CallError(INVALID_PARAMS, f"{name}: {error}") from error
    result = method(*params)
    return await result if inspect.isawaitable(result) else result


def _error(identity: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": message}}


def _identity(call: Any) -> Any:
    identity = call.get("id") if isinstance(call, dict) else None
    return identity if _is_identity(identity) else None


def _is_identity(value: Any) -> bool:
    if isinstance(value, float):  # 1e999 is read as infinity, which JSON cannot say
        return math.isfinite(value)
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))
