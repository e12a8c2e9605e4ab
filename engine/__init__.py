"""Nashboard's engine: Qt-free, usable as a library and headless."""
