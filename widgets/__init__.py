"""Widgets: plain data in (``set_state``), intent signals out. Knows Qt and pyqtgraph, nothing of the engine."""
