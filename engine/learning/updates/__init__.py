"""LoRA updates: their one file form, their geometry, the rules that combine them, and how they are judged."""
