"""Published results beside our own: claims, verdicts and the table of both."""
