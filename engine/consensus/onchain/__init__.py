"""The chain's part: agents registered, positions submitted, the certificate proven, the result verified."""
