"""The beacon interface: its forms, what it finds, and how it says that it finds nothing."""

from __future__ import annotations

import pytest

from engine.learning.crypto import bls
from engine.learning.crypto.keys import validator_keys
from engine.learning.services.beacon_forms import status_of
from engine.learning.services.view import FAR_FUTURE, ValidatorView
from engine.learning.types import DOMAIN_PROPOSER, BeaconBlockHeader, root_of, signing_root
from tests.engine.learning.services.small_chain import Chain

BEACON = "/eth/v1/beacon"


def header_of(form: dict[str, str]) -> BeaconBlockHeader:
    return BeaconBlockHeader(
        slot=int(form["slot"]),
        proposer_index=int(form["proposer_index"]),
        **{name: bytes.fromhex(form[name][2:]) for name in ("parent_root", "state_root", "body_root")},
    )


async def test_headers_are_the_chain_and_carry_their_proposers_signature(long_chain, serving) -> None:
    async with serving(long_chain) as client:
        status, answer = await client.get("beacon", f"{BEACON}/headers/head")
        assert status == 200
        for slot in range(40, 0, -1):
            form = answer["data"]["header"]
            header = header_of(form["message"])
            assert int(header.slot) == slot
            assert answer["data"]["root"] == "0x" + root_of(header).hex()
            key = validator_keys(long_chain.config.genesis_seed, int(header.proposer_index)).pubkey
            root = signing_root(root_of(header), DOMAIN_PROPOSER, long_chain.config.chain_id)
            assert bls.verify(key, root, bytes.fromhex(form["signature"][2:]))
            assert answer["finalized"] is (slot <= 24)
            _, answer = await client.get("beacon", f"{BEACON}/headers/{form['message']['parent_root']}")
        assert answer["data"]["header"]["message"]["slot"] == "0"
        assert (await client.get("beacon", f"{BEACON}/headers/genesis"))[1] == answer
        assert (await client.get("beacon", f"{BEACON}/headers/0"))[1] == answer


async def test_finality_is_told_of_every_state(long_chain, serving) -> None:
    async with serving(long_chain) as client:
        _, head = await client.get("beacon", f"{BEACON}/states/head/finality_checkpoints")
        data = head["data"]
        epochs = [int(data[name]["epoch"]) for name in ("previous_justified", "current_justified", "finalized")]
        assert epochs == [3, 4, 3]
        assert list(data) == ["previous_justified", "current_justified", "finalized"]
        _, final = await client.get("beacon", f"{BEACON}/headers/finalized")
        assert final["data"]["root"] == data["finalized"]["root"]
        assert final["data"]["header"]["message"]["slot"] == "24"
        _, justified = await client.get("beacon", f"{BEACON}/blocks/justified/root")
        assert justified["data"]["root"] == data["current_justified"]["root"]
        _, header = await client.get("beacon", f"{BEACON}/headers/12")
        root = header["data"]["header"]["message"]["state_root"]
        for state in ("12", root):
            _, then = await client.get("beacon", f"{BEACON}/states/{state}/finality_checkpoints")
            assert then["data"]["finalized"] == {"epoch": "0", "root": "0x" + "00" * 32}
            assert (await client.get("beacon", f"{BEACON}/states/{state}/root"))[1]["data"]["root"] == root


async def test_validators_are_found_by_index_key_and_status(long_chain, serving) -> None:
    keys = [validator_keys(long_chain.config.genesis_seed, index) for index in range(8)]
    async with serving(long_chain) as client:
        _, answer = await client.get("beacon", f"{BEACON}/states/head/validators")
        rows = answer["data"]
        assert [row["validator"]["pubkey"] for row in rows] == ["0x" + key.pubkey.hex() for key in keys]
        assert {row["status"] for row in rows} == {"active_ongoing"}
        assert {row["balance"] for row in rows} == {"32000000000"}
        assert {row["validator"]["exit_epoch"] for row in rows} == {str(FAR_FUTURE)}
        assert rows[2]["validator"]["withdrawal_credentials"] == "0x" + keys[2].node_public.hex()
        _, some = await client.get(
            "beacon", f"{BEACON}/states/head/validators?id=3,0x{keys[1].pubkey.hex().upper()}&id=99"
        )
        assert [row["index"] for row in some["data"]] == ["1", "3"]
        _, none = await client.get("beacon", f"{BEACON}/states/head/validators?status=exited_slashed")
        assert none["data"] == []
        _, all_active = await client.get("beacon", f"{BEACON}/states/head/validators?status=active")
        assert len(all_active["data"]) == 8
        _, one = await client.get("beacon", f"{BEACON}/states/head/validators/0x{keys[3].pubkey.hex()}")
        assert one["data"] == rows[3]


async def test_the_node_says_what_it_is_and_how_far(serving) -> None:
    chain = Chain()
    chain.extend(10)
    async with serving(chain) as client:
        assert (await client.get("beacon", "/eth/v1/node/health")) == (200, {})
        _, version = await client.get("beacon", "/eth/v1/node/version")
        assert version["data"]["version"].startswith("nashboard/v")
        chain.slot += 2  # two slots without a block
        _, syncing = await client.get("beacon", "/eth/v1/node/syncing")
        assert syncing["data"] == {
            "head_slot": "10",
            "sync_distance": "2",
            "is_syncing": False,
            "is_optimistic": False,
            "el_offline": False,
        }
        _, genesis = await client.get("beacon", f"{BEACON}/genesis")
        assert genesis["data"] == {
            "genesis_time": "0",
            "genesis_validators_root": "0x" + chain.view.genesis_root.hex(),
            "genesis_fork_version": "0x00000000",
        }
        _, spec = await client.get("beacon", "/eth/v1/config/spec")
        assert (spec["data"]["SECONDS_PER_SLOT"], spec["data"]["SLOTS_PER_EPOCH"]) == ("12", "8")


async def test_headers_can_be_asked_for_by_slot_and_parent(chain, serving) -> None:
    async with serving(chain) as client:
        _, head = await client.get("beacon", f"{BEACON}/headers")
        assert [row["header"]["message"]["slot"] for row in head["data"]] == ["10"]
        parent = head["data"][0]["header"]["message"]["parent_root"]
        for query, slots in {
            "slot=4": ["4"],
            "slot=11": [],
            f"parent_root={parent}": ["10"],
            f"slot=4&parent_root={parent}": [],
            f"slot=10&parent_root={parent}": ["10"],
            f"parent_root=0x{chain.tree.root.hex()}": ["1"],
            f"parent_root=0x{'ab' * 32}": [],
        }.items():
            status, answer = await client.get("beacon", f"{BEACON}/headers?{query}")
            assert status == 200
            assert [row["header"]["message"]["slot"] for row in answer["data"]] == slots, query


async def test_a_block_beside_the_chain_is_known_and_not_canonical(serving) -> None:
    chain = Chain()
    chain.extend(4)
    first = chain.choice.head()
    second = chain.fork()
    chain.extend(2)
    side = second if chain.tree.is_ancestor(first, chain.choice.head()) else first
    hashed = chain.tree.state(side).execution_hash
    async with serving(chain) as client:
        parent = "0x" + chain.tree.parent(side).hex()
        _, both = await client.get("beacon", f"{BEACON}/headers?parent_root={parent}")
        assert {row["root"] for row in both["data"]} == {"0x" + first.hex(), "0x" + second.hex()}
        assert {row["root"]: row["canonical"] for row in both["data"]}["0x" + side.hex()] is False
        _, alone = await client.get("beacon", f"{BEACON}/headers/0x{side.hex()}")
        assert alone["data"]["canonical"] is False
        _, chosen = await client.get("beacon", f"{BEACON}/headers/4")
        assert chosen["data"]["root"] != "0x" + side.hex()
        # Both hold the same block of proof of work: by its hash the one on the chain is meant.
        block = await client.call("eth", "eth_getBlockByHash", "0x" + hashed.hex(), False)
        assert block["beaconRoot"] == chosen["data"]["root"]
        assert block == await client.call("eth", "eth_getBlockByNumber", "0x4", False)
        state = (await client.get("beacon", f"{BEACON}/states/0x{chain.tree.state(side).root.hex()}/root"))[1]
        assert state == {"code": 404, "message": "State not found"}  # states are those of the chain


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"{BEACON}/headers/11", 404, "Block not found"),
        (f"{BEACON}/headers/0x{'ab' * 32}", 404, "Block not found"),
        (f"{BEACON}/headers/0x12", 400, "Invalid block ID: 0x12"),
        (f"{BEACON}/headers/-1", 400, "Invalid block ID: -1"),
        (f"{BEACON}/headers/01", 400, "Invalid block ID: 01"),
        (f"{BEACON}/headers/99999999999999999999", 400, "Invalid block ID"),
        (f"{BEACON}/headers/%E2%82%AC%0A", 400, "Invalid block ID"),
        (f"{BEACON}/headers/tail", 400, "Invalid block ID: tail"),
        (f"{BEACON}/headers?slot=x", 400, "Invalid slot: x"),
        (f"{BEACON}/headers?parent_root=0x12", 400, "Invalid parent root: 0x12"),
        (f"{BEACON}/states/tail/finality_checkpoints", 400, "Invalid state ID: tail"),
        (f"{BEACON}/states/0x{'ab' * 32}/validators", 404, "State not found"),
        (f"{BEACON}/states/77/root", 404, "State not found"),
        (f"{BEACON}/states/head/validators?id=zero", 400, "Invalid validator ID: zero"),
        (f"{BEACON}/states/head/validators?id={','.join(['1'] * 1025)}", 400, "Too many values of id"),
        (f"{BEACON}/states/head/validators/9", 404, "Validator not found"),
        ("/eth/v9/nothing", 404, "Not Found"),
        ("/", 404, "Not Found"),
    ],
)
async def test_errors_have_the_form_of_the_beacon_api(chain, serving, path: str, status: int, message: str) -> None:
    async with serving(chain) as client:
        found, answer = await client.get("beacon", path)
    assert found == status
    assert answer["code"] == status
    assert answer["message"].startswith(message)
    assert set(answer) == {"code", "message"}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "active_ongoing"),
        ({"activation_epoch": 9, "eligibility_epoch": 3}, "pending_queued"),
        ({"activation_epoch": 9, "eligibility_epoch": FAR_FUTURE}, "pending_initialized"),
        ({"exit_epoch": 9}, "active_exiting"),
        ({"exit_epoch": 9, "slashed": True}, "active_slashed"),
        ({"exit_epoch": 5}, "exited_unslashed"),
        ({"exit_epoch": 4, "slashed": True}, "exited_slashed"),
        ({"exit_epoch": 2, "withdrawable_epoch": 5}, "withdrawal_possible"),
        ({"exit_epoch": 2, "withdrawable_epoch": 5, "balance": 0}, "withdrawal_done"),
    ],
)
def test_a_status_follows_from_the_epochs(change: dict[str, int | bool], status: str) -> None:
    fields = {
        "index": 0,
        "pubkey": bytes(48),
        "node_key": bytes(32),
        "balance": 32,
        "effective_balance": 32,
        "slashed": False,
        "eligibility_epoch": 0,
        "activation_epoch": 0,
        "exit_epoch": FAR_FUTURE,
        "withdrawable_epoch": FAR_FUTURE,
    }
    assert status_of(ValidatorView(**(fields | change)), 5) == status
