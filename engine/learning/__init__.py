"""The proof-of-learning chain: proof of work proposes, proof of stake finalises, quorums validate LoRA training."""
