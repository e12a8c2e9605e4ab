"""Equilibria of finite games that the engine finds, checked by the contract on a real Anvil, to the last digit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from engine.chain.abi import ContractAbi
from engine.chain.anvil import Devnet
from engine.chain.artifacts import load_artifact
from engine.chain.errors import ContractRevertError
from engine.chain.rpc import Rpc
from engine.core.bus import EventBus
from engine.games.games import BimatrixGame
from engine.games.solve import solve

pytestmark = pytest.mark.chain
ONE = 1 << 32


def fixed(strategy: np.ndarray) -> list[int]:
    """Probabilities as whole numbers that sum to exactly ONE; what rounding takes goes to the likeliest action."""
    whole = [int(p * ONE) for p in strategy.tolist()]
    whole[int(np.argmax(strategy))] += ONE - sum(whole)
    return whole


def gaps(game: BimatrixGame, p: list[int], q: list[int]) -> tuple[int, int]:
    """Both players' gaps times 2^64, in fractions."""
    x, y = [Fraction(value, ONE) for value in p], [Fraction(value, ONE) for value in q]
    a, b = game.a.astype(int).tolist(), game.b.astype(int).tolist()
    rows = [sum(v * w for v, w in zip(row, y, strict=True)) for row in a]
    columns = [sum(v * w for v, w in zip(column, x, strict=True)) for column in zip(*b, strict=True)]
    row_gap = max(rows) - sum(v * w for v, w in zip(rows, x, strict=True))
    column_gap = max(columns) - sum(v * w for v, w in zip(columns, y, strict=True))
    return int(row_gap * ONE * ONE), int(column_gap * ONE * ONE)


async def test_the_contract_and_the_engine_agree_on_gaps(tmp_path: Path) -> None:
    artifact = load_artifact("GameCertificates")
    abi, rng = ContractAbi(artifact), np.random.default_rng(11)
    devnet = Devnet(tmp_path, EventBus())
    try:
        rpc = Rpc((await devnet.up()).url)
        try:
            sender = (await rpc.request("eth_accounts"))[0]
            made = {"from": sender, "data": "0x" + artifact.bytecode.hex()}
            digest = await rpc.request("eth_sendTransaction", made)
            await rpc.request("evm_mine")
            address = (await rpc.request("eth_getTransactionReceipt", digest))["contractAddress"]
            for shape in ((2, 2), (3, 4), (5, 5), (8, 3)):
                a, b = rng.integers(-1000, 1000, size=(2, *shape))
                game = BimatrixGame(a, b)
                found = solve(game).equilibria[0].profile
                p, q = fixed(found[0]), fixed(found[1])
                arguments = (a.ravel().tolist(), b.ravel().tolist(), p, q)
                answer = abi.decode_result("gapsOf", await rpc.call(address, abi.encode_call("gapsOf", *arguments)))
                assert answer == gaps(game, p, q)
                # What rounding to 2^-32 leaves of an equilibrium: payoffs of up to 1000, a step for every action.
                assert max(answer) <= 2_000 * sum(shape) * ONE
                pure = [ONE] + [0] * (shape[0] - 1)
                arguments = (*arguments[:2], pure, q)
                answer = abi.decode_result("gapsOf", await rpc.call(address, abi.encode_call("gapsOf", *arguments)))
                assert answer == gaps(game, pure, q)
                with pytest.raises(ContractRevertError):
                    await rpc.call(address, abi.encode_call("gapsOf", *arguments[:2], [ONE - 1, *pure[1:]], q))
        finally:
            await rpc.close()
    finally:
        await devnet.down()
        await devnet.close()
