"""Images: where they are, how they are read, checked, kept and normalised.

`load.load(recipe)` is the way in. `layout` alone is light: it needs neither numpy nor Pillow.
"""
