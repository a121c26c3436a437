"""`minidil sweep`: a TOML file of settings and spaces in; a folder with a run for each trial, and pictures of the study, out.

space.py is what can be tried, config.py the file, trial.py one training, study.py who takes which trial, and what becomes of
those of a killed process.
"""

from minidil.cli.sweep.command import add

__all__ = ["add"]
