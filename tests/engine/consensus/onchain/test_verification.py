"""Verifying believes nobody: not the record, not the announcement, not the contract alone."""

import json

import pytest

from engine.core.errors import UsageError, VerificationError

pytestmark = pytest.mark.chain


def tamper(runtime, table, column, value, where="1"):
    with runtime.store.transaction() as db:
        db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value,))


def failing(found):
    return {check.name for check in found.checks if not check.ok}


async def test_a_round_on_chain(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path) as runtime:
        verify = runtime.consensus.verify
        result = await (await runtime.consensus.start(spec_of())).result()
        digits = result.task_hash.hex()
        for text in (digits, "0x" + digits, digits[:10], f" 0x{digits.upper()} "):
            found = await verify(text)
            assert found.ok, found.checks
            assert found.task_hash == "0x" + digits
            assert found.equilibrium_local == found.equilibrium_chain == tuple(result.on_chain.equilibrium.tolist())
        assert json.loads(json.dumps(found.to_json()))["ok"]

        row = runtime.store.db.execute(
            "SELECT document, result, packed FROM consensus_rounds JOIN consensus_signatures"
        )
        document, kept, packed = row.fetchone()
        cases = [
            ("consensus_rounds", "document", document.replace("split", "spilt"), "task"),
            ("consensus_rounds", "config", json.dumps({"coupling": 0.5}), "settings"),
            ("consensus_rounds", "result", kept.replace("0.2", "0.3"), "record"),
            ("consensus_rounds", "result", "{}", "record"),
            ("consensus_signatures", "packed", bytes([packed[0] ^ 1]) + packed[1:], "signatures"),
            ("consensus_signatures", "confidence", 5, "signatures"),
        ]
        for table, column, value, name in cases:
            where = "1" if table == "consensus_rounds" else "name = 'ann'"
            old = runtime.store.db.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()[0]
            tamper(runtime, table, column, value, where)
            assert failing(await verify(digits)) == {name}, (table, column)
            tamper(runtime, table, column, old, where)
        assert (await verify(digits)).ok

        with runtime.store.transaction() as db:  # the chain alone is enough
            for table in ("consensus_signatures", "consensus_hashes", "consensus_rounds"):
                db.execute(f"DELETE FROM {table}")
        found = await verify(digits)
        assert found.ok
        assert found.equilibrium_local == tuple(result.on_chain.equilibrium.tolist())


async def test_a_contract_that_lies(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path) as runtime:
        chain = await runtime.chain()
        result = await (await runtime.consensus.start(spec_of())).result()
        verify, digits = runtime.consensus.verify, result.task_hash.hex()
        access = await chain.rpc.request(
            "eth_createAccessList",
            {
                "to": chain.consensus.address,
                "data": "0x" + chain.consensus.abi.encode_call("getConsensusResult", result.task_hash).hex(),
            },
        )
        keys = access["accessList"][0]["storageKeys"]
        caught = set()
        for key in keys:
            old = await chain.rpc.request("eth_getStorageAt", chain.consensus.address, key, "latest")
            changed = hex(int(old, 16) ^ 0b100)
            await chain.rpc.request(
                "anvil_setStorageAt", chain.consensus.address, key, "0x" + changed[2:].rjust(64, "0")
            )
            try:
                caught |= failing(await verify(digits))
            except VerificationError:
                caught.add("unknown")
            await chain.rpc.request("anvil_setStorageAt", chain.consensus.address, key, old)
        assert "result" in caught
        assert (await verify(digits)).ok


async def test_unknown_and_malformed_hashes(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path) as runtime:
        verify = runtime.consensus.verify
        for text in ("", "0x", "xyz", "12 34", "f" * 65):
            with pytest.raises(UsageError, match="no task hash"):
                await verify(text)
        with pytest.raises(VerificationError, match="no such round"):
            await verify("abc")
        with pytest.raises(VerificationError, match="does not know this task") as raised:
            await verify("ab" * 32)
        assert raised.value.exit_code == 3
        assert raised.value.to_json()["task_hash"] == "0x" + "ab" * 32
        done = [await (await runtime.consensus.start(spec_of(on_chain=False, title=str(n)))).result() for n in range(2)]
        assert (await verify(done[0].task_hash.hex())).ok


async def test_a_round_off_chain(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path, node=False) as runtime:
        verify = runtime.consensus.verify
        result = await (await runtime.consensus.start(spec_of(on_chain=False))).result()
        digits = result.task_hash.hex()
        found = await verify(digits)
        assert found.ok, found.checks
        assert found.equilibrium_chain is None
        (kept,) = runtime.store.db.execute("SELECT result FROM consensus_rounds").fetchone()
        wrong = json.loads(kept)
        wrong["agents"][0]["ideal"][0] += 0.25
        for value in (json.dumps(wrong), "{}", json.dumps({"agents": [{}]}), json.dumps({"agents": 5})):
            tamper(runtime, "consensus_rounds", "result", value)
            assert "result" in failing(await verify(digits)), value
        tamper(runtime, "consensus_rounds", "result", None)
        assert failing(await verify(digits)) == {"result"}


async def test_a_round_of_a_chain_that_is_not_there(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path) as runtime:
        result = await (await runtime.consensus.start(spec_of())).result()
        await runtime.devnet.down()
        with pytest.raises(VerificationError, match="without its chain"):
            await runtime.consensus.verify(result.task_hash.hex())
