"""The site: every page where it lies in the repository, nothing copied, nothing executed."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for `made`

project = "bayesmig"
author = "The bayesmig developers"
project_copyright = author
version = release = installed("bayesmig")
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_design",
    "made",
]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "notebooks/*.ipynb",
    "models/**/CARD.md",
    "*.md",
]
exclude_patterns = ["README.md", "models/_skeleton/**"]
nitpicky = True
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(arviz|collections|matplotlib|np|numpy|pandas|pathlib|pd|pm|pymc|typing|xarray|xr)\..*",
    )
]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks show the output that is stored in them
nb_ipywidgets_js = {}  # which would come from the network
nb_merge_streams = True

autodoc_typehints = "none"  # numpydoc has them in words
autodoc_member_order = "bysource"
default_role = "autolink"  # a name in single backticks is a link if there is such a name
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = f"bayesmig {version}"
html_favicon = "static/mark.svg"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "redirect.html"}
templates_path = ["templates"]
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {
    name: [] for name in ("docs/index", "docs/print", "docs/gallery", "notebooks/quick_start")
}
html_theme_options = {
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
