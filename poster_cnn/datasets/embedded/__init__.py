"""Drawn movie posters for the embedded dataset: a pen, letters, motifs, and whole posters made of them."""
