"""Write README.md, the tour of the bug museum, from its exhibits: python chapters/exercises/museum/make.py"""

from pathlib import Path

from minidil.classroom.museum.tour import tour

if __name__ == "__main__":
    Path(__file__).with_name("README.md").write_text(tour(), encoding="utf-8")
