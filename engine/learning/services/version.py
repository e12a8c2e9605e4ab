"""What the services call themselves."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    _release = version("nashboard")
except PackageNotFoundError:  # run from a folder of sources
    _release = "0"
CLIENT = f"nashboard/v{_release}"
