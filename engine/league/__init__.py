"""The WASM arena: the gate, the sandbox, matches, their traces and bundles, and the leagues played with them."""
