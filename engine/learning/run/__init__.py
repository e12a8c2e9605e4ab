"""A run of the learning chain: time and order, the record of it, nodes and their validators, the world of them all."""
