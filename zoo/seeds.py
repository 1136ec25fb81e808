"""Derives one seed for each random draw from the recipe's seed and the draw's name.

Layers that share an integer seed get identical kernels, and neighbouring seeds of some generators
give overlapping sequences. A hash of (seed, names) avoids both.
"""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: str | int, bits: int = 31) -> int:
    """Hashes a seed and names to an integer in [0, 2**bits), at most 256 bits."""
    text = "\0".join(map(str, (seed, *names)))
    digest = hashlib.blake2b(text.encode(), digest_size=32).digest()
    return int.from_bytes(digest, "big") % (1 << bits)
