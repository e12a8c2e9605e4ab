"""One consensus on several chains."""
