"""One seed for each thing that is drawn, derived from the recipe's seed and the thing's name.

Two layers given the same integer seed get identical kernels, and neighbouring seeds of some
generators overlap; a hash of (seed, names) does neither.
"""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: str | int, bits: int = 31) -> int:
    """An integer in [0, 2**bits) that depends on the seed and on every name."""
    text = "\0".join(map(str, (seed, *names)))
    digest = hashlib.blake2b(text.encode(), digest_size=32).digest()
    return int.from_bytes(digest, "big") % (1 << bits)
