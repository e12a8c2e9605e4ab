"""Agents: their models, strategies, learning, identity, and the process that models run in."""
