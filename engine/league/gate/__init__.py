"""The gate: decides which modules may play, and writes gas and stack metering into those that may."""
