"""What the demos share and what no lesson is about: the command line, settings that work."""
