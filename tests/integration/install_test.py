#!/usr/bin/python3
"""install_test.py BUILD_DIR VERSION: `cmake --install` gives programs that run from their new place and know their version."""
import pathlib
import subprocess
import sys
import tempfile

build, version = sys.argv[1:]
with tempfile.TemporaryDirectory() as prefix:
    subprocess.run(["cmake", "--install", build, "--prefix", prefix, "--component", "programs"], check=True)
    for program in ("sigserve", "sigctl"):
        path = pathlib.Path(prefix) / "bin" / program
        printed = subprocess.run([path, "--version"], check=True, capture_output=True, text=True).stdout
        assert printed == f"{program} {version}\n", f"{path} --version printed {printed!r}"
        usage = subprocess.run([path, "--help"], check=True, capture_output=True, text=True).stdout
        assert program in usage, usage
