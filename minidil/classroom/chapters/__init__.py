"""The exercises, a module for each chapter: what is asked, how cases are drawn, what is right, and the catalogue of mistakes."""
