"""How long Ethereum's executable specification takes, in the environment that has it: arguments in, JSON out.

python learning_beacon_peer.py VALIDATORS SECONDS
"""

import json
import statistics
import sys
import time

from eth_consensus_specs.phase0 import minimal as spec
from eth_consensus_specs.utils import bls

bls.bls_active = False


def median(action, seconds):
    """Milliseconds, at least three times; what an action prepares is not counted."""
    times = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        times.append(action(len(times)) * 1e3)
    return statistics.median(times)


def timed(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def seed(number):
    return spec.Bytes32(number.to_bytes(32, "big"))


def epoch_of(count, number):
    """A state at an epoch's end in which all have voted in this epoch and the one before."""
    state = spec.BeaconState(slot=4 * spec.SLOTS_PER_EPOCH - 1)
    state.validators = [
        spec.Validator(activation_epoch=0, exit_epoch=spec.FAR_FUTURE_EPOCH, effective_balance=32 * 10**9)
        for _ in range(count)
    ]
    state.randao_mixes[1] = state.randao_mixes[0] = seed(number)
    for epoch, votes in ((2, state.previous_epoch_attestations), (3, state.current_epoch_attestations)):
        for slot in range(epoch * spec.SLOTS_PER_EPOCH, (epoch + 1) * spec.SLOTS_PER_EPOCH):
            for index in range(spec.get_committee_count_per_slot(state, epoch)):
                members = spec.get_beacon_committee(state, slot, index)
                data = spec.AttestationData(
                    slot=slot, index=index, target=spec.Checkpoint(epoch=epoch), source=spec.Checkpoint(epoch=1)
                )
                bits = [True] * len(members)
                votes.append(spec.PendingAttestation(aggregation_bits=bits, data=data, inclusion_delay=1))
    return state


def main(count, seconds):
    shuffling = median(lambda n: timed(spec.compute_shuffled_permutation, spec.Uint64(count), seed(n)), seconds)
    states = iter(range(1000))

    def justification(_):
        state = epoch_of(count, next(states))
        spec.get_total_active_balance(state)
        return timed(spec.process_justification_and_finalization, state)

    json.dump({"shuffle": shuffling, "justify": median(justification, 0)}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
