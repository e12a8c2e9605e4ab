"""The ``.env`` file of the specification: what it says, and what is wrong with one, line by line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.learning.config import DEFAULT_SEED, LearnConfig
from engine.learning.env import MAX_FILE, NAMES, OPENED, PolEnvironment, Ports, read
from engine.learning.errors import LearnSettingError

SPECIFIED = """# POL-AI Hybrid Chain Configuration

# Genesis seed for deterministic validator generation (64 hex characters)
# Generate with: openssl rand -hex 32
GENESIS_SEED=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

# Network configuration
GENESIS_HOST=localhost

# AI Configuration
AI_QUORUM=auto

# Optional: Custom ports (defaults shown)
DHT_PORT=13337
GETH_HTTP_PORT=8545
GETH_P2P_PORT=30303
GETH_AUTH_PORT=8551
PRYSM_GRPC_PORT=4000
PRYSM_REST_PORT=3500
PRYSM_P2P_PORT=13000
AI_ENGINE_PORT=8552
"""


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(text: str | bytes) -> Path:
        path = tmp_path / ".env"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def why(path: Path) -> str:
    with pytest.raises(LearnSettingError) as caught:
        read(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_specifications_file_says_what_is_usual_anyway(written) -> None:
    found = read(written(SPECIFIED))
    assert (found.genesis_seed, found.genesis_host, found.quorum) == (DEFAULT_SEED, "localhost", "spec")
    assert found.ports == Ports()
    assert found.apply(LearnConfig()) == LearnConfig()
    assert found.settings() == {"genesis_seed": DEFAULT_SEED, "quorum": "spec"}
    assert [note.partition(": ")[2].partition(" ")[0] for note in found.notes] == [
        "GETH_P2P_PORT",
        "GETH_AUTH_PORT",
        "PRYSM_GRPC_PORT",
        "PRYSM_P2P_PORT",
    ]
    assert all("nothing listens there" in note for note in found.notes)


def test_nothing_said_changes_nothing(written) -> None:
    for text in ("", "\n\n", "# only words\n", "\ufeff# a mark\n"):
        assert read(written(text)) == PolEnvironment()
    assert read(written("")).settings() == {}


def test_a_file_of_windows_is_read(written) -> None:
    """``echo NAME=VALUE >> .env`` leaves a space at the end of each line."""
    text = "\ufeff# Configuration \r\nGENESIS_SEED=" + "AB" * 32 + " \r\nAI_QUORUM=3 \r\nDHT_PORT=auto \r\n"
    found = read(written(text))
    assert found.genesis_seed == "ab" * 32
    assert found.apply(LearnConfig(validators=4)).quorum == "3"
    assert found.ports.dht == 0


@pytest.mark.parametrize(
    "line",
    [
        "MODEL_NAME=deepseek-ai/DeepSeek-R1",
        "export MODEL_NAME=deepseek-ai/DeepSeek-R1",
        "  MODEL_NAME = deepseek-ai/DeepSeek-R1  # the large one",
        'MODEL_NAME="deepseek-ai/DeepSeek-R1"',
        "MODEL_NAME='deepseek-ai/DeepSeek-R1' # quoted",
    ],
)
def test_a_value_is_written_in_these_ways(written, line: str) -> None:
    assert read(written(line)).model == "deepseek-ai/DeepSeek-R1"
    assert read(written(line)).settings() == {"model": "deepseek-ai/DeepSeek-R1"}


def test_a_number_sign_within_a_value_is_part_of_it(written) -> None:
    assert read(written("MODEL_NAME=/models/a#1")).model == "/models/a#1"
    assert read(written("MODEL_NAME='a # b'")).model == "a # b"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("GENESIS_SEED=" + "0" * 63, "GENESIS_SEED: it is 64 hexadecimal characters, got 63"),
        ("GENESIS_SEED=" + "0" * 65, "got 65"),
        ("GENESIS_SEED=" + "x" * 64, "one of them is something else"),
        ("GENESIS_SEED=", "got 0"),
        ("GENESIS_SEED=$(openssl rand -hex 32)", "openssl rand -hex 32"),
        ("AI_QUORUM=0", "AI_QUORUM is auto, bft or a number from 1 to 9999, got '0'"),
        ("AI_QUORUM=-1", "got '-1'"),
        ("AI_QUORUM=half", "got 'half'"),
        ("AI_QUORUM=10000", "got '10000'"),
        ("DHT_PORT=0", "DHT_PORT is a port from 1 to 65535 or auto, got '0'"),
        ("DHT_PORT=65536", "got '65536'"),
        ("DHT_PORT=1e3", "got '1e3'"),
        ("DHT_PORT=", "got ''"),
        ("DHT_PORT=\u0661\u0662", "is a port"),
        ("SLASHER_PORT=auto", "SLASHER_PORT is a port from 1 to 65535, got 'auto'"),
        ("GENESIS_HOST=http://here", "GENESIS_HOST is no name or address"),
        ("GENESIS_HOST=", "GENESIS_HOST is no name or address"),
        ("MODEL_NAME=", "MODEL_NAME is the name or the folder"),
        ("MODEL_NAME='open", "the quote of MODEL_NAME does not end"),
        ("MODEL_NAME='a' b", "'b' follows the value of MODEL_NAME"),
        ("just words", "'just words' is no NAME=VALUE"),
        ("=5", "is no NAME=VALUE"),
        ("1DHT_PORT=5", "is no NAME=VALUE"),
        ("DHT_PORT: 5", "is no NAME=VALUE"),
        ("DHT_PORT=5\nDHT_PORT=6", "DHT_PORT was already set in line 2"),
        ("x" * 500, "…"),
    ],
)
def test_a_bad_line_is_named_with_what_to_do(written, line: str, said: str) -> None:
    text = why(written(f"# first\n{line}\n"))
    assert said in text
    number = 3 if "\n" in line else 2
    assert f".env, line {number}: " in text
    assert text.endswith("Correct these lines.")


def test_every_bad_line_is_told_at_once(written) -> None:
    with pytest.raises(LearnSettingError) as caught:
        read(written("AI_QUORUM=x\nDHT_PORT=y\nnothing\n" + "bad\n" * 10))
    assert [line.partition(": ")[0] for line in caught.value.data["problems"]] == [
        f".env, line {number}" for number in range(1, 14)
    ]
    assert "and more" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DHT_PORT=9000\nAI_ENGINE_PORT=9000\n", "line 2: DHT_PORT and AI_ENGINE_PORT are both 9000"),
        ("GETH_HTTP_PORT=3500\n", "line 1: GETH_HTTP_PORT and PRYSM_REST_PORT are both 3500 (one of them by default)"),
        ("SLASHER_PORT=13337\n", "line 1: DHT_PORT and SLASHER_PORT are both 13337 (one of them by default)"),
    ],
)
def test_two_names_with_one_port_are_refused(written, text: str, said: str) -> None:
    assert said in why(written(text))


def test_auto_ports_are_never_the_same(written) -> None:
    text = "".join(f"{name}=auto\n" for name in OPENED)
    assert read(written(text)).ports == Ports.automatic()


def test_an_unknown_name_is_told_and_not_used(written) -> None:
    found = read(written("GENESIS_SED=abc\nHTTP_PROXY=x\nCUDA_VISIBLE_DEVICES=0\nHTTP_PROXY=y\n"))
    assert found.settings() == {}
    assert found.notes[0] == (
        ".env, line 1: GENESIS_SED is not a setting of the learning chain and is not used. Did you mean GENESIS_SEED?"
    )
    assert len(found.notes) == 4
    assert "Did you mean" not in found.notes[2]


def test_another_host_is_kept_and_told(written) -> None:
    for host in ("10.0.0.7", "seed.example.com", "[2001:db8::1]"):
        found = read(written(f"GENESIS_HOST={host}\n"))
        assert found.genesis_host == host
        assert "not asked" in found.notes[0]


def test_a_quorum_above_the_validators_is_refused_by_the_run(written) -> None:
    found = read(written("AI_QUORUM=9\n"))
    with pytest.raises(LearnSettingError, match="more than the 8 validators"):
        found.apply(LearnConfig(validators=8))


def test_a_seed_is_never_repeated_in_an_error(written) -> None:
    secret = "5ec4e7" * 11
    assert secret not in why(written(f"GENESIS_SEED={secret}\n"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("AI_QUORUM=3".encode("utf-16"), "UTF-8"),
        (b"# fine\nMODEL_NAME=\xff\n", "line 2 cannot be read: it is not UTF-8"),
        (b"AI_QUORUM=\x003\n", "zero bytes"),
        (b"#" * (MAX_FILE + 1), "too large"),
    ],
)
def test_a_file_that_is_no_text_is_refused(written, content: bytes, said: str) -> None:
    assert said in why(written(content))


def test_a_file_that_is_not_there_or_a_folder_is_told(tmp_path: Path) -> None:
    assert "cannot be read" in why(tmp_path / "missing.env")
    assert "cannot be read" in why(tmp_path)
    if os.path.exists("/dev/zero"):  # noqa: PTH110 - a device, which never ends
        assert "too large" in why(Path("/dev/zero"))


def test_a_mapping_is_read_alike() -> None:
    found = read({"AI_QUORUM": "bft", "GETH_HTTP_PORT": "9545", "MINE": "x"})
    assert (found.quorum, found.ports.geth_http) == ("bft", 9545)
    assert found.notes == ("MINE: MINE is not a setting of the learning chain and is not used.",)
    with pytest.raises(LearnSettingError, match="GETH_HTTP_PORT: GETH_HTTP_PORT is a port"):
        read({"GETH_HTTP_PORT": "x"})


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.text(max_size=40)
        | st.builds(lambda name, value: f"{name}={value}", st.sampled_from(NAMES), st.text(max_size=70)),
        max_size=6,
    )
)
def test_any_text_is_read_or_refused(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "any.env"
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    try:
        found = read(path)
    except LearnSettingError as error:
        assert "any.env" in str(error)
    else:
        assert len({port for port in (getattr(found.ports, name) for name in Ports.__slots__) if port}) >= 5
        LearnConfig(validators=4096).changed(**found.settings())
