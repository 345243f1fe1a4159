"""Measures a server from outside: how many answers a second, and how long each takes."""
