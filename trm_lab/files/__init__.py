"""Reading and writing files and folders: written whole or not at all, and read without trusting who wrote them.

Nothing here knows what a file is about.
"""
