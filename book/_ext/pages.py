"""What stands between the repository's Markdown and a site: descriptions of figures, links to files, MathJax, the explorer."""

from __future__ import annotations

import json
import re
from importlib.metadata import files
from pathlib import Path
from shutil import copyfile

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

import minidil

# Of MathJax: the program, its fonts, and what it fetches itself for single commands of TeX
_MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2/", "input/tex/extensions/")
_PROGRAM = re.compile(r"\]\(([^)\s:]+\.py)\)")
_MENDED = {
    re.compile(r'<summary aria-label="[^"]*">'): "<summary>",
    re.compile(r'(<button class="btn search-button-field [^>]*) aria-label="[^"]*"'): r"\1",
    re.compile(r"<dl>\n((?:<dd>.*</dd>\n)+)</dl>"): r'<span class="parameters">\n\1</span>',
    re.compile(r'<dd>(<em class="sig-param">.*)</dd>'): r"<span>\1</span>",
}
_SOURCE = """---
orphan: true
---
# {name}

```{{literalinclude}} /{name}
:language: python
:linenos:
```
"""


def _describe_figures(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give each figure of a notebook the words that its cell has for it; catalogues of translations do without them."""
    if app.builder.name == "gettext" or app.env.doc2path(docname).suffix != ".ipynb":
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        if alt := cell["metadata"].get("alt"):
            cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
    source[0] = json.dumps(notebook)


def _show_sources(app: Sphinx, _config: object) -> None:
    """Make a page of every program that a page links to."""
    top = Path(app.srcdir).resolve()
    for page in [path for pattern in ("*.md", "*.ipynb") for path in top.rglob(pattern)]:
        for link in _PROGRAM.findall(page.read_text(encoding="utf-8")):
            program = (page.parent / link).resolve()
            if program.is_file() and program.is_relative_to(top):
                name = program.relative_to(top).as_posix()
                shown = top / "source" / f"{name}.md"
                shown.parent.mkdir(parents=True, exist_ok=True)
                shown.write_text(_SOURCE.format(name=name), encoding="utf-8")


def _link_to_files(app: Sphinx, document: nodes.document) -> None:
    """A link to a program leads to its page; one to a folder, which has none, becomes its text."""
    top = Path(app.srcdir).resolve()
    for node in [*document.findall(addnodes.download_reference), *document.findall(addnodes.pending_xref)]:
        if node.get("reftype") != "myst" or node.get("refdomain"):
            continue
        target = (Path(app.env.doc2path(node["refdoc"])).parent / node["reftarget"]).resolve()
        if target.is_dir():
            node.replace_self(node.children)
        elif target.suffix == ".py":
            name = f"source/{target.relative_to(top).as_posix()}"
            place = {"reftarget": name, "reftargetid": None, "refdoc": node["refdoc"]}
            how = {"refdomain": "doc", "reftype": "myst", "refexplicit": True}
            node.replace_self(addnodes.pending_xref("", *node.children, **place, **how))


def _add_files(app: Sphinx) -> None:
    static = Path(app.srcdir) / "_static"
    static.mkdir(exist_ok=True)
    minidil.analysis.explore((1, 2, 4)).save(static / "explorer.html")
    for file in files("sphinx-mathjax-offline") or ():
        _, found, name = file.as_posix().partition("/static/mathjax/")
        if found and name.startswith(_MATHJAX):
            (static / "mathjax" / name).parent.mkdir(parents=True, exist_ok=True)
            copyfile(file.locate(), static / "mathjax" / name)


def _mend_pages(app: Sphinx, error: Exception | None) -> None:
    """Mend what Sphinx writes against the rules of accessible pages: names that differ from the text, lists without terms."""
    if error is None and app.builder.name == "html":
        for path in Path(app.outdir).rglob("*.html"):
            text = path.read_text(encoding="utf-8")
            for pattern, right in _MENDED.items():
                text = pattern.sub(right, text)
            path.write_text(text, encoding="utf-8")
        words = Path(app.outdir) / "_static" / "language_data.js"
        # Chinese pages bring the stemmer of their English words along, and name one that does not exist: no search would start.
        words.write_text(
            words.read_text(encoding="utf-8").replace("ChineseStemmer", "EnglishStemmer"), encoding="utf-8"
        )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", _show_sources)
    app.connect("builder-inited", _add_files)
    app.connect("source-read", _describe_figures)
    app.connect("doctree-read", _link_to_files)
    app.connect("build-finished", _mend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
