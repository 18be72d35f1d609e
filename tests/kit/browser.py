"""Pages in a real browser: Chromium without a window, which reports what it shows.

Its flags: https://developer.chrome.com/docs/chromium/headless. Mermaid is the library with which GitHub renders diagrams; .ci/run
downloads it from npm.
"""

import hashlib
import html
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kit.projects import REPOSITORY
from tests.kit.waiting import LIMIT_S

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--virtual-time-budget=30000",
)
_LIGHT, _DARK = 1, 0
"""The values of preferredColorScheme."""
_MERMAID = REPOSITORY / ".browser" / "mermaid.min.js"
MERMAID_SHA256 = "581ed7d74bd9048d0e3a91363927d72ef22942d7722546b27f7cc29e35390eb8"
_READ_TEXTS = """
// What is in a closed <details> is not shown.
const scroll = [view.scrollX, view.scrollY];
const leaves = [...page.querySelectorAll('h1, h2, p, th, td, summary, text')]
  .filter(element => element.textContent.trim() && (element.tagName == 'SUMMARY' || !element.closest('details')));
const shown = leaves.filter(element => element.checkVisibility({opacityProperty: true, visibilityProperty: true}));
const images = new Map([...page.querySelectorAll('svg')].map(image => [image, image.getBoundingClientRect()]));
return shown.map(element => {
  const box = element.getBoundingClientRect(), image = images.get(element.closest('svg'));
  const inside = !image || box.left >= image.left - 1 && box.right <= image.right + 1 && box.top >= image.top - 1
    && box.bottom <= image.bottom + 1;
  const style = view.getComputedStyle(element);
  return [element.textContent, box.left + scroll[0], box.top + scroll[1], box.right + scroll[0], box.bottom + scroll[1], inside,
    style.fill, style.color];
});
"""
_RENDER = """
const rendered = [];
for (const [index, text] of DIAGRAMS.entries()) {
  try {
    const {svg} = await window.mermaid.render('diagram' + index, text);
    const parsed = new DOMParser().parseFromString(svg, 'text/html');
    document.body.insertAdjacentHTML('beforeend', svg);
    const drawn = document.body.lastElementChild;
    const labels = [...drawn.querySelectorAll('.nodeLabel, .edgeLabel p')];
    rendered.push({
      labels: labels.map(element => element.textContent.trim()),
      tags: [...new Set([...drawn.querySelectorAll('*')].map(element => element.tagName.toLowerCase()))],
      error: '',
    });
  } catch (error) {
    rendered.push({labels: [], tags: [], error: String(error)});
  }
}
return rendered;
"""


@dataclass(frozen=True)
class ShownText:
    """A text that a page shows, with its place in pixels, and whether it is within its image."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    inside: bool
    fill: str
    color: str

    def overlaps(self, other: "ShownText") -> bool:
        """Return True if two texts overlap by more than a pixel in both directions."""
        return (
            min(self.right, other.right) - max(self.left, other.left) > 1
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 1
        )


@dataclass(frozen=True)
class Browser:
    """A browser, and the folder for its files."""

    program: str
    folder: Path

    def read_texts(self, page: str, *widths: int, dark: bool = False) -> list[list[ShownText]]:
        """Open a page or an SVG image in a frame of each width, and return the texts that it shows there."""
        frames = "".join(
            f'<iframe style="width:{width}px;height:800px;border:0" srcdoc="{html.escape(page)}"></iframe>' for width in widths
        )
        script = (
            f"function read(view, page) {{{_READ_TEXTS}}}"
            "window.addEventListener('load', () => report([...document.querySelectorAll('iframe')].map("
            "frame => read(frame.contentWindow, frame.contentDocument))));"
        )
        return [[ShownText(*values) for values in found] for found in self._run(f"{frames}<script>{script}</script>", dark=dark)]

    def render_mermaid(self, diagrams: Sequence[str]) -> list[dict[str, Any]]:
        """Render diagrams with Mermaid; return for each its labels, the names of its elements, and the error if there is one."""
        if not _MERMAID.exists():
            pytest.skip("Mermaid is not downloaded (see .ci/run)")
        assert hashlib.sha256(_MERMAID.read_bytes()).hexdigest() == MERMAID_SHA256
        script = _RENDER.replace("DIAGRAMS", json.dumps(list(diagrams)).replace("</", "<\\/"))
        return list(
            self._run(
                f'<script src="{_MERMAID.as_uri()}"></script>'
                "<script>window.mermaid.initialize({startOnLoad: false});"
                f"(async () => {{{script}}})().then(report);</script>"
            )
        )

    def _run(self, body: str, *, dark: bool = False) -> Any:
        """Open a page whose scripts call `report` with a value, and return the value."""
        page = self.folder / "page.html"
        reporting = "<script>function report(value) { document.documentElement.dataset.report = JSON.stringify(value) }</script>"
        page.write_text(f'<!doctype html><html><meta charset="utf-8"><body>{reporting}{body}</body></html>', encoding="utf-8")
        command = [
            self.program,
            *_FLAGS,
            f"--user-data-dir={self.folder / 'profile'}",
            f"--blink-settings=preferredColorScheme={_DARK if dark else _LIGHT}",
            "--dump-dom",
            page.as_uri(),
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
        mark = 'data-report="'
        assert mark in result.stdout, f"the page reported nothing: {result.stdout[:500]}\n{result.stderr[-500:]}"
        return json.loads(html.unescape(result.stdout.partition(mark)[2].partition('"')[0]))


def open_browser(folder: Path) -> Browser:
    """Return a browser; skip the test if there is none."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium (apt-get install chromium)")
    return Browser(program, folder)


def find_overlaps(texts: Sequence[ShownText]) -> list[tuple[str, str]]:
    """Return the pairs of texts that overlap."""
    found: list[tuple[str, str]] = []
    open_texts: list[ShownText] = []
    for text in sorted(texts, key=lambda text: text.top):
        open_texts = [other for other in open_texts if other.bottom > text.top]
        found += [(other.text, text.text) for other in open_texts if other.overlaps(text)]
        open_texts.append(text)
    return found
