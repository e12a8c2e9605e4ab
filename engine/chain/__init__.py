"""The chain: a local Ethereum node, the contracts on it, and transactions that survive a kill."""
