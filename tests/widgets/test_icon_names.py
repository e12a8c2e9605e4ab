"""Every icon that the program names is there: an unknown name would show as a dot."""

from __future__ import annotations

import ast
from pathlib import Path

from PySide6.QtWidgets import QApplication

from widgets import icons

ROOT = Path(icons.__file__).resolve().parent.parent
# Where the name of an icon stands among the arguments: the place, and the keyword.
CALLS = {"icon": 0, "IconLabel": 0, "EmptyPanelState": 0, "tool_button": 0, "button": 1, "Action": 2, "Command": 5}


def named() -> dict[str, str]:
    """The names in the sources, each with a place where it stands."""
    found: dict[str, str] = {}
    for path in [*ROOT.glob("app/**/*.py"), *ROOT.glob("widgets/*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
                given = [one.value for one in node.keywords if one.arg in ("icon", "icon_name")]
                given += node.args[CALLS[node.func.id] :][:1]
                for one in given:
                    for part in ast.walk(one):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value:
                            found[part.value] = f"{path.relative_to(ROOT)}:{node.lineno}"
    return found


def test_every_icon_that_is_named_is_there(qapp: QApplication) -> None:
    names = named()
    assert len(names) > 50
    codes = icons._charmap()[1]
    missing = {name: where for name, where in names.items() if icons.NAMES.get(name, name) not in codes}
    assert not missing
