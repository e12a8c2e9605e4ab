"""Stands in for PySide6.QtOpenGL in a build: pyqtgraph imports it, and uses it only when told to draw by OpenGL."""
