"""Containers whose layout is known beforehand: the same in every byte as remerkleable's own."""

from __future__ import annotations

import inspect
import random
from typing import Any

import pytest
from remerkleable.complex import Container

from engine.learning import types
from engine.learning.ssz import Planned
from engine.learning.types import AttestationData, Checkpoint

KINDS = [
    kind for _, kind in inspect.getmembers(types, inspect.isclass) if issubclass(kind, Planned) and kind != Planned
]


def plain(kind: Any) -> Any:
    """Return the same container as remerkleable makes it."""
    return type(kind.__name__, (Container,), {"__annotations__": kind.fields()})


def some(kind: Any, rng: random.Random) -> Any:
    """Return a value of a kind: random where that is easily done."""
    if issubclass(kind, Planned):
        return kind(**{name: some(field, rng) for name, field in kind.fields().items()})
    if issubclass(kind, bytes):
        return kind(rng.randbytes(len(kind.default(None))))
    return kind(rng.randrange(2)) if issubclass(kind, int) else kind.default(None)


def test_all_messages_are_planned() -> None:
    assert len(KINDS) > 20
    assert {kind.__name__ for kind in KINDS} == {
        name
        for name, kind in vars(types).items()
        if isinstance(kind, type) and issubclass(kind, Container) and kind != Container
    }


@pytest.mark.parametrize("kind", KINDS)
def test_roots_bytes_and_fields_are_those_of_remerkleable(kind: Any) -> None:
    twin = plain(kind)
    assert kind().hash_tree_root() == twin().hash_tree_root()
    for seed in range(3):
        made = some(kind, random.Random(seed))
        fields = {name: getattr(made, name) for name in kind.fields()}
        same = twin(**fields)
        assert made.hash_tree_root() == same.hash_tree_root()
        assert made.encode_bytes() == same.encode_bytes()
        back = kind.decode_bytes(made.encode_bytes())
        assert back == made
        assert back.to_obj() == same.to_obj()
        assert {name: getattr(back, name) for name in kind.fields()} == fields
        assert kind.is_fixed_byte_length() == twin.is_fixed_byte_length()


def test_what_lies_within_is_changed_from_without() -> None:
    data = AttestationData(slot=5, source=Checkpoint(epoch=3), target=Checkpoint(epoch=4, root=b"\x03" * 32))
    before, copied = data.hash_tree_root(), data.copy()
    data.target.epoch = 9
    data.source = Checkpoint(epoch=7)
    assert (data.slot, data.source.epoch, data.target.epoch, data.target.root) == (5, 7, 9, b"\x03" * 32)
    assert copied.hash_tree_root() == before != data.hash_tree_root()


def test_fields_that_are_none_are_named() -> None:
    with pytest.raises(AttributeError, match="Checkpoint has no fields named epch"):
        Checkpoint(epch=3)
    with pytest.raises(AttributeError, match="Checkpoint has no field named slot"):
        Checkpoint().slot  # noqa: B018
    with pytest.raises(AttributeError, match="slot"):
        Checkpoint().slot = 3
    with pytest.raises(Exception, match="31"):
        Checkpoint(root=b"\x00" * 31)
