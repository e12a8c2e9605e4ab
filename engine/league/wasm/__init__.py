"""Reading and writing WebAssembly binaries, as far as the gate needs."""
