"""Decodes image files: formats, bit depths, alpha, sizes."""
