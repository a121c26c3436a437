"""`minidil plot`: draw the curves of runs from their metrics.csv."""
