#!/usr/bin/python3
"""readme_test.py BIN ROOT: runs the commands of every README and guide, in order, in a copy of the tracked files.

BIN: the folder with sigserve and sigctl. Each fenced block of sh, python and js is either run or listed in NOT_RUN with the reason
and a cheaper check. A line of sh that starts the server runs in the background until the file ends. Free ports take the place of
the ports in the text, so that a server on this machine does not matter. Fails on the first command that exits non-zero, on a block
that neither runs nor is listed, and on a listed one that no file has. The test first tests itself: it must find planted faults.
Standard library only.
"""
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

# The start of a block -> why it is not run here. sh is still parsed (bash -n), python compiled, js parsed if node is here; options of
# our programs are looked up in their --help, and paths of this repository must exist.
NOT_RUN = {
    "deploy/quickstart.sh --once": "installs packages and builds; its steps are run one by one here",
    "tests/run.sh": "runs this test",
    "docker build": "there is no container engine in the tests",
    "deploy/install_packages.sh": "installs packages and builds",
    "cmake --preset release -B build/bench": "needs a build of its own",
    "torch.onnx.export": "PyTorch is not a dependency of the tests",
    "onnx = skl2onnx": "skl2onnx and onnxmltools are not Debian packages",
    "command -v protoc-gen-go": "Go's plugins are not a dependency of the tests",
    'const grpc = require("@grpc/grpc-js")': "needs npm packages",
}
SERVER = "build/release/bin/sigserve "
PORTS = ("8001", "8002", "8443")  # what the text names


def free_ports():
    """PORTS -> ports that nothing listens on."""
    sockets = [socket.socket() for _ in PORTS]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    found = {port: str(one.getsockname()[1]) for port, one in zip(PORTS, sockets)}
    for one in sockets:
        one.close()
    return found


def blocks(text):
    """(line, language, block) of each fenced block that names a language."""
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        yield text[:found.start()].count("\n") + 1, found[1], found[2]


def commands(block):
    """The commands of a block of sh: continued lines and loops joined."""
    joined = re.sub(r"\\\n\s*", " ", block)
    if re.search(r"^(for|while|if) ", joined, re.M) or "cd " in joined:
        return [joined]
    return [line for line in joined.split("\n") if line.strip() and not line.startswith("#")]


class Failed(Exception):
    pass


class Runner:
    def __init__(self, root):
        self.root = root
        self.servers = []
        self.ports = free_ports()
        self.environment = dict(os.environ, SIGSERVE_ADDRESS=f"127.0.0.1:{self.ports['8001']}")

    def on_free_ports(self, text):
        return re.sub(r"(127\.0\.0\.1:|localhost:)(\d+)\b", lambda found: found[1] + self.ports.get(found[2], found[2]), text)

    def run(self, place, arguments, text):
        done = subprocess.run(arguments, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=300,
                              check=False)
        if done.returncode != 0:
            raise Failed(f"{place}: exit {done.returncode}\n{text}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def start_server(self, place, command):
        words = shlex.split(command, comments=True)
        for flag, port in (("--grpc_address", "8001"), ("--http_address", "8002")):
            if not any(word.startswith(flag) for word in words):
                words.append(f"{flag}=127.0.0.1:{self.ports[port]}")
        server = subprocess.Popen(words, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.servers.append(server)
        line = server.stdout.readline()  # the announcement, once it serves
        if "gRPC on" not in line:
            raise Failed(f"{place}: the server does not start\n{command}\n{server.stderr.read()}")

    def stop_servers(self):
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
            if server.wait(timeout=60) != 0:
                raise Failed(f"the server ended with {server.returncode}")
            server.stdout.close()
            server.stderr.close()
        self.servers = []

    def check_only(self, place, language, block):
        if language == "sh":
            self.run(place, ["bash", "-n", "-c", block], block)
            for path in re.findall(r"(?<![\w/.-])((?:deploy|tests|model|server|client|proto)/[\w./-]*\w)", block):
                if not (self.root / path).exists():
                    raise Failed(f"{place}: {path} does not exist")
            for command in commands(block):
                self.check_options(place, command)
        elif language == "python":
            compile(block, place, "exec")
        elif language == "js" and shutil.which("node"):
            (self.root / "build/block.js").write_text(block, encoding="utf-8")
            self.run(place, ["node", "--check", "build/block.js"], block)

    def check_options(self, place, command):
        program = re.search(r"bin/(sigserve|sigctl)(?: +([a-z]+))?", command)
        if program is None:
            return
        binary = f"build/release/bin/{program[1]}"
        verb = [program[2]] if program[1] == "sigctl" and program[2] else []
        known = self.run(place, [binary, *verb, "--help"], command)
        for option in re.findall(r"(--[a-z][\w-]*)", command[program.end():]):
            if option not in known:
                raise Failed(f"{place}: {program[1]} has no {option}")

    def run_block(self, place, language, block):
        if language == "sh":
            for command in commands(block):
                if command.startswith(SERVER):
                    self.start_server(place, command)
                else:
                    self.run(place, ["bash", "-euo", "pipefail", "-c", command], command)
        elif language == "python":
            self.run(place, ["/usr/bin/python3", "-c", block], block)


def check_readme(runner, name, text, used):
    for line, language, block in blocks(text):
        place = f"{name}:{line}"
        if language not in ("sh", "python", "js"):
            continue
        reason = next((start for start in NOT_RUN if block.startswith(start)), None)
        if reason is not None:
            used.add(reason)
            runner.check_only(place, language, block)
        elif language == "js":
            raise Failed(f"{place}: a block that is neither run nor listed in NOT_RUN")
        else:
            runner.run_block(place, language, runner.on_free_ports(block))


# Text of a README -> what the failure must say; None = it passes.
PLANTED = [
    ("```sh\ntrue\n```\n", None),
    ("```sh\nfalse\n```\n", "exit 1"),
    ("```sh\ntests/run.sh --fast && (\n```\n", "syntax error"),
    ("```sh\ntests/run.sh tests/no_such_file\n```\n", "tests/no_such_file does not exist"),
    ("```sh\ndocker build . && build/release/bin/sigctl models --no-such-option\n```\n", "sigctl has no --no-such-option"),
    ("```python\nraise SystemExit(3)\n```\n", "exit 3"),
    ("```js\nconsole.log(1)\n```\n", "neither run nor listed"),
]


def self_test(runner):
    for text, expected in PLANTED:
        try:
            check_readme(runner, "planted", text, set())
            said = None
        except Failed as failed:
            said = str(failed)
        if (said is None) != (expected is None) or (expected and expected not in said):
            sys.exit(f"readme_test's own test: {text!r} should give {expected!r}, but gave {said!r}")


def copy_tree(source, target):
    git = shutil.which("git")
    tracked = git and subprocess.run([git, "ls-files", "-z"], cwd=source, capture_output=True, check=False)
    if tracked and tracked.returncode == 0:
        for name in filter(None, tracked.stdout.decode().split("\0")):
            if (source / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / name, target / name)
    else:  # an image's build has no git
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("build", ".git"))


def documents(root):
    """README.md and the guides at the top, then each folder's README."""
    top = sorted(path for path in root.glob("*.md") if path.name != "README.md")
    below = sorted(path for path in root.glob("*/**/README.md") if "build" not in path.relative_to(root).parts)
    return [str(path.relative_to(root)) for path in [root / "README.md", *top, *below]]


def main():
    binaries, source = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        copy_tree(source, root)
        (root / "build/release").mkdir(parents=True)
        (root / "build/release/bin").symlink_to(binaries)
        runner, used = Runner(root), set()
        self_test(runner)
        try:
            for readme in documents(root):
                if readme.split("/")[0] in ("client", "proto"):
                    runner.start_server(readme, f"{SERVER}--repository=deploy/examples/repository")
                check_readme(runner, readme, (root / readme).read_text(encoding="utf-8"), used)
                runner.stop_servers()
            unused = set(NOT_RUN) - used
            if unused:
                raise Failed(f"NOT_RUN lists what no document has: {', '.join(sorted(unused))}")
        except Failed as failed:
            for server in runner.servers:
                server.kill()
            sys.exit(str(failed))
    print("The commands of every README and guide work.")


if __name__ == "__main__":
    main()
