"""Folders of images: which of them are splits and classes, and the files in them."""
