"""HTML, mail and Markdown: the same figures, harmless whatever a name holds, self-contained, two printed pages."""

from __future__ import annotations

import base64
import html as html_module
import json
import re
from html.parser import HTMLParser

import pytest

import riskwatch.digest.render as render_module
from riskwatch.digest import Trees, render_email, render_html, render_json, render_markdown
from riskwatch.digest.numbers import amount, percent
from riskwatch.digest.render import css_string, markdown_text
from riskwatch.digest.sentences import ink_on
from riskwatch.errors import RiskwatchError
from tests.digest.conftest import printed_pages

BAD_NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a | b | c",
    "[x](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "http://evil.example www.evil.example me@evil.example",
    "`code` **bold** _em_ ~~no~~ # head",
    "line\n# heading\n\n<b>block</b>",
    "{{ 7*7 }} {% raw %} {0} {subject}",
    "\u202eevil\u202c",
    "=cmd|' /C calc'!A0",
)


class Words(HTMLParser):
    """Visible text and tags of a page, alternative texts of pictures included."""

    def __init__(self):
        super().__init__()
        self.text, self.tags, self.attributes, self.skip = [], [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.skip = tag in {"style", "title"}
        self.text += [value for name, value in attrs if name == "alt"]

    def handle_endtag(self, tag):
        self.skip = False

    def handle_data(self, data):
        if not self.skip:
            self.text.append(data)


def read(page):
    words = Words()
    words.feed(page)
    return words


def figures(text):
    return sorted(re.findall(r"\d[\d,.\-/]*\d|\d", text))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_html_and_markdown_show_the_same_figures(ordinary, language):
    page = read(render_html(ordinary, language))
    markdown = html_module.unescape(re.sub(r"\\(.)", r"\1", render_markdown(ordinary, language)))
    markdown = re.sub(r"^#+ ", "", markdown, flags=re.MULTILINE)
    once = markdown.count("SIMULATED" if language == "en" else "模拟数据：")
    assert once == 2
    assert figures(" ".join(page.text)) == figures(markdown)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_figures_of_the_json_are_those_of_the_page(ordinary, language):
    text = " ".join(read(render_html(ordinary, language)).text)
    data = json.loads(render_json(ordinary))
    for card in data["warnings"]:
        if not card["in_full"]:
            continue
        lead = card["measures"][0]
        assert amount(lead["observed"]) in text
        if lead["exposure"] is None:
            assert f"{amount(lead['observed'])} {'人' if language == 'zh' else 'persons'}" in text
            assert amount(lead["expected"]) in text
        else:
            assert percent(lead["observed"], lead["exposure"]) in text
            assert percent(lead["expected"], lead["exposure"]) in text
    for name in ("records", "series", "tests", "alarms"):
        assert amount(data["coverage"][name]) in text
    for name in ("checked", "failed_recheck"):
        assert amount(data["focus"]["firms"][name]) in text


def renamed(name):
    class Bad:
        def name(self, code, language):
            return name

        def level_of(self, code):
            return "leaf"

        def path(self, code):
            return [code]

    return Bad()


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_cannot_inject(build, name):
    from importlib import import_module

    regions = build.__globals__["REGIONS"]
    digest = build(trees=Trees(product=renamed(name), industry=renamed(name), region=regions), series_history={})
    harmless = build(series_history={})
    plain = read(render_html(harmless, "zh"))
    page = read(render_html(digest, "zh"))
    assert page.tags == plain.tags
    assert [key for key, _ in page.attributes] == [key for key, _ in plain.attributes]
    commonmark = import_module("markdown_it").MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    shape = [(token.type, token.tag) for token in commonmark.parse(render_markdown(harmless, "zh"))]
    tokens = commonmark.parse(render_markdown(digest, "zh"))
    assert [(token.type, token.tag) for token in tokens] == shape
    inner = {child.type for token in tokens for child in token.children or ()}
    assert inner <= {"text", "strong_open", "strong_close", "softbreak", "text_special"}


def test_markdown_breaks_bare_links():
    assert markdown_text("http://a.example www.a.example x@a.example") == r"http:\//a.example www\.a.example x\@a.example"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_html_survives_mail_clients(ordinary, language):
    page = read(render_html(ordinary, language))
    assert not {"script", "link", "iframe", "object", "form", "video", "svg"} & set(page.tags)
    for name, value in page.attributes:
        if name in {"src", "href", "background"}:
            assert value.startswith("data:image/png;base64,")
    html = render_html(ordinary, language)
    assert "http" not in re.sub(r"base64,[^\"]*", "", html)
    assert "@media print" in html
    assert "@page" in html
    # Styles are on the elements themselves: clients that drop <style> still show colours.
    assert len(re.findall(r"<td[^>]* style=", html)) > 50


def test_mail_carries_its_pictures(ordinary):
    mail = render_email(ordinary, "zh")
    cids = re.findall(r'src="cid:([^"]+)"', mail.html)
    assert cids == [image.cid for image in mail.images]
    assert len(cids) == 3
    assert all(image.content.startswith(b"\x89PNG") for image in mail.images)
    assert "data:image" not in mail.html
    embedded = [base64.b64decode(found) for found in re.findall(r'base64,([^"]+)"', render_html(ordinary, "zh"))]
    assert embedded == [image.content for image in mail.images]
    assert "q<0.001" in mail.text
    assert "\\" not in mail.text
    assert figures(mail.text.replace("# ", "")) == figures(html_module.unescape(re.sub(r"\\(.)", r"\1", render_markdown(ordinary, "zh"))))
    assert mail.subject == "【内部】长春市市场监督管理局 每日预警简报 2025-12-31 第 128 期（一级 0、二级 1）【模拟数据】"
    assert "\n" not in mail.subject


def test_bytes_do_not_change_between_runs(build):
    assert render_html(build(), "zh") == render_html(build(), "zh")
    assert render_json(build()) == render_json(build())


def test_a_chart_that_two_centres_show_is_drawn_once(ordinary, monkeypatch):
    render_module._drawn.cache_clear()
    drawn = []
    draw = render_module.plots.to_png
    monkeypatch.setattr(render_module.plots, "to_png", lambda figure: drawn.append(1) or draw(figure))
    first = render_html(ordinary, "zh")
    once = len(drawn)
    assert once > 0
    assert render_html(ordinary, "zh") == first
    assert len(drawn) == once
    render_html(ordinary, "en")
    assert len(drawn) == 2 * once


def test_colour_is_never_alone(ordinary):
    """Every coloured badge carries the words of its level."""
    for language, word in (("zh", "级"), ("en", "Level")):
        html = render_html(ordinary, language)
        badges = re.findall(r'<span class="badge"[^>]*>([^<]*)</span>', html)
        assert len(badges) > 10
        assert all(word in badge for badge in badges)


@pytest.mark.parametrize("colour", ["#C62828", "#EF6C00", "#F9A825", "#1565C0", "#b3261e", "#b45309", "#8a6d00", "#1d5fa8"])
def test_ink_is_readable_on_every_level(colour):
    def luminance(code):
        parts = [int(code[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
        return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(colour), luminance(ink_on(colour))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_simulated_is_said_at_top_end_and_on_every_sheet(ordinary, build):
    html = render_html(ordinary, "zh")
    assert html.count("模拟数据：本简报由模拟数据生成") == 2
    assert "模拟" not in render_html(build(simulated=False), "zh")
    assert "SIMULATED" not in render_html(build(simulated=False), "en")


def test_text_in_a_style_sheet_cannot_close_its_string():
    assert css_string('a"; } </style> b') == r"a\000022 \00003b  \00007d  \00003c \00002f style\00003e  b"


def test_unknown_language_is_named(ordinary):
    with pytest.raises(RiskwatchError, match="digest: language must be one of zh, en, got 'fr'"):
        render_html(ordinary, "fr")


@pytest.mark.parametrize(("centre", "language"), [("CHANGCHUN", "zh"), ("PROVINCE", "en")])
def test_an_ordinary_day_prints_on_two_pages(build, tmp_path, centre, language):
    assert printed_pages(render_html(build(build.__globals__[centre]), language), tmp_path) <= 2
