"""Answers for the consensus specification (phase0, minimal), in the environment that has it: JSON in, JSON out.

Each question is a list of cases under its name; hashes are hexadecimal.
"""

import json
import sys
from types import SimpleNamespace

from eth_consensus_specs.phase0 import minimal as spec
from eth_consensus_specs.utils import bls

bls.bls_active = False


def raw(text):
    return bytes.fromhex(text)


def checkpoint(pair):
    return spec.Checkpoint(epoch=pair[0], root=raw(pair[1]))


def plain(check):
    return [int(check.epoch), bytes(check.root).hex()]


def data(case):
    slot, head, source, target = case
    return spec.AttestationData(
        slot=slot, beacon_block_root=raw(head), source=checkpoint(source), target=checkpoint(target)
    )


def shuffle(case):
    count, seed = case
    return [int(index) for index in spec.compute_shuffled_permutation(spec.Uint64(count), spec.Bytes32(raw(seed)))]


def indexed(case):
    index, count, seed = case
    return int(spec.compute_shuffled_index(spec.Uint64(index), spec.Uint64(count), spec.Bytes32(raw(seed))))


def proposer(case):
    indices, balances, seed = case
    state = SimpleNamespace(validators=[SimpleNamespace(effective_balance=balance) for balance in balances])
    return int(spec.compute_proposer_index(state, indices, spec.Bytes32(raw(seed))))


def duties(case):
    """The whole way from a state: the active set, the seeds, the proposer of its slot, its attesters."""
    slot, validators, mixes = case
    state = spec.BeaconState(slot=slot)
    for activation, exit_epoch, balance in validators:
        state.validators.append(
            spec.Validator(activation_epoch=activation, exit_epoch=exit_epoch, effective_balance=balance)
        )
    for number, mix in mixes:
        state.randao_mixes[number] = raw(mix)
    epoch = spec.get_current_epoch(state)
    active = spec.get_active_validator_indices(state, epoch)
    seed = spec.get_seed(state, epoch, spec.DOMAIN_BEACON_ATTESTER)
    index, count = spec.Uint64(slot % spec.SLOTS_PER_EPOCH), spec.SLOTS_PER_EPOCH
    members = spec.compute_committee(active, seed, index, count)
    return [list(map(int, active)), int(spec.get_beacon_proposer_index(state)), list(map(int, members))]


def slashable(case):
    return bool(spec.is_slashable_attestation_data(data(case[0]), data(case[1])))


def finality(case):
    """Epochs in a row: each [previous root, current root, total, previous stake, current stake]."""
    state = spec.BeaconState()
    state.previous_justified_checkpoint, state.current_justified_checkpoint, state.finalized_checkpoint = map(
        checkpoint, case["checks"]
    )
    state.justification_bits = type(state.justification_bits)(*(bool(case["bits"] >> place & 1) for place in range(4)))
    seen = []
    for number, (previous, current, *stakes) in enumerate(case["epochs"], case["first"]):
        slots = spec.SLOTS_PER_EPOCH
        state.slot = (number + 1) * slots - 1
        state.block_roots[(number - 1) * slots % spec.SLOTS_PER_HISTORICAL_ROOT] = raw(previous)
        state.block_roots[number * slots % spec.SLOTS_PER_HISTORICAL_ROOT] = raw(current)
        spec.weigh_justification_and_finalization(state, *map(spec.Gwei, stakes))
        bits = sum(1 << place for place in range(4) if state.justification_bits[place])
        checks = (
            state.previous_justified_checkpoint,
            state.current_justified_checkpoint,
            state.finalized_checkpoint,
        )
        seen.append([bits, *map(plain, checks)])
    return seen


def head(case):
    """A random tree: the head by the specification's fork choice, from its store filled by hand."""
    state = spec.BeaconState(slot=0)
    for balance, slashed in case["validators"]:
        validator = spec.Validator(
            activation_epoch=0, exit_epoch=spec.FAR_FUTURE_EPOCH, effective_balance=balance, slashed=slashed
        )
        state.validators.append(validator)
    justified, finalized = checkpoint(case["justified"]), checkpoint(case["finalized"])
    store = spec.Store(
        time=spec.Uint64(case["slot"] * spec.config.SLOT_DURATION_MS // 1000),
        genesis_time=spec.Uint64(0),
        justified_checkpoint=justified,
        finalized_checkpoint=finalized,
        unrealized_justified_checkpoint=justified,
        unrealized_finalized_checkpoint=finalized,
        proposer_boost_root=spec.Root(raw(case["boost"])) if case["boost"] else spec.Root(),
        equivocating_indices=set(case["equivocating"]),
    )
    store.checkpoint_states[justified] = state
    for root, parent, slot, realized, unrealized in case["blocks"]:
        key = spec.Root(raw(root))
        store.blocks[key] = spec.BeaconBlock(slot=slot, parent_root=raw(parent) if parent else spec.Root())
        store.block_states[key] = SimpleNamespace(current_justified_checkpoint=checkpoint(realized))
        store.unrealized_justifications[key] = checkpoint(unrealized)
    for validator, epoch, root in case["messages"]:
        store.latest_messages[validator] = spec.LatestMessage(epoch=epoch, root=spec.Root(raw(root)))
    return bytes(spec.get_head(store).root).hex()


def roots(case):
    slot, proposer_index, parent, state, body = case
    header = spec.BeaconBlockHeader(
        slot=slot, proposer_index=proposer_index, parent_root=raw(parent), state_root=raw(state), body_root=raw(body)
    )
    return bytes(spec.hash_tree_root(header)).hex()


ANSWERS = {
    function.__name__: function for function in (shuffle, indexed, proposer, duties, slashable, finality, head, roots)
}

if __name__ == "__main__":
    questions = json.load(sys.stdin)
    json.dump({name: [ANSWERS[name](case) for case in cases] for name, cases in questions.items()}, sys.stdout)
