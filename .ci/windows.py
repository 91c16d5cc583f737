"""Tries flowseg.exe under Wine and compares it with the program of this system; called by .ci/windows.

    windows.py FOLDER PROGRAM

FOLDER has flowseg.exe and a Wine prefix; PROGRAM is the program of this system. Not tried, because Wine 8 cannot: Direct3D
12, and Ctrl-Break for another process (GenerateConsoleCtrlEvent fails there), with which the window stops a training.
"""

import json
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import sys
import time

FOLDER = pathlib.Path(sys.argv[1])
HERE = [sys.argv[2]]
WINDOWS = ["wine", str(FOLDER / "flowseg.exe")]
results = []


def check(name, passed, seen=""):
    results.append(bool(passed))
    print(f"{'pass' if passed else 'FAIL'}  {name}  {seen}".rstrip(), flush=True)


def run(program, *arguments, code=0, feed=None):
    """The standard output and error of a command as text; any other exit code than the expected one ends the test."""
    arguments = list(map(str, arguments))
    done = subprocess.run([*program, *arguments], cwd=FOLDER, capture_output=True, timeout=900, input=feed)
    output, errors = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    if code is not None and done.returncode != code:
        print(output + errors)
        raise SystemExit(f"FAIL  {' '.join(arguments)}: exit code {done.returncode} instead of {code}")
    return output, errors


def pixels(path):
    """The decoded bytes of a picture, by ImageMagick, which the tests of the window need as well."""
    return subprocess.run(["convert", str(path), "-depth", "8", "rgb:-"], capture_output=True, check=True).stdout


def agreement(a, b):
    a, b = pixels(a), pixels(b)
    return sum(x == y for x, y in zip(a, b)) / max(len(a), len(b), 1)


def resources(path):
    """The subsystem of an executable, and its resources by type, as bytes."""
    data = path.read_bytes()
    header = struct.unpack_from("<I", data, 0x3C)[0]
    sections, optional = struct.unpack_from("<H12xH", data, header + 6)
    subsystem = struct.unpack_from("<H", data, header + 24 + 68)[0]
    stack = struct.unpack_from("<Q", data, header + 24 + 72)[0]
    table = struct.unpack_from("<I", data, header + 24 + 112 + 2 * 8)[0]
    for at in range(header + 24 + optional, header + 24 + optional + 40 * sections, 40):
        address, _, offset = struct.unpack_from("<III", data, at + 12)
        if address == table:
            base = offset
    found = {}

    def walk(at, kind=None):
        named, numbered = struct.unpack_from("<HH", data, base + at + 12)
        for entry in range(named + numbered):
            name, target = struct.unpack_from("<II", data, base + at + 16 + 8 * entry)
            if target >> 31:
                walk(target & 0x7FFFFFFF, name if kind is None else kind)
            else:
                start, size = struct.unpack_from("<II", data, base + target)
                found.setdefault(kind, []).append(data[base + start - table :][:size])

    walk(0)
    return subsystem, stack, found


# The executable.
subsystem, stack, found = resources(FOLDER / "flowseg.exe")
sizes = [icon[0] or 256 for icon in [found[14][0][at : at + 14] for at in range(6, len(found[14][0]), 14)]]
version = found[16][0].decode("utf-16-le", "ignore")
manifest = found[24][0].decode()
check("an icon in several sizes", max(sizes) == 256 and min(sizes) <= 32, sizes)
check("a version", "FlowSeg" in version and "FileVersion" in version and "0.1.0" in version)
check("long paths, UTF-8, sharp text on every screen", all(word in manifest for word in ["<longPathAware", "UTF-8", "PerMonitorV2"]))
check("no console beside the window on Windows 11", subsystem == 3 and ">detached</consoleAllocationPolicy>" in manifest)
check("8 MiB of stack", stack == 8 << 20, stack)

# Text.
help_text, _ = run(WINDOWS, "--help")
check("--help lists the commands", "segment" in help_text and "train" in help_text)
version, _ = run(WINDOWS, "--version")
check("--version names the target", "x86_64-pc-windows-gnu" in version, version.splitlines()[0])
devices, _ = run(WINDOWS, "devices")
check("devices lists the CPU", "cpu " in devices, " | ".join(devices.split("\n")).strip(" |"))
refused = run(WINDOWS, "segment", "--device", "cpu", "fehlt: Größe Ж.png", "-o", "nowhere", code=1)[1]
check("an error is one line of UTF-8 below the device, without colours", refused.startswith("device: CPU\n") and refused.count("\n") == 2 and "Größe Ж.png" in refused.splitlines()[1] and "\x1b" not in refused, refused.strip())
usage = run(WINDOWS, "segment", code=2)[1]
check("wrong usage is told", "Usage: flowseg" in usage)

# Paths.
photos = FOLDER / "Fotos für Größe"
photos.mkdir()
photo = photos / "ein Bild, schön Ж.png"
subprocess.run(["convert", "-size", "320x240", "-seed", "7", "plasma:tomato-steelblue", str(photo)], check=True)
photo.chmod(0o444)
segment = ["segment", "--device", "cpu"]
near = photo.relative_to(FOLDER)
shares = [json.loads(run(program, *segment, near, "-o", out, "--json")[0]) for program, out in [(WINDOWS, "masks"), (HERE, "masks-here")]]
name = photo.name
mask = FOLDER / "masks" / name
share = agreement(mask, FOLDER / "masks-here" / name)
same = mask.read_bytes() == (FOLDER / "masks-here" / name).read_bytes()
check("a path with spaces and other letters; a read-only photo", mask.is_file())
check("the mask is this system's", share > 0.9999, f"{100 * share:.4f} % of pixels equal, files {'equal' if same else 'differ'}")
# The number before the path is the only thing that may differ in the answers.
text = [json.dumps(answer).replace("\\\\", "/").replace("masks-here", "masks") for answer in shares]
numbers = [[float(word) for word in re.findall(r"\d+\.\d+", answer)] for answer in text]
check("--json has this system's shares", len(numbers[0]) == len(numbers[1]) and max(abs(a - b) for a, b in zip(*numbers)) < 1e-4, text[0][:120])
backslashes = "Z:" + str(photo).replace("/", "\\")
run(WINDOWS, *segment, backslashes, "-o", "by-drive")
check("a path with a drive and backslashes", agreement(mask, FOLDER / "by-drive" / name) == 1)
run(WINDOWS, *segment, "Fotos für Größe\\*.PNG", "-o", "by-pattern")
check("a pattern, in whatever letter case", agreement(mask, FOLDER / "by-pattern" / name) == 1)
run(WINDOWS, *segment, "-", "-o", "by-list", feed=b"\xef\xbb\xbf" + str(near).replace("/", "\\").encode() + b"\r\n")
check("a list as PowerShell writes it", (FOLDER / "by-list" / name).is_file())
deep = FOLDER.joinpath(*["ein recht langer Name für einen Ordner"] * 6)
for _ in range(2):
    run(WINDOWS, *segment, near, "-o", deep.relative_to(FOLDER))
check("a path of more than 260 characters, written twice", agreement(mask, deep / name) == 1, f"{len(str(deep / name))} characters")
rest = [path for path in FOLDER.rglob(".flowseg-*")]
check("no temporary file is left", not rest, rest)
run(WINDOWS, *segment, near, "-o", photos.relative_to(FOLDER), code=1)
check("no output replaces an input", len(list(photos.iterdir())) == 1)

# Training. A configuration that an editor of Windows has written: a mark of UTF-8 and other line ends.
SETTINGS = """\ufeff
[model]
patch_size = 4
hidden_size = 16
heads = 2
pixel_width = 8
transformer_blocks = 1
field_blocks = 1
[train]
batch_size = 2
checkpoint_every = 5
validate_every = 0
log_every = 1
"""
(FOLDER / "lauf ü.toml").write_bytes(SETTINGS.replace("\n", "\r\n").encode())


def train(out, steps, *more):
    return ["train", "--config", "lauf ü.toml", "--device", "cpu", "--data", "scenes:3@16x24", "--out", out, "--set", f"train.steps={steps}", *more]


def losses(out):
    lines = (FOLDER / out / "metrics.jsonl").read_bytes().decode().splitlines()
    # The last line may be half written while the training runs.
    events = map(json.loads, [line for line in lines if line.endswith("}")])
    return {event["step"]: event["loss"] for event in events if "loss" in event}


run(WINDOWS, *train("run", 12))
run(HERE, *train("run-here", 12))
a, b = losses("run"), losses("run-here")
error = max(abs(a[step] - b[step]) / b[step] for step in b)
check("a training has this system's losses", a.keys() == b.keys() and len(b) >= 12 and error < 1e-4, f"largest difference {error:.1e} after {max(b)} steps")
texts = [path for path in (FOLDER / "run").rglob("*") if path.suffix in (".toml", ".jsonl", ".json", ".csv")]
check("line ends are this system's", texts and not any(b"\r" in path.read_bytes() for path in texts), [path.name for path in texts])
run(WINDOWS, *segment, near, "-o", "by-run", "--model", "run\\model.safetensors")
run(HERE, *segment, near, "-o", "by-run-here", "--model", "run/model.safetensors")
share = agreement(FOLDER / "by-run" / name, FOLDER / "by-run-here" / name)
check("its model runs there and here", share > 0.999, f"{100 * share:.4f} % of pixels equal")


def in_console(command, act):
    """Runs a command in a terminal, calls `act` with it until that returns true; the exit code and what was shown."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(FOLDER)
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    seen, begin, acted = b"", time.time(), False
    while time.time() - begin < 300:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
            # A console asks where its cursor is.
            if b"\x1b[6n" in data:
                os.write(terminal, b"\x1b[1;1R")
        acted = acted or act(terminal)
    _, status = os.waitpid(child, 0)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode("utf-8", "replace"))
    return os.waitstatus_to_exitcode(status), text


def ctrl_c(terminal):
    if not (FOLDER / "stopped" / "metrics.jsonl").is_file() or len(losses("stopped")) < 6:
        return False
    os.write(terminal, b"\x03")
    return True


code, text = in_console([*WINDOWS, *train("stopped", 100000)], ctrl_c)
reached = max(losses("stopped"), default=0)
# The console moves its cursor over spaces instead of writing them.
saved = code == 130 and 0 < reached < 100000 and "stoppingafterthisstep" in "".join(text.split())
check("Ctrl-C in a console saves and ends a training", saved, f"exit code {code} at step {reached}")
if not saved:
    print(text[-2000:])
run(WINDOWS, *train("stopped", reached + 5, "--resume"))
check("--resume goes on from there", max(losses("stopped")) == reached + 5, f"step {max(losses('stopped'))}")
check("a bar and other letters in a console", "█" in text or "photos/s" in text)

# The window. Wine draws through Vulkan where this system has it; there is no Direct3D 12.
picture = FOLDER / "window.png"
_, refused = run(WINDOWS, "view", "--screenshot", "window.png", "--size", "900x600", near, code=None)
if picture.is_file():
    colours = len(set(zip(*[iter(pixels(picture))] * 3)))
    check("the window draws itself", colours > 100, f"{colours} colours")
    keep = os.environ.get("FLOWSEG_WINDOW_PNG")
    if keep:
        pathlib.Path(keep).write_bytes(picture.read_bytes())
else:
    check("without a window, the reason is told", refused.startswith("flowseg: ") or "\nflowseg: " in refused, refused.strip()[-300:])

print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(not all(results))
