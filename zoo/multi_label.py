"""Images with any number of classes: which of them an image is said to show. Light."""

from __future__ import annotations

THRESHOLD = 0.5  # Probability from which on an image is said to show a class.
