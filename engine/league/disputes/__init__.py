"""Disputes: what a dishonest host may publish, how it is found out, and how the chain's court decides on it."""
