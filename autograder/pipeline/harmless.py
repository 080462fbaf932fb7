"""Keeps the harmless part of HTML. Also a program, for HTML that may take long.

nh3 alone decides what is harmless. It cannot be interrupted, and parsing as the standard asks for
takes time that grows with the square of the nesting: what is long is cleaned in a process of its
own, which the operating system ends. To start that soon, nothing of the project is imported here.
"""

import re
import resource
import subprocess
import sys

import nh3

_TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del"),
    *("div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr"),
    *("i", "img", "kbd", "li", "mark", "ol", "p", "pre", "s", "small", "span", "strong", "sub"),
    *("sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul"),
}
_IMAGE = re.compile(r"data:image/(png|jpeg|gif|svg\+xml);base64,[A-Za-z0-9+/=]+")
_CODE = re.compile(r"<(script|style)\b.*?(</\1\s*>|\Z)", re.ASCII | re.IGNORECASE | re.DOTALL)
_ANCHOR = re.compile(r'<a class="anchor-link"[^<>]*>[^<]*</a>')
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
#: HTML up to this length is cleaned here: at worst it takes half a second.
_SHORT = 2**14
#: A megabyte of what somebody wrote takes less than half a second.
_SECONDS, _MEMORY_BYTES = 2, 2**29
#: A quotation mark becomes six characters; more than that is made of tags that are opened again
#: and again, without end.
_MAX_GROWTH = 6


def _attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src":
        kept = _IMAGE.fullmatch(value) is not None
    elif tag == "a" and name == "href":
        kept = value.startswith(("https://", "http://", "mailto:"))
    elif name in ("colspan", "rowspan"):
        kept = value.isdigit()
    else:
        kept = name in ("alt", "title")
    return value if kept else None


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=set(),
    attributes={
        "*": {"alt", "title"},
        "a": {"href"},
        "img": {"src"},
        "td": {"colspan", "rowspan"},
        "th": {"colspan", "rowspan"},
    },
    attribute_filter=_attribute,
    url_schemes={"http", "https", "mailto", "data"},
    url_relative="deny",
    link_rel=None,
)


def clean_html(html: str) -> str:
    """Keep the harmless part of HTML; what is left of the rest is its text.

    Raises:
        ValueError: that takes too much time or memory.
    """
    if len(html) <= _SHORT:
        return _harmless(html)
    command = [sys.executable, "-I", __file__]
    ended = subprocess.run(command, input=html.encode(), capture_output=True, check=False)
    if ended.returncode:
        raise ValueError(f"HTML that is too hard to clean (status {ended.returncode})")
    return ended.stdout.decode()


def _harmless(html: str) -> str:
    html = _ANCHOR.sub("", _CODE.sub("", html))  # anchors are of markdown's headings
    html = _TAG.sub(_without_rules, html)
    # A tag that never ends is text. The standard would have it go, with all that follows.
    whole, end, rest = html.rpartition(">")
    html = whole + end + rest.replace("<", "&lt;")
    made = _CLEANER.clean(html)
    if len(made) > _MAX_GROWTH * len(html) + _SHORT:
        raise ValueError("HTML that grows without end")
    return made


def _without_rules(tag: re.Match[str]) -> str:
    """The begin of a tag that stays; or one of no meaning, so that nothing goes with it.

    In a title or a noscript, tags would become text; the text of a formula or an SVG would go.
    """
    return tag[0] if tag[2].lower() in _TAGS else f"<{tag[1]}x"


def _main() -> None:
    for kind, most in ((resource.RLIMIT_CPU, _SECONDS), (resource.RLIMIT_DATA, _MEMORY_BYTES)):
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))
    sys.stdout.buffer.write(_harmless(sys.stdin.buffer.read().decode()).encode())


if __name__ == "__main__":
    _main()
