"""Settings of the site. `minidil book` lays this folder over a copy of the checkout, and runs Sphinx there."""

import sys
from pathlib import Path

from minidil import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "minidil"
author = "minidil"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "reference", "pages", "editions"]

include_patterns = [
    "*.md",
    "api/*.rst",
    "chapters/*.md",
    "chapters/*.ipynb",
    "chapters/exercises/*.ipynb",
    "chapters/exercises/museum/*.md",
    "datasets/*.md",
    "docs/**.md",
    "source/**.md",
    "minidil/**/README.md",
]
exclude_patterns = ["**/.ipynb_checkpoints"]

# The chapters are shown as they are stored. The catalogues follow from these settings: others give other messages.
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
gettext_compact = False
gettext_location = False
gettext_additional_targets = ["image"]
locale_dirs = ["locales"]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
add_module_names = False

html_theme = "sphinx_book_theme"
html_title = "minidil"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "article_header_end": ["edition", "article-header-buttons"],
    "navbar_persistent": [],
    "show_navbar_depth": 1,
}
mathjax_path = "mathjax/tex-chtml.js"
