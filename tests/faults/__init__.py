"""Faults on purpose: processes killed at any moment, changes to the disk that fail, a disk that is full.

Each module is a program of its own; `tests/test_faults.py` runs a short form of each, `make torture` the long ones.
"""
