"""Figures of checks and searches, made of plain numbers and rows: no model is loaded."""
