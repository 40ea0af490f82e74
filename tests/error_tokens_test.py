#!/usr/bin/python3
"""error_tokens_test.py [ROOT]: fails on an error token that model/base/error_tokens.cc or the documentation lacks.

Checked: every token of the sources and tests is in the list, every token of the list is used by a source, and some table
of the Markdown files covers it, by name (`ONNX_OP`) or by family (`ONNX_*`). Standard library only.
"""
import pathlib
import re
import sys
import tempfile

LIST = "model/base/error_tokens.cc"
FAMILIES = r"(?:ARCH|GRAPH|MODEL|ONNX|PT|ST|TRAIN|ZIP)_[A-Z0-9_]*[A-Z0-9]"
SINGLE = r"DISK_FULL|NAME"
# A token starts a string literal, and ends it or is followed by a colon. Expectations in tests may quote the token alone.
USE = re.compile(rf'"({FAMILIES}|{SINGLE})(?:: |")')
# Words of other vocabularies that look like a token of ours.
FOREIGN = {"ONNX_ML", "NAME"}


def listed(root):
    return re.findall(r'^\s*\{"([A-Z0-9_]+)",', (root / LIST).read_text(encoding="utf-8"), re.M)


def uses(root):
    """Yields (path:line, token, whether a product source has it)."""
    for top in ("model", "server", "client", "tests"):
        for file in sorted((root / top).rglob("*")):
            path = file.relative_to(root).as_posix()
            if file.suffix not in (".cc", ".h") or path == LIST:
                continue
            for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
                for found in USE.finditer(line):
                    if found[1] in FOREIGN and not found[0].endswith(": "):
                        continue
                    yield f"{path}:{number}", found[1], top != "tests"


def documented(root):
    """The tokens and families ("ONNX_") of the first cells of the Markdown tables."""
    names, families = set(), set()
    for file in root.rglob("*.md"):
        if "build" in file.relative_to(root).parts:
            continue
        for cell in re.findall(r"^\|([^|]*)\|", file.read_text(encoding="utf-8"), re.M):
            for name, star in re.findall(r"`([A-Z0-9_]+)(\*?)`", cell):
                (families if star else names).add(name)
    return names, families


def problems(root):
    tokens = listed(root)
    used = set()
    for place, token, product in uses(root):
        if product:
            used.add(token)
        if token not in tokens:
            yield f"{place}: {token} is not in {LIST}"
    names, families = documented(root)
    for token in tokens:
        if token not in used:
            yield f"{LIST}: no source uses {token}"
        if token not in names and not any(token.startswith(family) for family in families):
            yield f"{LIST}: no table of the documentation has {token}"


def check_the_check():
    """Planted problems must be found."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in {
            LIST: '    {"ONNX_OP", "Meaning."},\n    {"ST_OLD", "Meaning."},\n    {"PT_X", "Meaning."},\n',
            "model/a.cc": 'Malformed("ONNX_OP", text); Malformed("ONNX_NEW", text); "PT_X: text"\n',
            "tests/a.cc": 'HasSubstr("ST_TYPO: text")\n',
            "README.md": "| token | meaning |\n|---|---|\n| `ONNX_OP`, `ST_*` | text |\n",
        }.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        expected = [f"model/a.cc:1: ONNX_NEW is not in {LIST}", f"tests/a.cc:1: ST_TYPO is not in {LIST}",
                    f"{LIST}: no source uses ST_OLD", f"{LIST}: no table of the documentation has PT_X"]
        found = list(problems(root))
        assert found == expected, found


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found = list(problems(root))
    print("\n".join(found) or f"{len(listed(root))} tokens are listed, used and documented")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
