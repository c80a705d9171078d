"""What is measured of speed and memory, and against what."""
