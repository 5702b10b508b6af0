"""Embedded dataset of invented movies with drawn posters."""
