"""A node with as many mined transactions as one asks for, in a process of its own: Anvil takes minutes to make 50,000.

It answers what the console asks of a devnet, and mines one more block on ``test_mine``. Prints its port.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOTAL, A_BLOCK, GAS = int(sys.argv[1]), int(sys.argv[2]), 21_000
STAKE = "0x3a4b66f1"  # StakeVault.stake()
head = [TOTAL // A_BLOCK]


def word(number: int, width: int = 64) -> str:
    return f"0x{number:0{width}x}"


@cache
def block(number: int) -> dict[str, Any]:
    many = A_BLOCK if 0 < number <= TOTAL // A_BLOCK else int(number > 0)
    hashes = [(number - 1) * A_BLOCK + at + 1 for at in range(many)]
    return {
        "number": hex(number), "hash": word(number + 2**250), "timestamp": hex(1_700_000_000 + number),
        "gasUsed": hex(GAS * many), "gasLimit": hex(30_000_000), "baseFeePerGas": "0x7",
        "transactions": [
            {
                "hash": word(item), "blockNumber": hex(number), "from": word(item % 10 + 1, 40),
                "to": word(item % 7 + 100, 40), "value": hex(item * 10**12), "input": STAKE if item % 3 else "0x",
            }
            for item in hashes
        ],
    }  # fmt: skip


def receipts(number: int) -> list[dict[str, Any]]:
    made = block(number)["transactions"]
    return [
        {
            "transactionHash": tx["hash"], "blockNumber": tx["blockNumber"], "gasUsed": hex(GAS), "status": "0x1",
            "contractAddress": None, "logs": [], "blockHash": block(number)["hash"],
        }
        for tx in made
    ]  # fmt: skip


def answer(method: str, params: list[Any]) -> Any:
    if method == "test_mine":
        head[0] += 1
    simple = {
        "eth_blockNumber": hex(head[0]), "eth_chainId": hex(31337), "web3_clientVersion": "anvil/test",
        "anvil_getAutomine": True, "anvil_getIntervalMining": None, "eth_getBalance": hex(10**22), "eth_getCode": "0x",
        "test_mine": hex(head[0]),
    }  # fmt: skip
    if method in simple:
        return simple[method]
    if method == "eth_getBlockByNumber":
        number = head[0] if params[0] in ("latest", "pending") else int(params[0], 16)
        found = block(number)
        return found if params[1] else {**found, "transactions": [tx["hash"] for tx in found["transactions"]]}
    return receipts(int(params[0], 16)) if method == "eth_getBlockReceipts" else None


class Node(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        many = asked if isinstance(asked, list) else [asked]
        told = [{"jsonrpc": "2.0", "id": one["id"], "result": answer(one["method"], one["params"])} for one in many]
        body = json.dumps(told if isinstance(asked, list) else told[0]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Node)
print(server.server_address[1], flush=True)
server.serve_forever()
