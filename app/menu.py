"""What the menus and the command palette offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import Command
from app.guide import show_guide
from app.help import show_help, show_keys
from app.links import Place
from app.undo import undo_here
from app.window import PAGES

if TYPE_CHECKING:
    from app.wiring import Wiring


def add_commands(w: Wiring) -> None:
    """Register every command and build the menus."""
    pages = [
        Command(f"page.{key}", title, lambda k=key: w.navigator.go(Place(k)), "View", (f"Ctrl+{n}",), key)
        for n, (key, title) in enumerate(PAGES, start=1)
    ]
    w.commands.add(_file_commands(w))
    w.commands.add(pages)
    w.commands.add(_view_commands(w))
    w.commands.add(w.chain.commands())
    w.commands.add(w.games.commands())
    w.commands.add(w.agreements.commands())
    w.commands.add(w.league.commands())
    w.commands.add(w.learnings.commands())
    w.commands.add(_help_commands(w))
    w.commands.fill_menus(("File", "View", "Devnet", "Consensus", "League", "Learning", "Help"))


def _file_commands(w: Wiring) -> list[Command]:
    return [
        Command("open", "Open files…", w.open_dialog, "File", ("Ctrl+O",), "open"),
        *w.workspaces.commands(),
        Command("save", "Save…", lambda: w.current_page().save(), "File", ("Ctrl+S",), "export"),
        Command("undo", "Undo the last local edit", lambda: undo_here(w), "File", ("Ctrl+Z",), "undo"),
        Command("find", "Find on this page", lambda: w.current_page().find(), "File", ("Ctrl+F",), "search"),
        Command("settings", "Settings…", w.show_settings, "File", ("Ctrl+,",), "settings", apart=True),
        Command("quit", "Quit", w.window.close, "File", ("Ctrl+Q",), "power", apart=True),
    ]


def _view_commands(w: Wiring) -> list[Command]:
    def theme(name: str) -> None:
        w.console.save_settings(w.console.settings.model_copy(update={"theme": name}))

    return [
        Command("palette", "Command palette", w.show_palette, "View", ("Ctrl+K",), "command", apart=True),
        Command("back", "Back", w.navigator.back, "View", ("Alt+Left",), "left"),
        Command("forward", "Forward", w.navigator.forward, "View", ("Alt+Right",), "forward"),
        Command("full", "Full screen", w.full_screen, "View", ("F11",), "collapse"),
        Command("theme.light", "Light theme", lambda: theme("light"), "View", (), "sun", apart=True),
        Command("theme.dark", "Dark theme", lambda: theme("dark"), "View", (), "moon"),
        Command("theme.system", "Theme of the desktop", lambda: theme("system"), "View", (), "system"),
    ]


def _help_commands(w: Wiring) -> list[Command]:
    return [
        Command("help", "Getting started", lambda: show_help(w), "Help", ("F1",), "help"),
        Command("guide", "Guide", lambda: show_guide(w.window), "Help", ("Shift+F1",), "logs"),
        Command("demo.next", "Next step of the demo", w.overview.next_step, "Help", (), "forward"),
        Command("keys", "Keyboard shortcuts", lambda: show_keys(w), "Help", ("?",), "command"),
        Command("demo", "Run the guided demo", w.start_demo, "Help", (), "rocket", apart=True),
        Command("logs.folder", "Open the log folder", w.console.open_logs, "Help", (), "logs", apart=True),
    ]
