"""One room a task: what networks are trained for beside naming whole images, each with its loss, metric and control."""
