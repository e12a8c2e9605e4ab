"""One algorithm a file; :mod:`engine.games.methods` lists them. Compiled twins end in ``_jit``."""
