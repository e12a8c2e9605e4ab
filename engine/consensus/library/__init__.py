"""What programs of one's own use: the consensus over torch agents, and what is built on it."""
