"""Rounds: led from end to end, kept, resumed, and started by the service."""
