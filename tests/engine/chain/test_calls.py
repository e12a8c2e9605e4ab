"""Calls made by hand: arguments as text, what is wrong with them, and what a contract can be asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chain.abi import CONTRACTS, contract_abi
from engine.chain.calls import encode, functions_of, parse_argument
from engine.core.errors import UsageError

HEAD = "0x" + "ab" * 32
NOBODY = "0x" + "00" * 20


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("uint256", " 1_000 ", 1000),
        ("uint256", "0xff", 255),
        ("int64", "-9223372036854775808", -(2**63)),
        ("bool", "True", True),
        ("bytes4", "0x01020304", b"\1\2\3\4"),
        ("bytes", "0x", b""),
        ("string", "", ""),
        ("address", NOBODY, NOBODY),
        ("uint8[]", "[]", []),
        ("uint256[2]", '["0x10", 3]', [16, 3]),
        ("bytes32[]", f'["{HEAD}"]', [bytes.fromhex("ab" * 32)]),
        ("string[]", '["' + "[" * 40 + '"]', ["[" * 40]),  # brackets inside a text are no lists
        ("(address,uint8)[]", f'[["{NOBODY}", 3]]', [(NOBODY, 3)]),
    ],
)
def test_texts_become_the_values_that_the_abi_takes(kind, text, value):
    assert parse_argument(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("uint8", text) for text in ("", "256", "-1", "1.0", "1e3", "9" * 5000, "0x", "one", "٣", "true")),
        *(("int8", text) for text in ("128", "-129")),
        *(("address", text) for text in ("", "0x12", "0x" + "g" * 40, "0x" + "00" * 21)),
        ("address", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD".replace("aA", "AA")),
        *(("bytes4", text) for text in ("0x0102", "01020304", "0x0102030z")),
        *(("bool", text) for text in ("", "maybe", "2")),
        *(("uint8[]", text) for text in ("", "1", "{}", "[1.5]", "[256]", "[true]", "[null]", "[[1]]", "[" * 90_000)),
        *(("uint8[2]", text) for text in ("[1]", "[1,2,3]")),
        *(("(address,uint8)", text) for text in ("[]", f'["{NOBODY}"]', f'{{"a": "{NOBODY}"}}')),
        ("string", "x" * 100_001),
        ("nothing", "1"),
    ],
)
def test_what_is_no_value_is_told(kind, text):
    with pytest.raises(UsageError) as error:
        parse_argument(kind, text)
    assert len(str(error.value)) < 400


@given(kind=st.sampled_from(["uint64", "int8", "bytes", "address", "bool", "uint8[]", "(uint8,bool)"]), text=st.text())
def test_no_text_is_a_fault(kind, text):
    try:
        value = parse_argument(kind, text)
    except UsageError:
        return
    assert value is not None


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_function_of_every_contract_can_be_called_by_its_texts(contract):
    samples = {"uint": "7", "int": "-7", "bool": "true", "address": NOBODY, "string": "word"}
    called = 0
    for function in functions_of(contract):
        simple = [part.kind for part in function.arguments]
        if any(kind.endswith(("]", ")")) for kind in simple):
            continue
        texts = []
        for kind in simple:
            size = kind.removeprefix("bytes")
            plain = samples.get(kind.rstrip("0123456789"))
            texts.append(plain if plain is not None else "0x" + "01" * int(size or 3))
        data = encode(contract, function, texts)
        decoded = contract_abi(contract).decode_call(data)
        assert decoded is not None
        assert decoded.name == function.key.partition("(")[0]
        called += 1
    assert called > 5
    reads = [function.reads for function in functions_of(contract)]
    assert reads == sorted(reads, reverse=True), "those that only read come first"
