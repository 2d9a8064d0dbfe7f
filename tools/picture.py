"""Draw docs/comment.png, the README's picture, from the comment of the demo's weather pull request."""

import subprocess
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

from tools import play

TARGET = play.HERE / "docs" / "comment.png"
STYLE = """
body { font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; color: #1f2328; margin: 0; background: #fff }
main { border: 1px solid #d1d9e0; border-radius: 6px; margin: 12px; padding: 12px 16px }
table { border-collapse: collapse; margin: 0 0 12px; white-space: nowrap } td, th { border: 1px solid #d1d9e0; padding: 5px 11px }
tr:nth-child(2n) { background: #f6f8fa } details { margin: 6px 0 } p { margin: 0 0 12px }
code { font: 12px/1.4 "DejaVu Sans Mono", monospace; background: #818b981f; border-radius: 6px; padding: 2px 5px; white-space: pre }
"""


def main() -> None:
    """Render the comment as the forge would, and photograph it."""
    comment = (play.HOME / "weather.md").read_text(encoding="utf-8")
    body = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(comment)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "comment.html"
        page.write_text(f"<meta charset=utf-8><style>{STYLE}</style><main>{body}</main>", encoding="utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1.5"]
        flags += ["--window-size=980,430", f"--user-data-dir={folder}/profile", f"--screenshot={TARGET}"]
        subprocess.run(["chromium", *flags, page.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main()
