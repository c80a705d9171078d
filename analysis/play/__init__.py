"""A page to play with: `python -m analysis.play` writes it with trained weights in it, and opens it in the browser.

Here live the page's own network, rules and drawing, and what puts weights into it. It needs no server and no network.
"""
