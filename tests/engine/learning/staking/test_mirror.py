"""Stakes on a real node: who staked, what is final, who was slashed, and what a kill or a lost block leaves of it."""

from __future__ import annotations

import pytest

from engine.chain.errors import ContractRevertError
from engine.chain.learning import SLASHED, STAKE, STAKED, WITHDRAWN
from engine.chain.rpc import hex_data
from engine.chain.session import Chain
from engine.learning.beacon.messages import deposit_root
from engine.learning.crypto import bls
from engine.learning.crypto.keys import validator_keys
from engine.learning.results import OFFENCES
from engine.learning.staking.accounts import FIRST_ACCOUNT, account_of, number_of
from engine.learning.staking.desk import Desk, StakingError, Step
from engine.learning.staking.mirror import Mark
from engine.learning.staking.proof import stake_keys
from engine.learning.types import DOMAIN_DEPOSIT, signing_root

pytestmark = pytest.mark.chain

ONE, TWO, EVIDENCE = (bytes([n]) * 32 for n in (1, 2, 3))
SEED = "0123456789abcdef" * 4


def mark(slot: int, root: bytes = ONE) -> Mark:
    return Mark(slot, root, TWO, TWO)


async def test_a_run_opens_its_chain_and_stakes_for_the_genesis_once(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        mirror = mirror_of(chain, parts)
        await mirror.open()
        state = await chain.learning.chain_of(mirror.name)
        assert (state.deposits, state.size, state.era, state.genesis_validators) == (4, 4, 0, 4)
        assert (await chain.learning.totals())[0] == 4 * STAKE
        staker = await chain.learning.validator_of(mirror.name, 2)
        assert (staker.account, staker.status, staker.stake) == (parts.wallet.address(account_of(2)), STAKED, STAKE)
        assert number_of(parts.store.db, staker.account) == FIRST_ACCOUNT + 2
        rows = len(parts.store.outbox.recent(chain.book))
        await mirror_of(chain, parts).open()  # as after a kill
        assert len(parts.store.outbox.recent(chain.book)) == rows
        assert (await chain.learning.totals())[0] == 4 * STAKE
        assert await mirror.deposits() == ()


async def test_who_joins_stakes_by_itself_and_is_read_as_a_deposit(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        mirror = mirror_of(chain, parts)
        await mirror.open()
        for number in (4, 5):
            assert await mirror.deposit_for(validator_keys(SEED, number)) == number
        assert await mirror.deposit_for(validator_keys(SEED, 4)) == 4  # once is enough
        found = await mirror.deposits()
        assert [int(deposit.index) for deposit in found] == [0, 1]
        keys = validator_keys(SEED, 4)
        deposit = found[0]
        assert (bytes(deposit.pubkey), bytes(deposit.node_key)) == (keys.pubkey, keys.node_public)
        assert int(deposit.amount) == 32 * 10**9
        for number, joined in zip((4, 5), found, strict=True):
            root = signing_root(deposit_root(joined), DOMAIN_DEPOSIT, 1337)
            assert bls.verify(validator_keys(SEED, number).pubkey, root, bytes(joined.signature))
        assert await mirror.deposits(since=1) == found[1:]
        staker = await chain.learning.validator_of(mirror.name, 5)
        assert staker.account == parts.wallet.address(account_of(5)) and staker.first_era == 2
        assert await chain.token.balance_of(staker.account) == 0


async def test_checkpoints_become_final_by_more_than_two_thirds(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        mirror = mirror_of(chain, parts)
        await mirror.open()
        head = await mirror.propose(mark(7))
        assert head.startswith("0x") and await mirror.propose(mark(7)) == head
        final = await mirror.checkpoint(mark(7))
        state = await chain.learning.chain_of(mirror.name)
        assert (state.head_slot, state.final_slot, state.era) == (7, 7, 0)
        assert await mirror.checkpoint(mark(7)) == final
        later = await mirror.checkpoint(mark(8))
        assert later not in ("", final)
        state = await chain.learning.chain_of(mirror.name)
        assert (state.final_slot, state.era) == (8, 1)
        assert await mirror.checkpoint(mark(3)) == ""  # behind what is final
        receipt = await chain.rpc.request("eth_getTransactionReceipt", later)
        (event,) = [event for log in receipt["logs"] if (event := decoded(chain, log)).name == "Finalized"]
        assert (event.arguments["signers"], event.arguments["size"]) == (3, 4)
        assert event.arguments["root"] == hex_data(ONE)


async def test_another_block_of_a_slot_cannot_be_finalised(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        mirror = mirror_of(chain, parts)
        await mirror.open()
        await mirror.propose(mark(7))
        with pytest.raises(StakingError, match="another block"):
            await mirror.finalize(mark(7, root=TWO))
        assert (await chain.learning.chain_of(mirror.name)).final_slot == 0
        await mirror.finalize(mark(7))
        assert (await chain.learning.chain_of(mirror.name)).final_slot == 7


async def test_a_slashing_is_mirrored_once(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        mirror = mirror_of(chain, parts)
        await mirror.open()
        tx = await mirror.slashed(2, "surround_vote", EVIDENCE)
        staker = await chain.learning.validator_of(mirror.name, 2)
        assert staker.status == SLASHED and 0 < staker.stake < STAKE
        assert await mirror.slashed(2, "double_vote", EVIDENCE) == tx  # once a validator
        receipt = await chain.rpc.request("eth_getTransactionReceipt", tx)
        (event,) = [event for log in receipt["logs"] if (event := decoded(chain, log)).name == "ValidatorSlashed"]
        assert list(OFFENCES)[event.arguments["offence"]] == "surround_vote"
        assert event.arguments["evidence"] == hex_data(EVIDENCE)
        share = event.arguments["reporterShare"]
        assert await chain.learning.credit_of(chain.operator) == share == event.arguments["slashed"] // 2
        # Three are left: all of them must sign, and they can.
        await mirror.checkpoint(mark(1))
        with pytest.raises(StakingError, match=r"3 of 3 .* have to sign, 2 can"):
            await mirror.slashed(1, "double_vote", EVIDENCE)
        assert (await chain.learning.validator_of(mirror.name, 1)).status == STAKED


async def test_a_slashing_finds_its_validator_by_its_key(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        mirror = mirror_of(chain, parts)
        await mirror.open()
        keys = validator_keys(SEED, 9)
        assert await mirror.deposit_for(keys) == 4
        await mirror.slashed(77, "uncertified_update", EVIDENCE, pubkey=keys.pubkey)
        assert (await chain.learning.validator_of(mirror.name, 4)).status == SLASHED
        with pytest.raises(StakingError, match="no such key"):
            await mirror.slashed(77, "double_vote", EVIDENCE, pubkey=validator_keys(SEED, 10).pubkey)


async def test_runs_on_one_devnet_share_nothing(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        first, second = mirror_of(chain, parts, 1), mirror_of(chain, parts, 2)
        await first.open()
        await first.checkpoint(mark(20))
        await first.slashed(3, "double_vote", EVIDENCE)
        await second.open()  # the same seed, so the same keys
        state = await chain.learning.chain_of(second.name)
        assert (state.size, state.head_slot) == (4, 0)
        await second.checkpoint(mark(5))
        await second.slashed(3, "double_vote", EVIDENCE)
        assert (await chain.learning.totals())[0] < 8 * STAKE


async def test_who_leaves_gets_its_stake_back(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        mirror = mirror_of(chain, parts)
        await mirror.open()
        tx = await mirror.exit(3)
        assert await mirror.exit(3) == tx
        with pytest.raises(StakingError, match="StillLocked"):
            await mirror.withdraw(3)
        for slot in (8, 16):
            await mirror.checkpoint(mark(slot))
        assert not await chain.learning.in_set(mirror.name, 3)
        await chain.control.warp_to(await chain.learning.withdrawable_at(mirror.name, 3) + 1)
        await mirror.withdraw(3)
        staker = await chain.learning.validator_of(mirror.name, 3)
        assert staker.status == WITHDRAWN and await chain.token.balance_of(staker.account) == STAKE


async def test_blocks_that_are_lost_take_nothing_with_them(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        mirror = mirror_of(chain, parts)
        await mirror.open()
        await mirror.deposit_for(validator_keys(SEED, 4))
        before = await chain.block_number()
        await mirror.deposit_for(validator_keys(SEED, 5))
        await mirror.checkpoint(mark(4))
        await mirror.slashed(1, "double_vote", EVIDENCE)
        depth = await chain.block_number() - before
        await chain.rpc.request("anvil_reorg", depth, [])
        assert len(await mirror.deposits()) == 1  # what the chain says now
        assert (await chain.learning.chain_of(mirror.name)).final_slot == 0
        await chain.drain()
        assert [bytes(deposit.pubkey) for deposit in await mirror.deposits()] == [
            validator_keys(SEED, number).pubkey for number in (4, 5)
        ]
        # Sent again, accounts may come in another order, and a proposal then be refused: the next step builds it anew.
        await mirror.checkpoint(mark(4))
        assert (await chain.learning.chain_of(mirror.name)).final_slot == 4
        assert (await chain.learning.validator_of(mirror.name, 1)).status == SLASHED
        assert (await chain.learning.totals())[0] == 6 * STAKE - 16 * 10**18


async def test_what_the_contract_refuses_is_told_and_can_be_tried_again(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        mirror = mirror_of(chain, parts)
        await mirror.open()
        desk = Desk(chain, parts.store, "test")
        keys = stake_keys(validator_keys(SEED, 1), 1337)
        account = parts.wallet.address(account_of(1))
        again = Step(account, chain.learning.deposit(mirror.name, keys), "stake again")
        desk.write({"again": again})
        with pytest.raises(StakingError, match="DuplicatePubkey") as refused:
            await desk.settle(["again"])
        assert "stake again" in str(refused.value)
        poor = Step(account, chain.learning.deposit(mirror.name, stake_keys(validator_keys(SEED, 8), 1337)), "stake")
        desk.write({"poor": poor})
        with pytest.raises(StakingError, match="ERC20Insufficient"):
            await desk.settle(["poor"])
        fund = Step(chain.operator, chain.token.drip(account, STAKE), "fund")
        allow = Step(account, chain.token.approve(chain.learning.address, STAKE), "allow")
        desk.write({"fund": fund, "allow": allow, "poor": poor})
        await desk.settle(["fund", "allow", "poor"])
        assert (await chain.learning.chain_of(mirror.name)).deposits == 5
        assert desk.row("nothing") is None


async def test_amounts_other_than_the_stake_cannot_be_deposited(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        mirror = mirror_of(chain, parts)
        await mirror.open()
        desk = Desk(chain, parts.store, "test")
        account = parts.wallet.address(account_of(4))
        await mirror.deposit_for(validator_keys(SEED, 4))
        short = Step(chain.operator, chain.token.drip(account, STAKE - 1), "fund")
        desk.write({"short": short})
        await desk.settle(["short"])
        call = chain.learning.deposit(mirror.name, stake_keys(validator_keys(SEED, 5), 1337))
        with pytest.raises(ContractRevertError, match="ERC20InsufficientBalance"):
            await chain.rpc.request("eth_call", {"from": account, "to": call.to, "data": hex_data(call.data)}, "latest")
        held = await chain.token.balance_of(account)
        desk.write({"more": Step(chain.operator, chain.token.drip(account, 100 * STAKE), "fund")})
        desk.write({"deposit": Step(account, call, "stake")})
        await desk.settle(["more", "deposit"])
        assert await chain.token.balance_of(account) == held + 99 * STAKE


async def test_without_a_staking_contract_it_says_so(tmp_path, staking_at, mirror_of):
    async with staking_at(tmp_path) as (_, chain, parts):
        named = await Chain.connect(chain.url, parts_of(parts, tmp_path), consensus_at=chain.consensus.address)
        with pytest.raises(StakingError, match="no staking contract"):
            await mirror_of(named, parts).open()
        await named.close()


def parts_of(parts, tmp_path):
    from engine.chain.session import Parts
    from engine.store.database import Store

    return Parts(Store.open(tmp_path / "other.db"), parts.bus, parts.wallet, parts.number_of)


def decoded(chain, log):
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    found = chain.learning.abi.decode_log(topics, bytes.fromhex(log["data"][2:]))
    assert found is not None
    return found
