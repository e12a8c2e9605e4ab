"""Keys of a chain: the same for the same seed everywhere, bound to one another, and never shown."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learning.config import DEFAULT_SEED, LearnConfig
from engine.learning.crypto import bls, ed25519
from engine.learning.crypto.eip2333 import derive_path
from engine.learning.crypto.keys import peer_id_of, refuse_duplicates, trainer_keys, validator_keys
from engine.learning.errors import LearnSettingError
from engine.learning.genesis import genesis

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "ed25519.json").read_text("utf-8"))["cases"]
SHOW = """
from engine.learning.config import LearnConfig
from engine.learning.genesis import genesis
from engine.learning.crypto.keys import trainer_keys
made = genesis(LearnConfig(validators=3))
print(made.root.hex(), made.mix.hex(), *(v.pubkey.hex() + v.node_key.hex() + v.peer_id for v in made.validators))
print(trainer_keys(LearnConfig().genesis_seed, 1).node_public.hex())
"""


@pytest.mark.parametrize("case", VECTORS, ids=["empty", "one byte", "two bytes"])
def test_ed25519_gives_the_published_signatures(case: dict[str, str]) -> None:
    key = ed25519.SecretKey(bytes.fromhex(case["seed"]))
    message = bytes.fromhex(case["message"])
    assert key.public.hex() == case["public"]
    assert ed25519.sign(key, message).hex() == case["signature"]
    assert ed25519.verify(key.public, message, bytes.fromhex(case["signature"]))
    assert not ed25519.verify(key.public, message + b"\x00", bytes.fromhex(case["signature"]))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=20), st.binary(max_size=70))
def test_ed25519_answers_any_bytes(public: bytes, message: bytes, signature: bytes) -> None:
    assert ed25519.verify(public, message, signature) is False


SMALL = [0, 1, ed25519._EIGHTH, 2**255 - 19 - ed25519._EIGHTH, 2**255 - 20, 2**255 - 19, 2**255 - 18]


@pytest.mark.parametrize("sign", [0, 2**255], ids=["even", "odd"])
@pytest.mark.parametrize("y", SMALL, ids=range(len(SMALL)))
def test_ed25519_refuses_points_of_small_order(y: int, sign: int) -> None:
    """Under such a key a signature of zeros fits messages that nobody signed."""
    public = (y + sign).to_bytes(32, "little")
    assert not ed25519.is_public(public)
    for signature in (bytes(64), b"\x01" + bytes(63), public + bytes(32)):
        verdicts = {ed25519.verify(public, bytes([number]), signature) for number in range(16)}
        assert verdicts == {False}


def test_a_validator_has_the_key_of_its_path() -> None:
    keys = validator_keys(DEFAULT_SEED, 5)
    secret = derive_path("m/12381/3600/5/0/0", bytes.fromhex(DEFAULT_SEED)).to_bytes(32, "big")
    assert keys.pubkey == bls.SecretKey(secret).public
    assert keys.peer_id == sha256(keys.pubkey).hexdigest()[:16] == peer_id_of(keys.pubkey)
    assert keys.node_public == keys.node_key.public


def test_every_key_of_a_chain_is_another() -> None:
    validators = [validator_keys(DEFAULT_SEED, index) for index in range(6)]
    trainers = [trainer_keys(DEFAULT_SEED, index) for index in range(6)]
    assert len({key.pubkey for key in validators}) == 6
    assert len({key.node_public for key in (*validators, *trainers)}) == 12
    assert len({key.peer_id for key in (*validators, *trainers)}) == 12


def test_another_process_has_the_same_keys_and_genesis() -> None:
    done = [subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True) for _ in range(2)]
    assert done[0].stdout == done[1].stdout
    made = genesis(LearnConfig(validators=3))
    assert done[0].stdout.startswith(f"{made.root.hex()} {made.mix.hex()} {made.validators[0].pubkey.hex()}")
    assert trainer_keys(DEFAULT_SEED, 1).node_public.hex() in done[0].stdout


def test_the_case_of_a_seed_does_not_count() -> None:
    assert validator_keys(DEFAULT_SEED.upper(), 0).pubkey == validator_keys(DEFAULT_SEED, 0).pubkey


@pytest.mark.parametrize(
    "change",
    [
        {"genesis_seed": "f" * 64},
        {"validators": 2},
        {"chain_id": 7},
        {"slots_per_epoch": 4},
        {"seconds_per_slot": 12.5},
        {"pow_bits": 4},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_genesis_root_binds_what_nodes_must_agree_on(change: dict[str, Any]) -> None:
    config = LearnConfig(validators=1)
    assert genesis(config).root == genesis(config.changed(slots=99, gate_texts=5)).root
    assert genesis(config).root != genesis(config.changed(**change)).root


def test_a_genesis_of_one_validator_has_32_pol() -> None:
    made = genesis(LearnConfig(validators=1))
    assert [validator.amount for validator in made.validators] == [32 * 10**9]
    assert made.time == 0


@pytest.mark.parametrize(
    "seed", ["", "ab", "0" * 63, "0" * 65, "g" * 64, "\uff10" * 64, " " + "0" * 63, "0x" + "0" * 62]
)
def test_a_bad_seed_is_told_and_never_shown(seed: str) -> None:
    with pytest.raises(LearnSettingError) as caught:
        validator_keys(seed, 0)
    assert "64 hexadecimal characters" in str(caught.value)
    assert not seed or seed not in str(caught.value)
    with pytest.raises(LearnSettingError):
        genesis(LearnConfig.model_construct(genesis_seed=seed, validators=1))


def test_two_equal_peer_ids_are_refused() -> None:
    refuse_duplicates(["a" * 16, "b" * 16])
    with pytest.raises(LearnSettingError, match=r"numbers 0 and 2 both have a{16}"):
        refuse_duplicates(["a" * 16, "b" * 16, "a" * 16])


def test_no_secret_is_shown_or_pickled() -> None:
    keys, trainer = validator_keys(DEFAULT_SEED, 0), trainer_keys(DEFAULT_SEED, 0)
    secrets = [bytes(keys.secret._key).hex(), keys.node_key.seed.hex(), trainer.node_key.seed.hex(), DEFAULT_SEED]
    shown = f"{keys!r} {keys.secret!r} {keys.node_key!r} {trainer!r} {trainer.node_key!s}"
    for secret in secrets:
        assert secret not in shown
        assert repr(bytes.fromhex(secret))[2:-1] not in shown
    for value in (keys, trainer, keys.node_key):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(value)


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33)])
def test_an_ed25519_seed_of_another_length_is_refused(seed: bytes) -> None:
    with pytest.raises(LearnSettingError, match="of 32"):
        ed25519.SecretKey(seed)
