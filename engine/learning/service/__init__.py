"""Runs of the learning chain as jobs: started, paused, stepped, disturbed, kept and gone on with."""
