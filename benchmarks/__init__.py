"""What is measured of speed and memory, and against what: a command for each measurement, and the parts they share.

Nothing in the laboratory imports from here. Recorded figures stand in RESULTS.md, with their date and machine.
"""
