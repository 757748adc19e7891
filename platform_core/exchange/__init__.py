"""Rows as files and back: CSV, XLSX and JSON Lines, written piece by piece and read with limits.

Knows neither resources nor models. ``platform_core.resource`` decides which rows and columns there are, and who may.
"""
