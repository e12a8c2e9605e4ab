"""Tokens of the engine API: against a published vector and openssl's HMAC, and everything that must not pass."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learning.errors import LearnSettingError
from engine.learning.services.jwt import SECRET_SIZE, make_token, read_secret, refusal

SECRET = bytes(range(32))
NOW = 1_700_000_000.0
# RFC 7515, appendix A.1: a JWS with HS256 whose key is of 64 bytes.
RFC_KEY = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
RFC_TOKEN = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)


def encode(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def token(header: Any, claims: Any, secret: bytes = SECRET, digest: str = "sha256") -> str:
    """Sign as another implementation would."""
    signed = f"{encode(header)}.{encode(claims)}"
    return f"{signed}.{encode(hmac.new(secret, signed.encode(), getattr(hashlib, digest)).digest())}"


HS256 = {"alg": "HS256", "typ": "JWT"}


def test_the_published_token_verifies_up_to_its_missing_time() -> None:
    key = urlsafe_b64decode(RFC_KEY + "==")
    assert refusal(RFC_TOKEN, key, NOW) == "it has no time of issue (iat)"
    assert "signature" in refusal(RFC_TOKEN, key[:-1], NOW)
    assert "signature" in refusal(RFC_TOKEN.replace("dBjft", "dBjfu"), key, NOW)


def test_a_token_of_ours_is_that_of_another_implementation() -> None:
    made = make_token(SECRET, NOW)
    assert refusal(made, SECRET, NOW) == ""
    header, claims, _ = made.split(".")
    assert json.loads(urlsafe_b64decode(header + "==")) == HS256
    assert json.loads(urlsafe_b64decode(claims + "==")) == {"iat": 1_700_000_000}
    for value in (HS256, {"alg": "HS256"}, {"typ": "JWT", "alg": "HS256", "kid": "7"}):
        assert refusal(token(value, {"iat": NOW, "id": "node", "clv": "x"}), SECRET, NOW) == ""


@pytest.mark.parametrize(("seconds", "passes"), [(-61, False), (-60, True), (0, True), (60, True), (61, False)])
def test_a_token_counts_for_a_minute_around_its_issue(seconds: int, passes: bool) -> None:
    assert (refusal(make_token(SECRET, NOW + seconds), SECRET, NOW) == "") is passes


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ("", "three parts"),
        ("a.b", "three parts"),
        ("a.b.c.d", "three parts"),
        ("a.b.ü", "three parts"),
        ("a=.b.c", "three parts"),
        ("." * 5000, "three parts"),
        (f"{encode({'alg': 'none'})}.{encode({'iat': NOW})}.", "algorithm"),
        (token({"alg": "none", "typ": "JWT"}, {"iat": NOW}), "algorithm"),
        (token({"alg": "hs256"}, {"iat": NOW}), "algorithm"),
        (token({"alg": "HS512", "typ": "JWT"}, {"iat": NOW}, digest="sha512"), "algorithm"),
        (token({"alg": ["HS256"]}, {"iat": NOW}), "algorithm"),
        (token({"typ": "JWT"}, {"iat": NOW}), "algorithm"),
        (token({"alg": "HS256", "crit": ["exp"]}, {"iat": NOW}), "algorithm"),
        (token({"alg": "HS256", "typ": "JWE"}, {"iat": NOW}), "algorithm"),
        (token(b'{"alg": "none", "alg": "HS256"}', {"iat": NOW}), "JSON objects"),
        (token([1], {"iat": NOW}), "JSON objects"),
        (token(b"{" * 200, {"iat": NOW}), "JSON objects"),
        (token(b"\xff\xfe", {"iat": NOW}), "JSON objects"),
        (token(HS256, {"iat": NOW}, secret=bytes(32)), "signature"),
        (token(HS256, {"iat": NOW}, digest="sha512"), "signature"),
        (token(HS256, {}), "time of issue"),
        (token(HS256, {"iat": "1700000000"}), "time of issue"),
        (token(HS256, {"iat": True}), "time of issue"),
        (token(HS256, {"iat": None}), "time of issue"),
        (token(HS256, b'{"iat": NaN}'), "JSON objects"),
        (token(HS256, b'{"iat": 1e999}'), "more than 60 seconds"),
        (token(HS256, {"iat": 10**400}), "more than 60 seconds"),
        (token(HS256, [NOW]), "JSON objects"),
        (f"{encode(HS256)}.{encode({'iat': NOW})}.", "signature"),
        (f"{encode(HS256)}.{encode({'iat': NOW})}.AAAAA", "JSON objects"),
    ],
    ids=range(30),
)
def test_tokens_that_do_not_count(made: str, why: str) -> None:
    assert why in refusal(made, SECRET, NOW)


def test_one_signature_has_one_text() -> None:
    """Base64 has bits to spare at its end; a token with others is another text for the same signature."""
    made = make_token(SECRET, NOW)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(made[-1])
    twin = made[:-1] + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]
    assert urlsafe_b64decode(twin.split(".")[2] + "=") == urlsafe_b64decode(made.split(".")[2] + "=")
    assert "base64url" in refusal(twin, SECRET, NOW)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,60}"))
def test_any_text_is_refused_and_never_raises(text: str) -> None:
    assert refusal(text, SECRET, NOW)


def test_a_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "jwt.hex"
    secret = read_secret(path)
    assert len(secret) == SECRET_SIZE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_secret(path) == secret == bytes.fromhex(path.read_text("ascii").strip())
    path.write_text("0x" + secret.hex().upper() + "\r\n", encoding="ascii")
    assert read_secret(path) == secret
    assert read_secret(tmp_path / "other.hex") != secret


@pytest.mark.parametrize(
    "text", ["", "ab" * 31, "ab" * 33, "0x" + "ab" * 31 + "zz", "ab" * 32 + "\n" + "ab" * 32, "\xff"]
)
def test_a_file_that_holds_no_secret_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jwt.hex"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(LearnSettingError, match="64 hexadecimal characters") as caught:
        read_secret(path)
    assert not text or text not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jwt.hex"
    read_secret(path)
    path.chmod(0o644)
    with pytest.raises(LearnSettingError, match=r"chmod 600"):
        read_secret(path)


@pytest.mark.parametrize("name", ["missing/jwt.hex", "."])
def test_a_place_without_a_file_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(LearnSettingError, match=r"cannot be (made|read)"):
        read_secret(tmp_path / name)


async def test_the_engine_answers_nobody_without_a_fresh_token(chain, serving) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
    async with serving(chain) as client:
        assert (await client.post("engine", call))[1]["result"] == "0xa"
        for authorization in (
            "",
            "Bearer",
            "Basic " + make_token(SECRET, NOW),
            make_token(SECRET, NOW),
            "Bearer " + make_token(SECRET, NOW - 100),
            "Bearer " + make_token(bytes(32), NOW),
            "Bearer " + token({"alg": "none"}, {"iat": NOW}),
        ):
            status, answer = await client.post("engine", call, Authorization=authorization)
            assert status == 401, authorization
            assert "jwt.hex" in answer["error"]["message"]
            assert "result" not in answer
