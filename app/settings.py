"""The operator's settings: one TOML file in the data directory, checked by pydantic."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Step = Callable[[dict[str, Any]], dict[str, Any]]
# The first makes what version 1 wrote into version 2, and so on. A released step never changes.
STEPS: tuple[Step, ...] = ()


class Settings(BaseModel):
    """What the operator chose. ``anvil_path`` empty: search the usual places; ``workers`` 0: one a processor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    theme: Literal["system", "light", "dark"] = "system"
    anvil_path: str = ""
    workers: int = Field(default=0, ge=0, le=256)
    devnet_port: int | None = Field(default=None, ge=1024, le=65535)
    chain_id: int = Field(default=31337, ge=1, le=2**31 - 1)
    confirm_chain_actions: bool = True

    @property
    def anvil(self) -> Path | None:
        """The Anvil to use, None to search for one."""
        return Path(self.anvil_path).expanduser() if self.anvil_path else None


class SettingsFile:
    """Loads and saves the settings; a file that cannot be used is kept aside, never thrown away.

    ``steps`` carry files of earlier versions over; the version of this program is one more than they are.
    """

    def __init__(self, folder: Path, steps: Sequence[Step] = STEPS) -> None:
        self.path = folder / "settings.toml"
        self._steps = steps
        self._version = len(steps) + 1

    def load(self) -> tuple[Settings, str]:
        """Return the settings and what the operator should be told ('' when all is well)."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Settings(), ""
        except (OSError, UnicodeDecodeError) as error:
            return Settings(), self._set_aside("unreadable", f"could not be read ({error.__class__.__name__})")
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            return Settings(), self._set_aside("corrupt", f"is not valid TOML ({error})")
        version = raw.pop("version", 1)
        if type(version) is not int or version < 1:
            return Settings(), self._set_aside("invalid", f"holds a bad value for version ({version!r:.40})")
        if version > self._version:
            told = self._set_aside(f"v{version}", f"was written by a newer Nashboard (version {version})")
            return Settings(), f"{told} Update Nashboard to use it again, under its old name."
        try:
            return self._carried_over(raw, version)
        except ValidationError as error:
            return Settings(), self._set_aside("invalid", _first_fault(error))

    def _carried_over(self, raw: dict[str, Any], version: int) -> tuple[Settings, str]:
        """Return the settings in a file of this or an earlier version; an earlier file is kept, then written anew."""
        for step in self._steps[version - 1 :]:
            raw = step(raw)
        settings = Settings.model_validate(raw)
        if version == self._version:
            return settings, ""
        kept = self._free_name(f"v{version}")
        try:
            shutil.copy2(self.path, kept)
            self._write(settings, keep_unknown=False)
        except OSError:
            return settings, ""  # they are in use all the same, and are carried over again at the next start
        return settings, f"The settings of version {version} were carried over; the old file was kept as {kept.name}."

    def save(self, settings: Settings) -> None:
        """Write the settings atomically; comments of the operator in the file survive. Raises OSError."""
        self._write(settings)

    def _write(self, settings: Settings, *, keep_unknown: bool = True) -> None:
        try:
            document = tomlkit.parse(self.path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomlkit.exceptions.TOMLKitError):
            document = tomlkit.document()
            document.add(tomlkit.comment("Nashboard's settings. Delete a line to get its default back."))
        values = {"version": self._version, **settings.model_dump()}
        for key in () if keep_unknown else [key for key in document if key not in values]:
            document.pop(key)  # a name that only an earlier version knew
        for key, value in values.items():
            if value is None:
                document.pop(key, None)
            else:
                document[key] = value
        _write_atomically(self.path, tomlkit.dumps(document))

    def _set_aside(self, label: str, why: str) -> str:
        backup = self._free_name(label)
        try:
            shutil.copy2(self.path, backup)
            self.path.unlink()
        except OSError:
            return f"The settings file {why}. The defaults are in use."
        return f"The settings file {why}. It was kept as {backup.name}, and the defaults are in use."

    def _free_name(self, label: str) -> Path:
        backup = self.path.with_name(f"settings.{label}.toml")
        number = 1
        while backup.exists():
            number += 1
            backup = self.path.with_name(f"settings.{label}-{number}.toml")
        return backup


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"]) or "file"
    return f"holds a bad value for {place} ({fault['msg']})"


def _write_atomically(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".settings-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
