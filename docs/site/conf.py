"""Sphinx's settings for the site; scripts/make_site.py writes the pages and runs it."""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

from course_lib import __version__ as release

project, author = "Littlebrook", "the authors of Littlebrook"
copyright = f"{author} (text and code: Apache 2.0, data and weights: CC BY 4.0)"
extensions = ["myst_nb", "sphinx_design"]
myst_enable_extensions = ["dollarmath", "deflist", "html_image", "colon_fence"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
nb_execution_mode = "off"  # the pages show what the committed notebooks have printed
nb_merge_streams = True
suppress_warnings = ["myst.header"]  # a lab's title is followed by its sections, but a README's part may start lower
html_theme = "furo"
html_title = "Littlebrook"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_show_sphinx = html_show_sourcelink = html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#2f6f4f", "color-brand-content": "#1d6a46"},
    "dark_css_variables": {"color-brand-primary": "#7fcba4", "color-brand-content": "#7fcba4"},
}
html_math_renderer = "mathml"  # browsers draw it themselves: no script, no network, and screen readers can read it
add_module_names = False
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
python_maximum_signature_line_length = 100


def inline_math(writer, node):
    writer.body.append(convert(node.astext(), display="inline"))
    raise SkipNode  # nothing is left to write


def block_math(writer, node):
    writer.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise SkipNode  # nothing is left to write


def setup(app):
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
