"""The console: binds the engine to widgets; the only place that knows both."""
