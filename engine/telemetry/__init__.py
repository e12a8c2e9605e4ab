"""Telemetry: what the engine tells the outside by metrics, WebSocket and HTTP."""
