"""The beacon REST interface. Source: Ethereum's Beacon API, its forms of answers and errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from engine.learning.services import beacon_forms as forms
from engine.learning.services.hexes import data_of
from engine.learning.services.http import ApiError, Handler
from engine.learning.services.version import CLIENT
from engine.learning.services.view import BlockView, ChainView

MAX_IDS = 1024  # validators that one request may name
_ROOT = re.compile(r"0x[0-9a-fA-F]{64}")
_PUBKEY = re.compile(r"0x[0-9a-fA-F]{96}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}")
Answer = Callable[[web.Request], Any]


def routes_of(view: ChainView) -> Mapping[tuple[str, str], Handler]:
    """Return the handlers by method and path."""
    answers = {**_chain(view), **_states(view), **_node(view)}
    return {("GET", path): _handler(answer) for path, answer in answers.items()}


def error_form(status: int, message: str) -> dict[str, Any]:
    """Return the Beacon API's form of an error."""
    return {"code": status, "message": message}


def _handler(answer: Answer) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(answer(request))

    return handle


def _chain(view: ChainView) -> dict[str, Answer]:
    def genesis(_: web.Request) -> Any:
        return {
            "data": {
                "genesis_time": str(view.genesis_time),
                "genesis_validators_root": data_of(view.genesis_root),
                "genesis_fork_version": data_of(bytes(4)),
            }
        }

    def header(request: web.Request) -> Any:
        block = block_at(view, request.match_info["block"])
        return {**forms.truth_of(block), "data": forms.header_of(block)}

    def headers(request: web.Request) -> Any:
        """Without a query the head; else the canonical block of a slot, or the blocks that build on a parent."""
        slot, parent = request.query.get("slot"), request.query.get("parent_root")
        if parent is not None:
            found = view.children(_root(parent, "parent root"))
            found = tuple(block for block in found if slot is None or block.slot == _slot(slot))
        else:
            block = view.head() if slot is None else view.by_slot(_slot(slot))
            found = () if block is None else (block,)
        final = all(block.finalized for block in found)
        return {"execution_optimistic": False, "finalized": final, "data": [forms.header_of(block) for block in found]}

    def root(request: web.Request) -> Any:
        block = block_at(view, request.match_info["block"])
        return {**forms.truth_of(block), "data": {"root": data_of(block.root)}}

    return {
        "/eth/v1/beacon/genesis": genesis,
        "/eth/v1/beacon/headers": headers,
        "/eth/v1/beacon/headers/{block}": header,
        "/eth/v1/beacon/blocks/{block}/root": root,
    }


def _states(view: ChainView) -> dict[str, Answer]:
    def checkpoints(request: web.Request) -> Any:
        block = state_at(view, request.match_info["state"])
        return {**forms.truth_of(block), "data": forms.finality_of(view.finality(block.root))}

    def root(request: web.Request) -> Any:
        block = state_at(view, request.match_info["state"])
        return {**forms.truth_of(block), "data": {"root": data_of(block.header.state_root)}}

    def rows(request: web.Request) -> tuple[BlockView, list[dict[str, Any]]]:
        block = state_at(view, request.match_info["state"])
        epoch = view.slot() // view.config.slots_per_epoch
        return block, [forms.validator_of(validator, epoch) for validator in view.validators(block.root)]

    def validators(request: web.Request) -> Any:
        block, known = rows(request)
        wanted, statuses = _list(request, "id"), _list(request, "status")
        if statuses:
            known = [row for row in known if any(row["status"].startswith(status) for status in statuses)]
        if wanted:
            asked = {_identity(one) for one in wanted}
            known = [row for row in known if row["index"] in asked or row["validator"]["pubkey"] in asked]
        return {**forms.truth_of(block), "data": known}

    def validator(request: web.Request) -> Any:
        block, known = rows(request)
        asked = _identity(request.match_info["validator"])
        for row in known:
            if asked in (row["index"], row["validator"]["pubkey"]):
                return {**forms.truth_of(block), "data": row}
        raise ApiError(404, "Validator not found")

    base = "/eth/v1/beacon/states/{state}"
    return {
        f"{base}/root": root,
        f"{base}/finality_checkpoints": checkpoints,
        f"{base}/validators": validators,
        f"{base}/validators/{{validator}}": validator,
    }


def _node(view: ChainView) -> dict[str, Answer]:
    def syncing(_: web.Request) -> Any:
        head = int(view.head().header.slot)
        return {
            "data": {
                "head_slot": str(head),
                "sync_distance": str(max(0, view.slot() - head)),
                "is_syncing": False,
                "is_optimistic": False,
                "el_offline": False,
            }
        }

    def spec(_: web.Request) -> Any:
        return {"data": forms.spec_of(view.config)}

    return {
        "/eth/v1/node/health": lambda _: {},
        "/eth/v1/node/version": lambda _: {"data": {"version": CLIENT}},
        "/eth/v1/node/syncing": syncing,
        "/eth/v1/config/spec": spec,
    }


def block_at(view: ChainView, name: str) -> BlockView:
    """Return the block of ``head``, ``genesis``, ``finalized``, ``justified``, a slot or a root. Raises ApiError."""
    block: BlockView | None
    if name == "head":
        block = view.head()
    elif name == "genesis":
        block = view.by_slot(0)
    elif name in ("finalized", "justified"):
        points = view.finality(view.head().root)
        point = points.finalized if name == "finalized" else points.current_justified
        block = view.by_root(point.root) or view.by_slot(0)
    elif _ROOT.fullmatch(name):
        block = view.by_root(bytes.fromhex(name[2:]))
    else:
        block = view.by_slot(_slot(name, "block ID"))
    if block is None:
        raise ApiError(404, "Block not found")
    return block


def state_at(view: ChainView, name: str) -> BlockView:
    """Return the block whose state is asked for: as :func:`block_at`, but a root is that of the state."""
    if not _ROOT.fullmatch(name):
        try:
            return block_at(view, name)
        except ApiError as error:
            message = "State not found" if error.status == 404 else error.message.replace("block ID", "state ID")
            raise ApiError(error.status, message) from error
    block = view.by_state(_root(name, "state ID"))
    if block is None:
        raise ApiError(404, "State not found")
    return block


def _root(text: str, what: str) -> bytes:
    if not _ROOT.fullmatch(text):
        raise ApiError(400, f"Invalid {what}: {text[:80]}")
    return bytes.fromhex(text[2:])


def _slot(text: str, what: str = "slot") -> int:
    if not _NUMBER.fullmatch(text) or int(text) >= 1 << 64:
        raise ApiError(400, f"Invalid {what}: {text[:80]}")
    return int(text)


def _identity(text: str) -> str:
    """Return a validator's index or public key in the form that rows have it."""
    if _PUBKEY.fullmatch(text):
        return text.lower()
    return str(_slot(text, "validator ID"))


def _list(request: web.Request, name: str) -> list[str]:
    """Return a query's values, given several times or with commas between."""
    found = [one for given in request.query.getall(name, []) for one in given.split(",") if one]
    if len(found) > MAX_IDS:
        raise ApiError(400, f"Too many values of {name}: at most {MAX_IDS}")
    return found
