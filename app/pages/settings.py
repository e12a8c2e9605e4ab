"""The settings dialog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QCheckBox, QLabel, QWidget

from app.dialogs import Dialog, choose_files
from app.settings import Settings
from widgets.basics import button, label, line, row
from widgets.forms import ChoiceField, IntField, TextField

THEMES = (("system", "As the desktop"), ("light", "Light"), ("dark", "Dark"))


class SettingsDialog(Dialog):
    """Edits a copy of the settings; ``on_change`` gets each valid version, so that the theme switches live."""

    def __init__(
        self,
        parent: QWidget,
        settings: Settings,
        folder: Path,
        on_change: Callable[[Settings], None],
        *,
        on_reset_layout: Callable[[], None],
    ) -> None:
        super().__init__(parent, "Settings", "settings", "accent")
        self._settings = settings
        self._on_change = on_change
        self.setMinimumWidth(560)
        self._theme = ChoiceField("Theme", THEMES, value=settings.theme)
        self._workers = IntField(
            "Worker processes", settings.workers, minimum=0, maximum=256, help="0: one a processor"
        )
        self._anvil = TextField(
            "Anvil program", settings.anvil_path, help="Empty: search the usual places", required=False
        )
        self._confirm = QCheckBox("Ask before chain actions, naming their consequence")
        self._confirm.setChecked(settings.confirm_chain_actions)
        self._note = label(
            "Worker processes and Anvil take effect at the next start of a round or the devnet.", "muted", wrap=True
        )
        self._build(folder, on_reset_layout)

    def _build(self, folder: Path, on_reset_layout: Callable[[], None]) -> None:
        self.body.addWidget(self._theme)
        self.body.addWidget(self._workers)
        browse = button("Locate…", "open")
        browse.clicked.connect(self._browse)
        across = row(spacing=8)
        across.addWidget(self._anvil, 1)
        across.addWidget(browse)
        self.body.addLayout(across)
        self.body.addWidget(self._confirm)
        self.body.addWidget(self._note)
        self.body.addWidget(line())
        where: QLabel = label(str(folder), "mono", wrap=True, selectable=True)
        self.body.addWidget(label("Data directory", "strong"))
        self.body.addWidget(where)
        self.body.addWidget(label("Start with --data-dir to use another one.", "muted", wrap=True))
        self._theme.valueChanged.connect(lambda value: self._set(theme=value))
        self._workers.valueChanged.connect(lambda value: self._set(workers=value) if self._workers.valid else None)
        self._anvil.valueChanged.connect(lambda value: self._set_anvil(value))
        self._confirm.toggled.connect(lambda on: self._set(confirm_chain_actions=on))
        self.offer("Reset layout", on_reset_layout, "ghost", closes=False)
        self.offer("Reset all", self._reset, "ghost", closes=False)
        self.offer("Close", None, "primary")

    def _set(self, **changes: Any) -> None:
        self._settings = self._settings.model_copy(update=changes)
        self._on_change(self._settings)

    def _set_anvil(self, value: str) -> None:
        text = value.strip()
        if text and not Path(text).expanduser().is_file():
            self._anvil.set_error("There is no such file")
            return
        self._anvil.set_error("")
        self._set(anvil_path=text)

    def _browse(self) -> None:
        choose_files(
            self, "Locate Anvil", "All files (*)", lambda files: self._anvil.set_value(str(files[0])), several=False
        )

    def _reset(self) -> None:
        plain = Settings()
        self._theme.set_value(plain.theme)
        self._workers.set_value(plain.workers)
        self._anvil.set_value(plain.anvil_path)
        self._confirm.setChecked(plain.confirm_chain_actions)
        self._settings = plain
        self._on_change(plain)
