"""What a visit leaves in its folder."""

RUNNING, FOUND = "running", "found.json"
