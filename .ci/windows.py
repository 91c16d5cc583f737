"""Tries flowseg.exe under Wine and compares it with the program of this system; called by .ci/windows."""

import json
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import time

FOLDER = pathlib.Path(sys.argv[1])
HERE = sys.argv[2]
WINDOWS = ["wine", str(FOLDER / "flowseg.exe")]
failed = 0


def check(name, passed, seen=""):
    global failed
    failed += not passed
    print(f"{'pass' if passed else 'FAIL'}  {name}  {seen}".rstrip(), flush=True)


def run(program, *arguments, code=0):
    done = subprocess.run([*program, *arguments], cwd=FOLDER, capture_output=True, timeout=600)
    output = done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace")
    if done.returncode != code:
        print(output)
        raise SystemExit(f"FAIL  {' '.join(map(str, arguments))}: exit code {done.returncode} instead of {code}")
    return output


def pixels(path):
    """The decoded bytes of a picture, by ImageMagick, which the tests of the window need as well."""
    picture = subprocess.run(["convert", str(path), "-depth", "8", "gray:-"], capture_output=True, check=True)
    return picture.stdout


def agreement(a, b):
    a, b = pixels(a), pixels(b)
    return sum(x == y for x, y in zip(a, b)) / max(len(a), len(b), 1)


help_text = run(WINDOWS, "--help")
check("--help lists the commands", "segment" in help_text and "train" in help_text)
version = run(WINDOWS, "--version")
check("--version names the target", "x86_64-pc-windows-gnu" in version, version.splitlines()[0])
devices = run(WINDOWS, "devices")
check("devices lists the CPU", "cpu " in devices, devices.splitlines()[0].strip())

photos = FOLDER / "Fotos für Größe"
photos.mkdir()
photo = photos / "ein Bild, schön Ж.png"
noise = ["convert", "-size", "320x240", "plasma:tomato-steelblue", "-seed", "7", str(photo)]
subprocess.run(noise, check=True)
for program, out in [(WINDOWS, "masks-windows"), ([HERE], "masks-here")]:
    run(program, "segment", "--device", "cpu", str(photo.relative_to(FOLDER)), "-o", out, "--json")
name = photo.with_suffix(".png").name
share = agreement(FOLDER / "masks-windows" / name, FOLDER / "masks-here" / name)
check("a path with spaces and other letters, masks as on this system", share > 0.9999, f"{100 * share:.4f} % equal")
run(WINDOWS, "segment", "--device", "cpu", "Fotos für Größe/*.png", "-o", "by-pattern")
check("a pattern that the shell did not expand", (FOLDER / "by-pattern" / name).is_file())
deep = FOLDER.joinpath(*["ein recht langer Name für einen Ordner"] * 6)
run(WINDOWS, "segment", "--device", "cpu", str(photo.relative_to(FOLDER)), "-o", str(deep.relative_to(FOLDER)))
check("a path of more than 260 characters", (deep / name).is_file(), f"{len(str(deep / name))} characters")

refused = run(WINDOWS, "segment", "--device", "cpu", "missing.png", "-o", "nowhere", code=1)
check("an error is one line", "missing.png" in refused and "panicked" not in refused, refused.strip().splitlines()[0])
protected = FOLDER / "by-pattern" / name
before = protected.read_bytes()
protected.chmod(0o444)
run(WINDOWS, "segment", "--device", "cpu", str(photo.relative_to(FOLDER)), "-o", "by-pattern", code=None or 0)
check("a mask can be made again", protected.read_bytes() == before)

SETTINGS = [
    "model.patch_size=4", "model.hidden_size=16", "model.heads=2", "model.pixel_width=8", "model.transformer_blocks=1",
    "model.field_blocks=1", "train.batch_size=2", "train.checkpoint_every=5", "train.validate_every=0", "train.log_every=1",
]


def train(out, steps, *more):
    settings = [word for setting in [*SETTINGS, f"train.steps={steps}"] for word in ("--set", setting)]
    return ["train", "--device", "cpu", "--data", "scenes:3@16x24", "--out", out, *settings, *more]


def losses(out):
    lines = (FOLDER / out / "metrics.jsonl").read_bytes().decode()
    events = map(json.loads, lines.splitlines())
    return {event["step"]: event["loss"] for event in events if "loss" in event}


run(WINDOWS, *train("run-windows", 12))
run([HERE], *train("run-here", 12))
a, b = losses("run-windows"), losses("run-here")
error = max(abs(a[step] - b[step]) / b[step] for step in b)
check("a training has the losses of this system", a.keys() == b.keys() and error < 1e-4, f"largest difference {error:.1e}")
check("line ends are those of this system", b"\r" not in (FOLDER / "run-windows" / "config.toml").read_bytes())

# Ctrl-C in a terminal, then a resumed run.
child, terminal = pty.fork()
if child == 0:
    os.chdir(FOLDER)
    os.execvp(WINDOWS[0], [*WINDOWS, *train("run-stopped", 100000)])
seen, begin, stopped = b"", time.time(), False
while time.time() - begin < 240:
    ready, _, _ = select.select([terminal], [], [], 1)
    if ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
    if not stopped and (FOLDER / "run-stopped" / "checkpoints").is_dir() and losses("run-stopped"):
        time.sleep(2)
        os.write(terminal, b"\x03")
        stopped = True
_, status = os.waitpid(child, 0)
text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode("utf-8", "replace"))
reached = max(losses("run-stopped"), default=0)
check("Ctrl-C ends a training", stopped and 0 < reached < 100000, f"exit code {os.waitstatus_to_exitcode(status)} at step {reached}")
if failed:
    print(text[-2000:])
run(WINDOWS, *train("run-stopped", reached + 5, "--resume"))
check("--resume goes on from there", max(losses("run-stopped")) == reached + 5)

print(f"{failed} failed")
sys.exit(failed > 0)
