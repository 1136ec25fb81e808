"""Text of foreign origin on its way into messages: safe to print, and cut to what can be read."""
