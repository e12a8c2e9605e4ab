"""Games and their equilibria: what is played, solvers as iterators of steps, and one verification for all of them."""
