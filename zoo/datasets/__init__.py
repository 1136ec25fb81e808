"""Images: found, verified, cached, split and normalised.

`load.load(recipe)` is the entry point; `batches` (zoo/batches.py) reads what it returns.

    folders/     folders of images: which of them are splits and classes, and their files
    tables/      tables of images, such as CSV files
    tfds.py      TensorFlow Datasets; digits.py: scikit-learn's digits
    division/    which image goes to which split: draws, groups, folds, chosen classes
    decoding/    from a file to pixels
    content/     what a data set holds beside its labels
    cache.py     decoded images on the disk

Modules that say "Light." need neither numpy nor Pillow: recipe errors come without them.
"""
