"""Stakes of a learning chain on the staking contract: deposits, checkpoints and slashings, through the outbox."""
