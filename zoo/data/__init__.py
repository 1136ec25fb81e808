"""Images: found, verified, cached, split and normalised.

`load.load(recipe)` is the entry point; `batches` (zoo/batches.py) reads what it returns. `layout`
and `divide` are light: they need neither numpy nor Pillow.
"""
