"""The JSON forms of the Beacon API: numbers are decimal strings, bytes are hexadecimal with 0x."""

from __future__ import annotations

from typing import Any

from engine.learning.config import LearnConfig
from engine.learning.services.hexes import data_of
from engine.learning.services.view import BlockView, CheckpointView, FinalityView, ValidatorView

EXITED = ("exited_unslashed", "exited_slashed")


def truth_of(block: BlockView) -> dict[str, bool]:
    """Return what stands beside every answer of the chain."""
    return {"execution_optimistic": False, "finalized": block.finalized}


def header_of(block: BlockView) -> dict[str, Any]:
    """Return a block's header under its signature."""
    message = block.header
    return {
        "root": data_of(block.root),
        "canonical": block.canonical,
        "header": {
            "message": {
                "slot": str(int(message.slot)),
                "proposer_index": str(int(message.proposer_index)),
                "parent_root": data_of(message.parent_root),
                "state_root": data_of(message.state_root),
                "body_root": data_of(message.body_root),
            },
            "signature": data_of(block.signature),
        },
    }


def finality_of(points: FinalityView) -> dict[str, Any]:
    """Return the three checkpoints."""

    def form(point: CheckpointView) -> dict[str, str]:
        return {"epoch": str(point.epoch), "root": data_of(point.root)}

    return {
        "previous_justified": form(points.previous_justified),
        "current_justified": form(points.current_justified),
        "finalized": form(points.finalized),
    }


def validator_of(validator: ValidatorView, epoch: int) -> dict[str, Any]:
    """Return a validator at an epoch. Its withdrawal credentials hold the Ed25519 key of its records."""
    return {
        "index": str(validator.index),
        "balance": str(validator.balance),
        "status": status_of(validator, epoch),
        "validator": {
            "pubkey": data_of(validator.pubkey),
            "withdrawal_credentials": data_of(validator.node_key),
            "effective_balance": str(validator.effective_balance),
            "slashed": validator.slashed,
            "activation_eligibility_epoch": str(validator.eligibility_epoch),
            "activation_epoch": str(validator.activation_epoch),
            "exit_epoch": str(validator.exit_epoch),
            "withdrawable_epoch": str(validator.withdrawable_epoch),
        },
    }


def status_of(validator: ValidatorView, epoch: int) -> str:
    """Return a validator's status at an epoch. Source: Beacon API, validator status."""
    far = 2**64 - 1
    if epoch < validator.activation_epoch:
        return "pending_initialized" if validator.eligibility_epoch == far else "pending_queued"
    if epoch < validator.exit_epoch:
        if validator.exit_epoch == far:
            return "active_ongoing"
        return "active_slashed" if validator.slashed else "active_exiting"
    if epoch < validator.withdrawable_epoch:
        return EXITED[validator.slashed]
    return "withdrawal_possible" if validator.balance else "withdrawal_done"


def spec_of(config: LearnConfig) -> dict[str, str]:
    """Return the numbers that a client needs, by the names of the consensus specification."""
    return {
        "CONFIG_NAME": "pol-ai",
        "PRESET_BASE": "minimal",
        "SECONDS_PER_SLOT": f"{config.seconds_per_slot:g}",
        "SLOTS_PER_EPOCH": str(config.slots_per_epoch),
        "MAX_EFFECTIVE_BALANCE": str(32 * 10**9),
        "DEPOSIT_CHAIN_ID": str(config.chain_id),
    }
