"""Encrypted keys: what other programs wrote, wrong passwords, damaged and hostile files, whoever may read them."""

import asyncio
import json
import pickle

import keyring
import pytest
from coincurve import PrivateKey
from eth_account import Account
from eth_keyfile import create_keyfile_json
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend

from engine.chain import passwords
from engine.chain.errors import KeystoreError
from engine.chain.keystore import Keystore, parse_key
from engine.chain.transactions import Fees, fees_of, gas_of, sign_transaction
from engine.chain.wallet import AUDITOR, OPERATOR, Wallet

SECRET = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
ADDRESS = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b"
PASSWORD = "correct horse"
QUICK = 2**10  # of scrypt; the default takes a second

# The test vector of the Web3 Secret Storage definition, with scrypt.
VECTOR = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


@pytest.fixture
def store(tmp_path):
    return Keystore(tmp_path / "keys")


def write(store, value, address=ADDRESS):
    store.folder.mkdir(mode=0o700, exist_ok=True)
    path = store.folder / f"{address[2:].lower()}.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    path.chmod(0o600)
    return path


async def test_a_key_comes_back_and_others_can_read_it(store):
    made = await store.add(SECRET, PASSWORD, work=QUICK)
    assert made.address == ADDRESS and made.path.stat().st_mode & 0o777 == 0o600
    assert store.folder.stat().st_mode & 0o777 == 0o700
    wallet = await store.unlock(ADDRESS.lower(), PASSWORD)
    assert wallet.address(OPERATOR) == ADDRESS and not wallet.public
    assert bytes(Account.decrypt(made.path.read_text(), PASSWORD)) == SECRET
    assert SECRET.hex() not in made.path.read_text()


async def test_the_vector_of_the_definition_opens(store):
    write(store, VECTOR)
    assert (await store.unlock(ADDRESS, "testpassword")).address(OPERATOR) == ADDRESS


async def test_a_file_of_another_program_with_pbkdf2_opens(store):
    write(store, create_keyfile_json(SECRET, PASSWORD.encode(), kdf="pbkdf2", iterations=1000))
    assert (await store.unlock(ADDRESS, PASSWORD)).address(OPERATOR) == ADDRESS


async def test_new_keys_differ_and_the_loop_goes_on_meanwhile(store):
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticking = asyncio.ensure_future(tick())
    first, second = await store.create(PASSWORD), await store.create(PASSWORD, work=QUICK)
    ticking.cancel()
    assert first.address != second.address
    assert {key.address for key in store.accounts()} == {first.address, second.address}
    assert ticks > 10


async def test_wrong_passwords_duplicates_and_unknown_accounts(store):
    await store.add(SECRET, PASSWORD, work=QUICK)
    with pytest.raises(KeystoreError, match="does not open") as caught:
        await store.unlock(ADDRESS, "wrong horse")
    assert "horse" not in str(caught.value.to_json())
    with pytest.raises(KeystoreError, match="already"):
        await store.add(SECRET, "another password", work=QUICK)
    with pytest.raises(KeystoreError, match="too short"):
        await store.create("")
    for unknown in ("0x" + "1" * 40, "nonsense", "../../etc/passwd", ""):
        with pytest.raises(KeystoreError):
            store.get(unknown)
    store.remove(ADDRESS)
    assert store.accounts() == []


@pytest.mark.parametrize("secret", [b"", b"\0" * 32, b"\xff" * 32, SECRET + b"\0"])
async def test_what_is_no_key_is_refused(store, secret):
    with pytest.raises(KeystoreError, match="no private key"):
        await store.add(secret, PASSWORD, work=QUICK)


def test_a_key_is_read_from_hex_and_never_repeated():
    assert parse_key(f" 0x{SECRET.hex()}\n") == SECRET
    for text in ("", SECRET.hex()[:-1], SECRET.hex() + "0", "z" * 64, "0x" + "g" + SECRET.hex()[1:]):
        with pytest.raises(KeystoreError) as caught:
            parse_key(text)
        assert not text or text not in str(caught.value)


def changed(**crypto):
    return {**VECTOR, "crypto": {**VECTOR["crypto"], **crypto}}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "{",
        "[]",
        "5",
        "[" * 50_000,
        "{}" + " " * 70_000,
        {**VECTOR, "version": 1},
        {"version": 3},
        {"version": 3, "crypto": []},
        changed(kdf="none"),
        changed(mac=5),
        changed(ciphertext="xyz"),
        changed(cipherparams={}),
        changed(kdfparams={"n": 2**40, "r": 8, "p": 1, "dklen": 32, "salt": "00"}),
        changed(kdfparams={"n": -5, "r": 8, "p": 1, "dklen": 32, "salt": "00"}),
        changed(kdf="pbkdf2", kdfparams={"c": 10**12, "dklen": 32, "prf": "hmac-sha256", "salt": "00"}),
    ],
)
async def test_damaged_and_hostile_files_are_told(store, value):
    path = write(store, value)
    with pytest.raises(KeystoreError, match=path.name):
        await store.unlock(ADDRESS, "testpassword")
    assert [bool(key.problem) for key in store.accounts()] == [True]


@pytest.mark.parametrize("crypto", [{"cipher": "none"}, {"kdfparams": {**VECTOR["crypto"]["kdfparams"], "n": 7}}])
async def test_files_that_only_fail_when_opened_are_told(store, crypto):
    write(store, changed(**crypto))
    with pytest.raises(KeystoreError):
        await store.unlock(ADDRESS, "testpassword")


async def test_a_key_under_another_name_is_told(store):
    other = "0x" + "22" * 20
    write(store, create_keyfile_json(SECRET, PASSWORD.encode(), iterations=1000), other)
    with pytest.raises(KeystoreError, match="another account"):
        await store.unlock(other, PASSWORD)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
async def test_a_file_that_others_may_read_or_write_is_not_used(store, mode):
    made = await store.add(SECRET, PASSWORD, work=QUICK)
    made.path.chmod(mode)
    with pytest.raises(KeystoreError, match="chmod 600"):
        await store.unlock(ADDRESS, PASSWORD)
    assert "others may read" in store.accounts()[0].problem
    made.path.chmod(0o600)
    store.folder.chmod(0o777)
    with pytest.raises(KeystoreError, match="chmod 700"):
        await store.unlock(ADDRESS, PASSWORD)


def test_accounts_beside_a_key_are_its_own_and_nobody_elses():
    wallet, same, other = Wallet.of_key(SECRET), Wallet.of_key(SECRET), Wallet.of_key(b"\1" * 32)
    numbers = [OPERATOR, 1, AUDITOR, 2_000_000]
    found = {w.address(number) for w in (wallet, other, Wallet.development()) for number in numbers}
    assert len(found) == 12
    assert [wallet.address(n) for n in numbers] == [same.address(n) for n in numbers]


def test_wallets_show_and_write_nothing():
    wallet = Wallet.of_key(SECRET)
    assert SECRET.hex() not in repr(wallet) + str(wallet) + f"{[wallet]}"
    for write_out in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError):
            write_out(wallet)


def test_passwords_from_a_file_and_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\nsecond line")
    file.chmod(0o600)
    assert passwords.from_file(file) == PASSWORD
    file.chmod(0o644)
    with pytest.raises(KeystoreError, match="chmod 600"):
        passwords.from_file(file)
    with pytest.raises(KeystoreError, match="cannot be read"):
        passwords.from_file(tmp_path / "none")
    file.write_bytes(b"\xff\xfe")
    file.chmod(0o600)
    with pytest.raises(KeystoreError, match="no text"):
        passwords.from_file(file)
    monkeypatch.setenv(passwords.VARIABLE, PASSWORD)
    assert (passwords.from_environment(), passwords.from_environment()) == (PASSWORD, None)


class PlainText(KeyringBackend):
    """Keeps passwords as they are."""

    priority = 9
    kept: dict[tuple[str, str], str] = {}

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        del self.kept[service, username]


@pytest.fixture
def backend():
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_a_keyring_that_encrypts_nothing_is_none(backend):
    backend(PlainText())
    assert passwords.ring() is None
    with pytest.raises(KeystoreError, match="no keyring here that encrypts"):
        passwords.into_ring(ADDRESS, PASSWORD)
    with pytest.raises(KeystoreError):
        passwords.from_ring(ADDRESS)
    passwords.out_of_ring(ADDRESS)
    assert PlainText.kept == {}


def test_a_real_keyring_keeps_and_forgets(backend):
    real = type("Keyring", (PlainText,), {"__module__": "keyring.backends.SecretService", "kept": {}})
    backend(real())
    passwords.into_ring(ADDRESS, PASSWORD)
    assert passwords.from_ring(ADDRESS.lower()) == PASSWORD
    passwords.out_of_ring(ADDRESS)
    assert passwords.from_ring(ADDRESS) is None


numbers = st.one_of(st.integers(0, 300), st.integers(0, 2**128))
fields = st.fixed_dictionaries(
    {
        "chainId": st.integers(1, 2**53),
        "nonce": st.integers(0, 2**63),
        "value": numbers,
        "gas": st.integers(21_000, 2**40),
        "maxFeePerGas": numbers,
        "maxPriorityFeePerGas": numbers,
        "data": st.one_of(st.binary(max_size=70), st.binary(min_size=250, max_size=300)),
        "to": st.sampled_from([ADDRESS, "0x" + "00" * 19 + "01"]),
    }
)


@given(secret=st.integers(1, 2**250), fields=fields, creating=st.booleans())
def test_signed_bytes_are_those_of_eth_account(secret, fields, creating):
    key = secret.to_bytes(32)
    whole = {**fields, "type": 2, "maxPriorityFeePerGas": min(fields["maxFeePerGas"], fields["maxPriorityFeePerGas"])}
    if creating:
        del whole["to"]
    expected = Account.from_key(key).sign_transaction(whole)
    raw, digest = sign_transaction(PrivateKey(key), whole)
    assert raw == bytes(expected.raw_transaction) and digest == "0x" + bytes(expected.hash).hex()
    assert fees_of(raw) == Fees(whole["maxFeePerGas"], whole["maxPriorityFeePerGas"])
    assert gas_of(raw) == whole["gas"]


def test_only_the_one_type_is_signed():
    with pytest.raises(ValueError, match="type 0"):
        sign_transaction(PrivateKey(SECRET), {"type": 0})
