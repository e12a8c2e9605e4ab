"""The off-chain phase: who proposes what, whose word counts, and the equilibrium of that."""
