"""The site's page try.html: every stage of the course in a browser tab.

Its parts: docs/site/try (page, style, three modules of JavaScript), what course_lib/authoring/page.py makes out of the
models and the village, and two libraries that npm fetches by docs/site/try/package-lock.json.
"""

import base64
import gzip
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

from course_lib.authoring import page

ROOT = Path(__file__).resolve().parents[1]
PARTS = ROOT / "docs" / "site" / "try"
QUIETLY = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0")  # without a network: fail at once
LIBRARIES = (
    "onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
    "@huggingface/tokenizers/dist/tokenizers.min.mjs",
)


def libraries(packages: Path) -> str | None:
    """Fetch the two libraries into `packages` if they are not there; what is missing, in a line, or None."""
    try:
        import onnx  # noqa: F401
    except ImportError:
        return "onnx is not installed (pip install -e '.[site]')"
    lock = PARTS / "package-lock.json"
    if all((packages / "node_modules" / file).exists() for file in LIBRARIES):
        if (packages / lock.name).read_bytes() == lock.read_bytes():
            return None
    npm = shutil.which("npm")
    if not npm:
        return "npm is missing (Debian, Ubuntu: apt-get install npm)"
    packages.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", lock.name):
        shutil.copy(PARTS / name, packages)
    done = subprocess.run([npm, "ci", *QUIETLY], cwd=packages, capture_output=True)
    return None if done.returncode == 0 else f"npm could not fetch its libraries: {done.stderr.decode()[-200:].strip()}"


def with_models(guide: str) -> str:
    """docs/try.md as a page: the models stand between its opening and its first section."""
    draws = "".join(f'<button type="button" data-kind="{kind}">{words}</button>' for kind, words in page.DRAWS.items())
    body = (PARTS / "body.html").read_text(encoding="utf-8")
    for name, html in {"strip": page.strip(), "draws": draws, "recorded": page.recorded()}.items():
        body = body.replace(f"{{{name}}}", html)
    opening, mark, rest = guide.partition("\n## ")
    return f"---\nhide-toc: true\n---\n{opening}\n````{{raw}} html\n{body}\n````\n{mark}{rest}"


def write_files(out: Path, packages: Path) -> None:
    """What the page loads, into out/try; and the policy that lets it load from nowhere else, into the page."""
    folder = out / "try"
    page.export(folder)
    for path in PARTS.glob("*.*s"):
        shutil.copy(path, folder)
    for file in LIBRARIES:
        made = (packages / "node_modules" / file).read_bytes()
        if file.endswith(".wasm"):
            (folder / f"{Path(file).name}.gz").write_bytes(gzip.compress(made, mtime=0))
        else:
            (folder / Path(file).name).write_bytes(re.sub(rb"\n//# sourceMappingURL=\S+\s*$", b"\n", made))
    html = (out / "try.html").read_text(encoding="utf-8")
    (out / "try.html").write_text(with_policy(html), encoding="utf-8")


def with_policy(html: str) -> str:
    """The page with a content security policy: its own host and nothing else; scripts in the page by their hashes."""
    inside = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", html, re.S)
    hashes = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in inside}
    policy = "; ".join(
        (
            "default-src 'none'",
            " ".join(["script-src 'self' 'wasm-unsafe-eval'", *(f"'sha256-{each}'" for each in sorted(hashes))]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
        )
    )
    return html.replace("<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{policy}">', 1)
