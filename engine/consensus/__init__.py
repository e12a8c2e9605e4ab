"""Consensus: neural agents agree on a task through a Nash equilibrium that the chain checks."""
