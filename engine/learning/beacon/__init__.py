"""The beacon chain as pure functions: a state is never changed, a transition returns the next one."""
