"""How the chain's containers are read and made: what remerkleable works out each time is worked out once for a type.

A node reads thousands of fields a second. remerkleable collects a container's fields, counts the depth of its tree and
walks it bit by bit for each of them, and asks of every value whether it fits a protocol, which Python answers in a
tenth of a millisecond.
"""

from typing import Any, NamedTuple, Self

from remerkleable.core import BackedView
from remerkleable.tree import Node, get_depth, subtree_fill_to_contents


class _Field(NamedTuple):
    number: int
    kind: Any
    path: tuple[bool, ...]  # from the container's root: to the right?


class _Layout(NamedTuple):
    fields: dict[str, _Field]
    depth: int


class Planned:
    """Comes before ``Container`` among the bases of a container; nothing is inherited from other containers."""

    __slots__ = ()
    _layout: _Layout

    def __init_subclass__(cls, **kwargs: Any) -> None:
        kinds = {name: kind for name, kind in cls.__annotations__.items() if name[0] != "_"}
        depth = get_depth(len(kinds))
        cls._layout = _Layout(
            {
                name: _Field(number, kind, tuple(bool(number >> bit & 1) for bit in reversed(range(depth))))
                for number, (name, kind) in enumerate(kinds.items())
            },
            depth,
        )
        super().__init_subclass__(**kwargs)

    def __new__(cls, *, backing: Node | None = None, hook: Any = None, **values: Any) -> Self:
        """Make a container of a tree, or of values: views, or what their types take. Raises AttributeError."""
        if backing is None:
            nodes = []
            for name, field in cls._layout.fields.items():
                if name not in values:
                    nodes.append(field.kind.default_node())
                    continue
                value = values.pop(name)
                view = value if hasattr(value, "get_backing") else field.kind.coerce_view(value)
                nodes.append(view.get_backing())
            if values:
                raise AttributeError(f"{cls.__name__} has no fields named {', '.join(values)}")
            backing = subtree_fill_to_contents(nodes, cls._layout.depth)
        made: Self = BackedView.__new__(cls, backing=backing, hook=hook)
        return made

    def __getattr__(self, name: str) -> Any:
        """Return a field. Raises AttributeError."""
        try:
            number, kind, path = type(self)._layout.fields[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no field named {name}") from None
        node: Any = self.get_backing()
        for right in path:
            node = node.get_right() if right else node.get_left()
        return kind.view_from_backing(node, lambda changed: self.set(number, changed))

    @classmethod
    def fields(cls) -> dict[str, Any]:
        """Return the types of the fields."""
        return {} if cls is Planned else {name: field.kind for name, field in cls._layout.fields.items()}

    @classmethod
    def tree_depth(cls) -> int:
        """Return how deep the fields lie."""
        return cls._layout.depth

    @classmethod
    def item_elem_cls(cls, number: int) -> Any:
        """Return the type of a field."""
        return list(cls._layout.fields.values())[number].kind
