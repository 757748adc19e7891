"""Drills: what is too heavy for every test run, each catching a planted fault before its silence counts."""
