"""Neural agents: a small multilayer perceptron, trained anywhere, becomes an int8 agent without a compiler.

``archive`` opens a ``.pt`` file without running any of it, ``model`` takes the layers out, ``features`` and ``actions``
say what goes in and what comes out on a System, ``play`` gathers observations, ``quantise`` turns floats into integers,
``twin`` is the same network in torch, ``emit`` writes the WebAssembly, and ``build`` does all of this in order.

Nothing here is imported before a model is built: torch takes longer to load than everything else.
"""
