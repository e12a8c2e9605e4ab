"""Messages of the chain as SSZ containers: what is signed, hashed and sent.

Source: consensus-specs phase0 for headers, attestations and slashings; the rest follows its manner. Hashes are
``hash_tree_root``; BLS signatures are over ``signing_root(object, domain)``, whose domain binds the chain id.
"""

from hashlib import sha256

from remerkleable.basic import boolean, uint8, uint64
from remerkleable.bitfields import Bitlist
from remerkleable.byte_arrays import ByteList, Bytes32, Bytes48, Bytes96, ByteVector
from remerkleable.complex import Container, List

from engine.learning.ssz import Planned

MAX_VALIDATORS = 4096
ZERO = b"\x00" * 32  # the update id of a block without an update
NO_UPDATE = ZERO

DOMAIN_PROPOSER = b"\x00"
DOMAIN_ATTESTER = b"\x01"
DOMAIN_RANDAO = b"\x02"
DOMAIN_DEPOSIT = b"\x03"
DOMAIN_EXIT = b"\x04"
DOMAIN_ACK = b"\x05"
DOMAIN_UPDATE = b"\x06"
DOMAIN_REPORT = b"\x07"
DOMAIN_CANARY = b"\x08"


class Checkpoint(Planned, Container):
    """An epoch and the block at its first slot."""

    epoch: uint64
    root: Bytes32


class AttestationData(Planned, Container):
    """A vote for a head and for the link from source to target."""

    slot: uint64
    beacon_block_root: Bytes32
    source: Checkpoint
    target: Checkpoint


class Attestation(Planned, Container):
    """Votes of a slot's committee; bit i is the i-th member of ``committee_of(state, slot)``."""

    aggregation_bits: Bitlist[MAX_VALIDATORS]
    data: AttestationData
    signature: Bytes96


class IndexedAttestation(Planned, Container):
    """Votes by validator index, sorted: what slashing evidence holds."""

    attesting_indices: List[uint64, MAX_VALIDATORS]
    data: AttestationData
    signature: Bytes96


class BeaconBlockHeader(Planned, Container):
    """What a proposer signs."""

    slot: uint64
    proposer_index: uint64
    parent_root: Bytes32
    state_root: Bytes32
    body_root: Bytes32


class SignedBeaconBlockHeader(Planned, Container):
    """A header under its proposer's signature."""

    message: BeaconBlockHeader
    signature: Bytes96


class ExecutionHeader(Planned, Container):
    """The proof-of-work block. ``extra_data`` is parent hash and update id: exactly 64 bytes."""

    parent_hash: Bytes32
    number: uint64
    timestamp: uint64
    proposer_index: uint64
    model_root: Bytes32
    difficulty_bits: uint8
    extra_data: ByteVector[64]
    nonce: uint64


class UpdateCommit(Planned, Container):
    """An aggregator's word that this is the update of the round; its slot's block fixes it before texts are drawn."""

    round: uint64
    aggregator_index: uint64
    base_root: Bytes32
    update_id: Bytes32
    signature: Bytes96


class AckVote(Planned, Container):
    """What a committee member signs of an update: the same bytes for all who agree, so that signatures add up."""

    chain_id: uint64
    slot: uint64
    base_root: Bytes32
    update_id: Bytes32
    accept: boolean


class AckCertificate(Planned, Container):
    """A quorum of ACKs; bit i is the i-th member of ``ack_committee_of(state, vote.slot)``."""

    vote: AckVote
    bits: Bitlist[MAX_VALIDATORS]
    signature: Bytes96


class SignedAck(Planned, Container):
    """One member's ACK, as evidence."""

    validator_index: uint64
    vote: AckVote
    signature: Bytes96


class AckReport(Planned, Container):
    """That a member's ACK is contradicted by evaluation: signed by committee members who evaluated themselves."""

    ack_root: Bytes32
    update_id: Bytes32
    reason: uint8


class ProposerSlashing(Planned, Container):
    """Two headers of one proposer for one slot."""

    first: SignedBeaconBlockHeader
    second: SignedBeaconBlockHeader


class AttesterSlashing(Planned, Container):
    """Two attestations that make a double vote or a surround vote."""

    first: IndexedAttestation
    second: IndexedAttestation


class AckSlashing(Planned, Container):
    """An ACK and the report of more than two thirds of its committee that evaluation contradicts it."""

    ack: SignedAck
    report: AckReport
    bits: Bitlist[MAX_VALIDATORS]
    signature: Bytes96


class Deposit(Planned, Container):
    """Stake of a new validator: BLS key, Ed25519 key of its DHT records, amount, proof of possession over all."""

    pubkey: Bytes48
    node_key: Bytes32
    amount: uint64  # in 1e9 base units
    index: uint64  # in the deposit contract, rising by one
    signature: Bytes96


class VoluntaryExit(Planned, Container):
    """A validator's wish to leave."""

    epoch: uint64
    validator_index: uint64
    signature: Bytes96


class UncertifiedSlashing(Planned, Container):
    """A signed header and its body, whose proof-of-work block names an update that no valid certificate stands for."""

    header: SignedBeaconBlockHeader
    execution: ExecutionHeader
    certificates: List[AckCertificate, 1]
    rest_root: Bytes32  # the root of the rest of the body


class BodyRest(Planned, Container):
    """The part of a body that evidence of an uncertified update need not show."""

    randao_reveal: Bytes96
    commits: List[UpdateCommit, 1]
    attestations: List[Attestation, 128]
    deposits: List[Deposit, 64]
    exits: List[VoluntaryExit, 16]
    proposer_slashings: List[ProposerSlashing, 16]
    attester_slashings: List[AttesterSlashing, 8]
    ack_slashings: List[AckSlashing, 16]
    uncertified_slashings: List[UncertifiedSlashing, 4]
    graffiti: ByteList[32]


class BeaconBlockBody(Planned, Container):
    """A body in two halves: the update with its certificate, and the rest."""

    execution: ExecutionHeader
    certificates: List[AckCertificate, 1]
    rest: BodyRest


class BeaconBlock(Planned, Container):
    """A block."""

    slot: uint64
    proposer_index: uint64
    parent_root: Bytes32
    state_root: Bytes32
    body: BeaconBlockBody


class SignedBeaconBlock(Planned, Container):
    """A block under its proposer's signature."""

    message: BeaconBlock
    signature: Bytes96


def root_of(value: Container) -> bytes:
    """Return the 32-byte hash_tree_root as plain bytes."""
    return bytes(value.hash_tree_root())


def signing_root(root: bytes, domain: bytes, chain_id: int) -> bytes:
    """Return the 32 bytes that a BLS key signs: SHA-256 over domain, chain id and the object's root."""
    return sha256(b"POL-AI" + domain + chain_id.to_bytes(8, "big") + root).digest()


def header_of(block: BeaconBlock) -> BeaconBlockHeader:
    """Return the header that stands for a block: it has the same root."""
    return BeaconBlockHeader(
        slot=block.slot,
        proposer_index=block.proposer_index,
        parent_root=block.parent_root,
        state_root=block.state_root,
        body_root=block.body.hash_tree_root(),
    )
