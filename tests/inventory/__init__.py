"""Tests of zoo.inventory."""
