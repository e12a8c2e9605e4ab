"""Every widget in both themes, as pictures: ``python -m widgets.gallery --out DIR``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from widgets.gallery_samples import SAMPLES, Sample
from widgets.theme import apply_theme


def frame(sample: Sample, margin: int = 20) -> QWidget:
    """A window of the right size around a fresh widget."""
    window = QWidget()
    window.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    layout = QVBoxLayout(window)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.addWidget(sample.make())
    window.resize(sample.width + 2 * margin, sample.height + 2 * margin)
    return window


def render(app: QApplication, folder: Path, names: list[str], themes: tuple[str, ...]) -> list[Path]:
    """Write one picture for each widget and theme; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for theme in themes:
        apply_theme(app, theme)
        for name in names:
            window = frame(SAMPLES[name])
            window.show()
            for _ in range(3):
                app.processEvents()
            path = folder / f"{name}-{theme}.png"
            window.grab().save(str(path))
            window.close()
            window.deleteLater()
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            written.append(path)
    return written


def main(arguments: list[str] | None = None) -> int:
    """Command line of the gallery."""
    parser = argparse.ArgumentParser(prog="python -m widgets.gallery", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--only", nargs="*", choices=sorted(SAMPLES), help="only these widgets")
    parser.add_argument("--theme", choices=("light", "dark"), help="only this theme")
    parser.add_argument("--scale", type=float, default=1.0, help="scale factor, 1 to 2")
    options = parser.parse_args(arguments)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["QT_SCALE_FACTOR"] = str(options.scale)
    app = QApplication([])
    themes = (options.theme,) if options.theme else ("light", "dark")
    for path in render(app, options.out, options.only or list(SAMPLES), themes):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
