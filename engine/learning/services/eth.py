"""Ethereum's JSON-RPC as far as this chain has it: blocks of proof of work, without accounts or transactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.learning.services.hexes import data_of, quantity_of, read_data, read_quantity
from engine.learning.services.jsonrpc import Method
from engine.learning.services.version import CLIENT
from engine.learning.services.view import BlockView, ChainView

TAGS = ("latest", "pending", "safe", "finalized", "earliest")
# Hashes of what every block here has none of: uncles and transactions. Source: the Ethereum yellow paper.
NO_UNCLES = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
NO_TRANSACTIONS = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"


def methods_of(view: ChainView) -> Mapping[str, Method]:
    """Return the methods by their names."""

    def block_number() -> str:
        return quantity_of(_number(view.head()))

    def by_number(block: Any, full: Any = False) -> Any:
        _flag(full)
        return _form(view, block_at(view, block))

    def by_hash(block_hash: Any, full: Any = False) -> Any:
        _flag(full)
        return _form(view, view.by_hash(read_data(block_hash, "the block hash", 32)))

    return {
        "eth_blockNumber": block_number,
        "eth_chainId": lambda: quantity_of(view.config.chain_id),
        "eth_getBlockByNumber": by_number,
        "eth_getBlockByHash": by_hash,
        "eth_syncing": lambda: False,
        "net_version": lambda: str(view.config.chain_id),
        "net_listening": lambda: True,
        "web3_clientVersion": lambda: CLIENT,
    }


def block_at(view: ChainView, block: Any) -> BlockView | None:
    """Return the block of a tag or a number; None where there is none. Raises ValueError for neither."""
    if block in ("latest", "pending"):
        return view.head()
    if block == "earliest":
        return view.by_number(0)
    if block in ("safe", "finalized"):
        points = view.finality(view.head().root)
        point = points.finalized if block == "finalized" else points.current_justified
        return view.by_root(point.root) or view.by_number(0)
    if isinstance(block, str) and block.startswith("0x"):
        return view.by_number(read_quantity(block, "the block number"))
    raise ValueError(f"a block is a quantity or one of {', '.join(TAGS)}")


def _flag(full: Any) -> None:
    if not isinstance(full, bool):
        raise ValueError("the second parameter is true or false")


def _number(block: BlockView) -> int:
    return int(block.execution.number)


def _form(view: ChainView, block: BlockView | None) -> dict[str, Any] | None:
    """Return a block's JSON form; the last fields are this chain's own. ``stateRoot`` is the model's root."""
    if block is None:
        return None
    header = block.execution
    work = 1 << int(header.difficulty_bits)
    return {
        "number": quantity_of(int(header.number)),
        "hash": data_of(block.execution_hash),
        "parentHash": data_of(header.parent_hash),
        "nonce": data_of(int(header.nonce).to_bytes(8, "big")),
        "mixHash": data_of(bytes(32)),
        "sha3Uncles": NO_UNCLES,
        "logsBloom": data_of(bytes(256)),
        "transactionsRoot": NO_TRANSACTIONS,
        "stateRoot": data_of(header.model_root),
        "receiptsRoot": NO_TRANSACTIONS,
        "miner": data_of(int(header.proposer_index).to_bytes(20, "big")),
        "difficulty": quantity_of(work),
        "totalDifficulty": quantity_of(int(header.number) << view.config.pow_bits),
        "extraData": data_of(header.extra_data),
        "size": quantity_of(block.size),
        "gasLimit": "0x0",
        "gasUsed": "0x0",
        "timestamp": quantity_of(int(header.timestamp)),
        "transactions": [],
        "uncles": [],
        "slot": quantity_of(block.slot),
        "proposerIndex": quantity_of(int(header.proposer_index)),
        "beaconRoot": data_of(block.root),
        "updateId": data_of(bytes(header.extra_data)[32:]),
    }
