"""Measurements: speed, memory and quality of trainers side by side, and what batch sizes do."""
