"""Who plays whom, one format a file. Every format is a pure function of the round seed, the roster and the results."""
