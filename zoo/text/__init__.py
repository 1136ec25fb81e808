"""Text for people: of foreign origin, safe to print and cut to what can be read; sizes, counts."""
