"""What every field of the engine stands on: events, errors, jobs, processes, hashing, Merkle trees."""
