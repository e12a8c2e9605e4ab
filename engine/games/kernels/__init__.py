"""CUDA kernels of our own for many games at once, and the code that launches them through CuPy."""
