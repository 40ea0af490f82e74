#!/usr/bin/python3
"""layering_test.py [--edges] [ROOT]: fails on an include, a CMake edge, a folder or a file size that the plan forbids.

The tables are the plan (README, "The map", draws them). First the check is checked: it must find planted violations.
Standard library only. Prints every violation as FILE:LINE: what, and why.
"""
import pathlib
import re
import sys
import tempfile

# Folder -> the folders that its files include and its target links: direct edges, all of them and no others. An edge that
# no include uses is a violation, too.
FOLDERS = {
    "model/base": [],
    "model/tensor": ["model/base"],
    "model/formats/weights": ["model/base", "model/tensor"],
    "model/kernels": ["model/base"],
    "model/ops/core": ["model/base", "model/tensor", "model/kernels"],
    "model/ops/math": ["model/tensor", "model/kernels", "model/ops/core"],
    "model/ops/ml": ["model/kernels", "model/ops/core"],
    "model/ops/nn": ["model/base", "model/tensor", "model/kernels", "model/ops/core"],
    "model/ops/shape": ["model/ops/core"],
    "model/ops": ["model/base", "model/ops/core", "model/ops/math", "model/ops/ml", "model/ops/nn", "model/ops/shape"],
    "model/graph": ["model/base", "model/tensor", "model/ops/core", "model/ops"],
    "model/formats/architecture": ["model/base", "model/formats/weights", "model/graph"],
    "model/formats/onnx": ["model/base", "model/tensor", "model/formats/weights", "model/ops/core", "model/ops",
                           "model/graph"],
    "model/formats/safetensors": ["model/base", "model/formats/weights"],
    "model/formats/torch_state_dict": ["model/base", "model/formats/weights"],
    "model/formats": ["model/base", "model/graph", "model/formats/architecture", "model/formats/onnx",
                      "model/formats/safetensors", "model/formats/torch_state_dict"],
    "model/graph/passes": ["model/base", "model/ops/core", "model/ops/ml", "model/ops", "model/graph"],
    "model/repository": ["model/base"],
    "model/runtime": ["model/base", "model/tensor", "model/kernels", "model/ops/core", "model/graph", "model/graph/passes"],
    "model/autodiff": ["model/base", "model/kernels", "model/ops/core", "model/ops/math", "model/ops", "model/graph"],
    "model/train": ["model/base", "model/tensor", "model/graph", "model/autodiff"],
    "server/batching": ["model/base", "model/tensor"],
    "server/net": ["model/base"],
    "server/config": ["model/base", "server/batching", "server/net"],
    "server/metrics": ["model/base", "server/net"],
    "server/registry": ["model/base", "model/tensor", "model/graph", "model/formats/safetensors",
                        "model/formats", "model/repository", "model/runtime", "server/batching",
                        "server/config"],
    "server/rpc": ["model/base"],
    "server/training": ["model/base", "model/graph", "model/formats/onnx", "model/repository", "model/train",
                        "server/config", "server/registry"],
    "server/codec": ["model/base", "model/tensor", "model/repository", "model/runtime", "server/batching",
                     "server/registry", "server/rpc", "server/training"],
    "server/predict": ["model/base", "server/batching", "server/metrics", "server/registry", "server/rpc",
                       "server/codec"],
    "server/services": ["model/base", "server/metrics", "server/registry", "server/rpc", "server/training",
                        "server/codec"],
    "server/transport": ["model/base", "server/net", "server/rpc"],
    "server/transport/grpc": ["model/base", "server/rpc", "server/transport"],
    "server": ["model/base", "model/repository", "server/batching", "server/config", "server/metrics",
               "server/registry", "server/rpc", "server/training", "server/predict", "server/services",
               "server/transport", "server/transport/grpc"],
    "client": [],
    "client/bench": ["client"],
    "client/cli": ["client", "client/bench"],
}
# Tests: folder -> the trees it may use in addition to tests/support.
TESTS = {
    "tests/unit/model": ["model"],
    "tests/unit/server": ["model", "server"],
    "tests/unit/client": ["client"],
    "tests/robustness": ["model", "server"],
    "tests/sweep": ["model"],
    "tests/differential": ["model"],
    "tests/integration": ["model", "server", "client"],
    "tests/client_package": ["client"],
    "tests/fuzz": ["model", "server"],
    "tests/bench": ["model", "server", "client"],
    "tests/support": ["model", "server"],
}
OTHER_TOP_LEVEL = ["proto", "tests", "deploy"]

# What is included (a pattern) -> the paths that may (patterns from the start of the path). Tests may use everything but
# the last part.
SERVICE = r"server/(rpc|transport/grpc|codec|predict|services)/|server/server\.cc|client/"
# Who may use gRPC, by include or by link.
GRPC = r"server/transport/grpc/|server/$|server/server\.cc|client/"
FENCES = [
    (r"grpc(pp)?/(?!.*\.pb\.h)|.*\.grpc\.pb\.h", GRPC, "gRPC stays in its engine, the composition and the client"),
    (r"(sigserve/v1|inference|grpc/.*)/.*\.pb\.h", rf"server/config/|{SERVICE}", "our protos stay in codec, services, config, server.cc and client"),
    (r"google/protobuf/", rf"server/config/|model/formats/(onnx|architecture)/|{SERVICE}", "Protobuf stays at the edges"),
    (r"onnx/", r"model/formats/onnx/", "the ONNX protobuf stays in model/formats/onnx"),
    (r"hwy/", r"model/kernels/.*(\.cc|-inl\.h)$", "Highway stays in the kernels' sources"),
    (r"Eigen/", r"model/(ops|train)/.*\.cc$", "Eigen stays in the sources of model/ops and model/train"),
    (r"prometheus/", r"server/metrics/", "prometheus-cpp stays in server/metrics"),
    (r"nlohmann/", r"client/cli/json_reader\.cc|server/training/|model/formats/safetensors/", "JSON stays where files are JSON"),
    (r"zlib\.h", r"model/formats/torch_state_dict/|server/transport/grpc/", "zlib is for PyTorch's archives and the transport"),
    (r"openssl/", r"(model/formats/onnx|server/transport)/|client/(credentials|connection_probe)\.cc",
     "OpenSSL checks the SHA-1 of ONNX's external data, and TLS files"),
    (r"nghttp2/", r"client/bench/", "HTTP/2 by hand stays in the load generator"),
    (r"event2/", r"server/net/", "libevent serves HTTP in server/net"),
    (r"g(test|mock)/|tests/", r"(?!)", "test code stays in tests"),
]
BANNED = [
    (r"absl/log/", "Debian 12's Abseil has none"),
    (r"omp\.h", "one process, one thread pool of ours"),
]
# Text -> where it must not be (a pattern), and why.
WORDS = [
    (r"\bgetenv\(", r"(model|server|client|tests)/(?!.*main\.cc)", "the environment is read in main only"),
    (r"\b(sleep_for|SleepFor|usleep)\(", r"tests/(?!bench)", "tests do not sleep"),
]
# Pattern of a path -> the most lines it should have, the most it may have.
SIZES = [(r"tests/", 500, 600), (r".*\.h$", 200, 250), (r".*\.cc$", 400, 600)]


def home(path):
    """The folder of FOLDERS that a path like model/ops/gemm.cc lies in, or None."""
    folder = str(pathlib.PurePosixPath(path).parent)
    return folder if folder in FOLDERS else None


def check_include(path, included):
    """Why `path` may not include `included`, or None."""
    for pattern, why in BANNED:
        if re.match(pattern, included):
            return why
    in_tests = path.startswith("tests/")
    for pattern, allowed, why in FENCES:
        if re.match(pattern, included) and not in_tests and not re.match(allowed, path):
            return why
    top = included.split("/")[0]
    if top not in ("model", "server", "client"):
        return None
    if in_tests:
        trees = next((trees for folder, trees in TESTS.items() if path.startswith(folder + "/")), None)
        if trees is None:
            return "tests/: a folder that the table does not have"
        return None if top in trees else f"{path} may use {', '.join(trees)} only"
    target = home(included)
    if target is None:
        return f"no folder of the plan holds {included}"
    allowed = FOLDERS[home(path)] if home(path) else []
    if target == home(path) or target in allowed:
        return None
    return f"{home(path)} may use: {', '.join(allowed) or 'nothing of ours'}"


def check_file(root, path):
    """Yields (line, what) for one C++ file."""
    lines = (root / path).read_text(encoding="utf-8").split("\n")
    if path.split("/")[0] != "tests" and home(path) is None:
        yield 1, "lies in no folder of the plan"
        return
    for number, line in enumerate(lines, 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            if found[1] == '"' and "/" not in found[2]:
                yield number, f'includes "{found[2]}": write the path from the root of the project'
            why = check_include(path, found[2])
            if why:
                yield number, f"includes {found[2]}: {why}"
        for text, where, why in WORDS:
            if re.search(text, line) and re.match(where, path):
                yield number, f"{line.strip()}: {why}"
    for pattern, should, may in SIZES:
        if re.match(pattern, path):
            if len(lines) - 1 > may:
                yield 1, f"{len(lines) - 1} lines; should be at most {should}, must be at most {may}"
            break


def check_cmake(path, text):
    """Yields (line, what) for links between our libraries that the table does not have."""
    targets = {folder.replace("/", "_"): folder for folder in FOLDERS}
    for found in re.finditer(r"sigserve_library\(\s*(\w+)([^)]*)\)", text):
        source = targets.get(found[1])
        for target in found[2].split():
            if source and target in targets and targets[target] not in FOLDERS[source]:
                yield text[:found.start()].count("\n") + 1, f"{found[1]} links {target}: {source} may not use {targets[target]}"


def check_circles():
    """Yields each folder that reaches itself through the table's edges."""
    def reached(folder, seen):
        for used in FOLDERS[folder]:
            if used not in seen:
                seen.add(used)
                reached(used, seen)
        return seen

    for folder in FOLDERS:
        if folder in reached(folder, set()):
            yield f"{folder}: reaches itself through the table's edges"


def check_unused(root):
    """Yields the edges of the table that no include uses."""
    for folder, edges in FOLDERS.items():
        used = set()
        for file in (root / folder).glob("*"):
            if file.suffix in (".h", ".cc"):
                for included in re.findall(r'^\s*#\s*include\s*"([^"]+)"', file.read_text(encoding="utf-8"), re.M):
                    used.add(home(included))
        for edge in edges:
            if edge not in used:
                yield f"{folder}: the table's edge to {edge} is not used by any include"


def check_links(root):
    """Yields each library that reaches gRPC through its links although its folder may not use gRPC."""
    links = {}
    for file in root.rglob("CMakeLists.txt"):
        if "build" in file.relative_to(root).parts:
            continue
        text = re.sub(r"#[^\n]*", "", file.read_text(encoding="utf-8"))
        for found in re.finditer(r"(?:sigserve_library|target_link_libraries)\(\s*(\w+)([^)]*)\)", text):
            links.setdefault(found[1], set()).update(found[2].split())

    def way_to_grpc(target, seen):
        for link in sorted(links.get(target, [])):
            if link.startswith(("gRPC::", "grpc_")):
                return [target, link]
            if link not in seen:
                seen.add(link)
                way = way_to_grpc(link, seen)
                if way:
                    return [target] + way
        return None

    for folder in FOLDERS:
        way = None if re.match(GRPC, folder + "/") else way_to_grpc(folder.replace("/", "_"), set())
        if way:
            yield f"{folder}: links gRPC: {' -> '.join(way)}"


def check_proto(path, lines):
    for number, line in enumerate(lines, 1):
        found = re.match(r'import (?:public )?"([^"]+)"', line)
        if found and not re.match(r"(sigserve/v1|inference|google/protobuf)/", found[1]):
            yield number, f"imports {found[1]}: proto imports nothing of ours"


def check_tree(root):
    """All violations below `root`, as 'path:line: what'."""
    violations = []
    tops = {f.split("/")[0] for f in FOLDERS} | set(OTHER_TOP_LEVEL)
    for entry in sorted(root.iterdir()):
        if not entry.is_dir() or entry.name.startswith(".") or entry.name == "build":
            continue
        if entry.name not in tops:
            violations.append(f"{entry.name}:1: a top-level folder that the plan does not have: {', '.join(sorted(tops))}")
            continue
        for file in sorted(entry.rglob("*")):
            path = file.relative_to(root).as_posix()
            if not file.is_file():
                continue
            if file.suffix in (".h", ".cc", ".cpp", ".hpp"):
                found = check_file(root, path)
            elif file.name == "CMakeLists.txt":
                found = check_cmake(path, file.read_text(encoding="utf-8"))
            elif file.suffix == ".proto":
                found = check_proto(path, file.read_text(encoding="utf-8").split("\n"))
            else:
                continue
            violations += [f"{path}:{line}: {what}" for line, what in found]
    return violations


# A file with its text -> the violation that must be found, or None.
PLANTED = [
    ("model/ops/core/a.cc", '#include "model/tensor/shape.h"\n#include "Eigen/Core"', None),
    ("model/kernels/b.cc", '#include "hwy/highway.h"', None),
    ("server/server.cc", '#include "server/registry/r.h"\n#include <grpcpp/grpcpp.h>', None),
    ("tests/unit/model/ops/a_test.cc", '#include "model/ops/a.h"\n#include "gtest/gtest.h"', None),
    ("model/tensor/up.h", '\n#include "model/ops/op.h"', "model/tensor/up.h:2: includes model/ops/op.h"),
    ("model/graph/g.cc", '#include <grpcpp/grpcpp.h>', "gRPC stays"),
    ("server/services/s.cc", '#include "sigserve/v1/model.grpc.pb.h"', "gRPC stays"),
    ("server/services/h.cc", '#include "grpc/health/v1/health.pb.h"', None),
    ("model/ops/e.h", '#include <Eigen/Core>', "Eigen stays"),
    ("model/kernels/k.h", '#include "hwy/highway.h"', "Highway stays"),
    ("model/base/l.cc", '#include "absl/log/log.h"', "Debian 12's Abseil has none"),
    ("client/c.cc", '#include "model/base/clock.h"', "client may use"),
    ("server/registry/r.cc", '#include "sigserve/v1/model.pb.h"', "our protos stay"),
    ("server/batching/b.cc", '#include "server/registry/servable.h"', "server/batching may use"),
    ("server/codec/c.cc", '#include "other.h"', "write the path from the root"),
    ("server/new/n.cc", "", "lies in no folder of the plan"),
    ("extra/x.cc", "", "a top-level folder that the plan does not have"),
    ("model/base/big.h", "\n" * 251, "251 lines"),
    ("model/base/env.cc", 'getenv("X");', "the environment is read in main only"),
    ("tests/unit/client/t_test.cc", '#include "server/main.h"', "may use client only"),
    ("model/graph/CMakeLists.txt", "sigserve_library(model_graph PUBLIC model_ops model_train)", "model_graph links model_train"),
    ("proto/sigserve/v1/p.proto", 'import "model/x.proto";', "proto imports nothing of ours"),
]


def self_test():
    for path, text, expected in PLANTED:
        with tempfile.TemporaryDirectory() as name:
            file = pathlib.Path(name) / path
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
            found = check_tree(pathlib.Path(name))
        good = not found if expected is None else len(found) == 1 and expected in found[0]
        if not good:
            sys.exit(f"layering_test's own test: {path} should give {expected}, but gave {found}")
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        (root / "CMakeLists.txt").write_text("sigserve_library(server_codec PUBLIC shared)\n"
                                             "target_link_libraries(shared PUBLIC gRPC::grpc++)\n", encoding="utf-8")
        if list(check_links(root)) != ["server/codec: links gRPC: server_codec -> shared -> gRPC::grpc++"]:
            sys.exit("layering_test's own test: a link to gRPC was not found")
        if "client/cli: the table's edge to client is not used by any include" not in check_unused(root):
            sys.exit("layering_test's own test: an unused edge was not found")


def main():
    self_test()
    folders = [argument for argument in sys.argv[1:] if argument != "--edges"]
    root = pathlib.Path(folders[0] if folders else __file__).resolve()
    root = root if root.is_dir() else root.parents[2]
    violations = check_tree(root) + list(check_circles()) + list(check_unused(root)) + list(check_links(root))
    if "--edges" in sys.argv:
        print("\n".join(f"{folder} -> {', '.join(edges) or '-'}" for folder, edges in FOLDERS.items()))
    print("\n".join(violations) or "The layers hold.")
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
