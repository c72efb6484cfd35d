"""Makes every golden value of the tests again, with the programs that made it, and compares.

    make oracles                          what NumPy, the gguf package, tokenizers and ggml's C say
    make oracles ARGS=--with-torch        PyTorch's checkpoints too; installs it, which is large

Nothing in the repository is changed. Exit status 1 where something differs.
"""

import argparse
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

root = pathlib.Path(__file__).resolve().parent.parent
build = root / "build" / "oracles"
ggml_source = "llama-cpp-python==0.3.16"
# No vector units and no fused multiply-add: the scalar reference that the format is defined by.
ggml_flags = ["-O2", "-fPIC", "-ffp-contract=off", "-D_GNU_SOURCE", '-DGGML_VERSION=""', '-DGGML_COMMIT=""']


def run(*command, cwd=root):
    return subprocess.run([str(part) for part in command], cwd=cwd, check=True, capture_output=True, text=True).stdout


def ggml_library():
    """ggml's quantisers as a shared library, built once from the source that llama-cpp-python carries."""
    library = build / "libggml.so"
    if library.exists():
        return library
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"]
    run(*pip, "--no-binary=:all:", "-d", build, ggml_source)
    archive = build / f"{ggml_source.replace('-', '_').replace('==', '-')}.tar.gz"
    with tarfile.open(archive) as tar:
        tar.extractall(build, filter="data")
    source = build / archive.name.removesuffix(".tar.gz") / "vendor" / "llama.cpp" / "ggml" / "src"
    objects = []
    for name in ["ggml.c", "ggml-quants.c", "ggml-alloc.c", "ggml.cpp", "ggml-backend.cpp"] + [
        "ggml-threading.cpp",
        "ggml-opt.cpp",
        "gguf.cpp",
    ]:
        objects.append(build / f"{name}.o")
        compiler = "gcc" if name.endswith(".c") else "g++"
        run(compiler, *ggml_flags, "-I../include", "-I.", "-c", name, "-o", objects[-1], cwd=source)
    run("g++", "-shared", "-o", library, *objects, "-lm", "-lpthread")
    return library


def made_again(folder, script, *arguments):
    """A copy of the fixtures in which the script has run; it writes beside itself."""
    copy = build / "work" / folder
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(root / folder, copy)
    run(sys.executable, copy / script, *arguments)
    return copy


def first_difference(ours, theirs, path=""):
    """Where two JSON values differ; numbers may by a rounding of the last of nine digits."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            if key not in ours or key not in theirs:
                return f"{path}.{key} is only in {'what is committed' if key in ours else 'what was made'}"
            found = first_difference(ours[key], theirs[key], f"{path}.{key}")
            if found:
                return found
        return None
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return f"{path} has {len(ours)} items, and {len(theirs)} were made"
        pairs = enumerate(zip(ours, theirs))
        return next((d for i, (a, b) in pairs if (d := first_difference(a, b, f"{path}[{i}]"))), None)
    if isinstance(ours, float) and isinstance(theirs, float) and math.isclose(ours, theirs, rel_tol=2e-9):
        return None
    return None if ours == theirs else f"{path} is {str(ours)[:60]}, and {str(theirs)[:60]} was made"


def compare_json(name, folder, script, *arguments):
    made = made_again(folder, script, *arguments)
    ours = json.loads((root / folder / name).read_text("utf-8"))
    return first_difference(ours, json.loads((made / name).read_text("utf-8")))


def compare_files(folder, script, pattern):
    made = made_again(folder, script)
    ours = {path.name: path.read_bytes() for path in (root / folder).iterdir() if re.search(pattern, path.name)}
    different = [name for name, data in sorted(ours.items()) if (made / name).read_bytes() != data]
    return f"other bytes in {', '.join(different)}" if different else None


def compare_codebooks():
    """The committed module is formatted; its strings are what counts."""
    folder = "src/quant/blocks"
    made = run(sys.executable, root / folder / "fixtures" / "make_codebooks.py")
    ours = (root / folder / "codebook-patterns.ts").read_text("utf-8")

    def patterns(text):
        parts = re.split(r"export const (\w+): string =", text)
        names, bodies = parts[1::2], parts[2::2]
        return {name: "".join(re.findall(r'"([0-9a-f]+)"', body)) for name, body in zip(names, bodies)}

    return first_difference(patterns(ours), patterns(made))


def checks(with_torch):
    blocks = "src/quant/blocks/fixtures"
    yield "block formats", lambda: compare_json("goldens.json", blocks, "make_goldens.py", ggml_library())
    yield "codebooks", compare_codebooks
    yield "data-aware quantisers", lambda: compare_json("goldens.json", "src/quant/fixtures", "make_goldens.py")
    yield "forward pass", lambda: compare_json("golden.json", "src/model/fixtures", "make_golden.py")
    tokenizers = "src/model/tokenizer/fixtures"
    yield "tokenizers", lambda: compare_json("golden.json", tokenizers, "make_golden.py")
    if with_torch:
        # Not legacy.pt: PyTorch writes memory addresses into that format.
        pattern = r"(?<!^legacy)\.(gguf|npy|pt|safetensors)$"
        yield "training steps", lambda: compare_json("golden.json", "src/training/fixtures", "make_golden.py")
        yield "tensor files", lambda: compare_files("src/formats/fixtures", "make_fixtures.py", pattern)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with-torch", action="store_true", help="also what PyTorch writes")
    with_torch = parser.parse_args().with_torch
    if with_torch:
        run(sys.executable, "-m", "pip", "install", "--quiet", "torch==2.15.0")
    build.mkdir(parents=True, exist_ok=True)
    all_same = True
    for name, check in checks(with_torch):
        try:
            difference = check()
        except subprocess.CalledProcessError as error:
            difference = f"{error.cmd[0]} failed: {error.stderr.strip().splitlines()[-1:]}"
        print(f"{name}: {difference or 'same'}", flush=True)
        all_same = all_same and difference is None
    if not with_torch:
        print("training steps, tensor files: not compared, because that needs PyTorch (--with-torch)")
    sys.exit(0 if all_same else 1)


if __name__ == "__main__":
    main()
