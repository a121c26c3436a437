"""The checked-in kernels are what the generator writes."""

from importlib import import_module
from pathlib import Path


def test_the_generated_file_is_up_to_date():
    generate = import_module("minidil.kernels.cuda.generate")
    written = Path(generate.__file__).with_name("generated.py").read_text()
    assert written == generate.text(), "run python -m minidil.kernels.cuda.generate"


def test_writing_it_again(tmp_path, monkeypatch):
    generate = import_module("minidil.kernels.cuda.generate")
    monkeypatch.setattr(generate, "__file__", str(tmp_path / "generate.py"))
    generate.main()
    assert (tmp_path / "generated.py").read_text() == generate.text()
