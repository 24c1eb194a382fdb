"""The command line: one file per verb. The only room that knows of it."""
