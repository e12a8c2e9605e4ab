"""The machine learning of the chain: models, texts, LoRA training, the gate's evaluation, and brains that join them."""
