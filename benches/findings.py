"""Trains many small networks at once with PyTorch on a CUDA GPU, for tables that need many seeds.

The networks of a group have the same shapes and see the same crops; each has its own weights, centroids and
objective, and all take a step together. Network, path, objective and scores are those of train.py, which computes
what the program does; the settings are those of assets/presets/camvid-small.toml and ccp-small.toml.

    python benches/findings.py run GROUP --out results.jsonl    # lists the groups without GROUP
    python benches/findings.py table results.jsonl              # the tables in Markdown
    python benches/findings.py plot results.jsonl third-cells.svg

run appends one line of JSON per network. --data is the folder that holds camvid and ccp. Needs torch, numpy and
Pillow; plot also matplotlib.
"""

import argparse
import json
import math
import statistics
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
import train
from torch import Tensor
from torch.func import vmap

BATCH, RATE, WARMUP, CLIP, EMA, EPSILON = 8, 1e-3, 40, 1.0, 0.99, 1e-2
SOLVER_STEPS = [1, 2, 5, 10, 20]
AGREEMENT_TIMES = [0.1, 0.3, 0.5, 0.7]
# Of the samples, for members whose states are not the truth's.
WRONG_SHARE = 0.5
# Photos that are scored together.
CHUNK = 16
TASKS = {
    "camvid": dict(classes=11, size=(72, 96), balance=0.0, scale=(0.75, 1.75)),
    "ccp": dict(classes=59, size=(96, 64), balance=0.5, scale=(0.75, 1.75)),
}
SEEDS = [0, 1, 2]
ORDERS = ["index", "best-0", "best-1", "worst-0", "worst-1", "random-0", "random-1", "random-2", "random-3", "random-4"]


def group(task: str, steps: int, members: list[dict], dims: int = 3) -> dict:
    default = dict(order="index", objective="reshaped", states="truth", time_weight=0.0)
    members = [default | member | dict(seed=seed) for member in members for seed in SEEDS]
    return dict(task=task, steps=steps, dims=dims, members=members)


GROUPS = {
    "camvid-orders": group("camvid", 400, [dict(order=order, objective=objective)
                                           for order in ORDERS for objective in ("reshaped", "vanilla")]),
    "camvid-twin": group("camvid", 400, [dict(objective="cross-entropy")]),
    "camvid-states": group("camvid", 400, [dict(states=states, time_weight=weight)
                                           for weight in (0.0, 2.0) for states in ("truth", "corrupted", "rollout")]),
    "ccp-orders": group("ccp", 1200, [dict(order=order, objective=objective)
                                      for order in ("index", "best-0", "worst-0", "random-0", "random-1")
                                      for objective in ("reshaped", "vanilla")]),
    "ccp-twin": group("ccp", 1200, [dict(objective="cross-entropy")]),
}
for _dims in (4, 6, 8, 16):
    for _task, _steps in (("camvid", 400), ("ccp", 1200)):
        GROUPS[f"{_task}-dims-{_dims}"] = group(_task, _steps, [dict(order="index"), dict(order="best-0")], _dims)


# Which class gets which point


def mixtures(data: train.Data, size: tuple[int, int], classes: int, patch: int = 8) -> np.ndarray:
    """The shares of the classes [M, N] in the patches of the training labels that hold several."""
    found = []
    for i, (h, w) in enumerate(data.size):
        label = data.labels[i : i + 1, :, :h, :w].float()
        label = F.interpolate(label, size, mode="nearest-exact")[0, 0].long().cpu().numpy() - 1
        rows, columns = size[0] // patch, size[1] // patch
        label = label[: rows * patch, : columns * patch].reshape(rows, patch, columns, patch)
        label = label.transpose(0, 2, 1, 3).reshape(rows * columns, -1)
        counts = np.stack([(label == k).sum(1) for k in range(classes)], 1)
        found.append(counts[(counts > 0).sum(1) > 1])
    counts = np.concatenate(found)
    rng = np.random.default_rng(0)
    counts = counts[rng.permutation(len(counts))[:4000]].astype(np.float64)
    return counts / counts.sum(1, keepdims=True)


def third_cells(codes: np.ndarray, shares: np.ndarray) -> float:
    """The part of the mixtures whose mean code is nearest to that of a class outside the mixture."""
    mean = shares @ codes
    nearest = ((codes**2).sum(1) - 2 * mean @ codes.T).argmin(1)
    return float((shares[np.arange(len(shares)), nearest] == 0).mean())


def find_order(name: str, points: np.ndarray, shares: np.ndarray) -> list[int]:
    """The order of a name: index, random-SEED, or the best or worst that exchanges from a random start lead to."""
    count = len(points)
    if name == "index":
        return list(range(count))
    kind, seed = name.split("-")
    rng = np.random.default_rng(int(seed))
    order = rng.permutation(count)
    if kind == "random":
        return order.tolist()
    sign = 1 if kind == "best" else -1
    least = sign * third_cells(points[order], shares)
    pairs = [(a, b) for a in range(count) for b in range(a)]
    for _ in range(3):
        before = least
        for j in rng.permutation(len(pairs)):
            a, b = pairs[j]
            order[[a, b]] = order[[b, a]]
            found = sign * third_cells(points[order], shares)
            if found < least:
                least = found
            else:
                order[[a, b]] = order[[b, a]]
        if least == before:
            break
    return order.tolist()


# Networks


def config(dims: int, outputs: int) -> dict:
    return dict(condition="concat", patch_size=8, hidden_size=128, heads=2, pixel_width=24, field_ratio=2,
                transformer_blocks=4, field_blocks=2, class_conditions=0, state_channels=dims, outputs=outputs)


def fresh(c: dict, seed: int) -> dict[str, Tensor]:
    """Weights as the program draws them: uniform after Glorot, modulation and output 0."""
    torch.manual_seed(seed)
    d, e, p = c["hidden_size"], c["pixel_width"], c["patch_size"]
    channels, head = c["state_channels"] + 3, d // c["heads"]
    inner, generated = 2 * 4 * d // 3, 2 * c["field_ratio"] * e * e
    w: dict[str, Tensor] = {"class_table": 0.02 * torch.randn(1, d)}

    def linear(name: str, rows: int, columns: int, bias: bool = True, zero: bool = False) -> None:
        bound = 0 if zero else math.sqrt(6 / (rows + columns))
        w[name + ".weight"] = bound * (2 * torch.rand(rows, columns) - 1)
        if bias:
            w[name + ".bias"] = torch.zeros(columns)

    linear("patch_embedder", channels * p * p, d)
    linear("pixel_embedder", channels + 64, e)
    linear("time_embedder.linear1", 256, d)
    linear("time_embedder.linear2", d, d)
    for i in range(c["transformer_blocks"]):
        name = f"blocks.{i}"
        linear(name + ".modulation", d, 6 * d, zero=True)
        linear(name + ".attn.qkv", d, 3 * d, bias=False)
        linear(name + ".attn.proj", d, d)
        linear(name + ".mlp.w1", d, inner, bias=False)
        linear(name + ".mlp.w2", inner, d, bias=False)
        linear(name + ".mlp.w3", d, inner, bias=False)
        w |= {name + ".norm1": torch.ones(d), name + ".norm2": torch.ones(d)}
        w |= {name + ".attn.q_norm": torch.ones(head), name + ".attn.k_norm": torch.ones(head)}
    for i in range(c["field_blocks"]):
        linear(f"fields.{i}.generator", d, generated)
        w[f"fields.{i}.norm"] = torch.ones(e)
    w["final_layer.norm"] = torch.ones(e)
    linear("final_layer.linear", e, c["outputs"], zero=True)
    return w


def plain_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    share = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), -1)
    return share @ v


def plain_rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * weight


def plain_rotate(x: Tensor, table: Tensor) -> Tensor:
    even, odd = x[..., ::2], x[..., 1::2]
    cos, sin = table.real, table.imag
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


def without_fused_operations() -> None:
    """PyTorch's fused operations have no form for a batch of networks."""
    train.F.scaled_dot_product_attention = plain_attention
    train.rms_norm, train.rotate = plain_rms_norm, plain_rotate


# Training


def encode(centroids: Tensor, labels: Tensor) -> Tensor:
    """[K, N, d] and labels [K, B, H, W] to [K, B, d, H, W]."""
    return vmap(lambda c, l: c[l])(centroids, labels).permute(0, 1, 4, 2, 3)


def completed(labels: Tensor) -> Tensor:
    """Ignored pixels (-1) get a class that is near; they have no weight, but the network sees their states."""
    for _ in range(8):
        unknown = labels < 0
        if not unknown.any():
            return labels
        grown = F.max_pool2d(labels.float(), 9, 1, 4).long()
        labels = torch.where(unknown, grown, labels)
    return labels.clamp_min(0)


def cycle(count: int, rng: np.random.Generator) -> np.ndarray:
    """A random permutation in which no number stays (Sattolo's algorithm), as the program's."""
    others = np.arange(count)
    for last in range(count - 1, 0, -1):
        other = rng.integers(0, last)
        others[[last, other]] = others[[other, last]]
    return others


def corrupted(labels: Tensor, classes: int, rng: np.random.Generator) -> Tensor:
    """Labels [H, W] with every class inside one to four rectangles exchanged for another."""
    labels = labels.clone()
    height, width = labels.shape
    for _ in range(rng.integers(1, 5)):
        others = torch.from_numpy(cycle(classes, rng)).to(labels.device)
        h, w = (max(1, int(rng.uniform(0.15, 0.7) * side)) for side in (height, width))
        top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        labels[top : top + h, left : left + w] = others[labels[top : top + h, left : left + w]]
    return labels


class Group:
    """Networks of the same shapes, side by side: every tensor has a leading dimension of K networks."""

    def __init__(self, name: str, folder: Path, device: torch.device):
        spec = GROUPS[name]
        self.spec, self.device, self.task = spec, device, TASKS[spec["task"]]
        self.members, self.count, self.dims = spec["members"], len(spec["members"]), spec["dims"]
        self.classes = self.task["classes"]
        self.by_class = self.members[0]["objective"] == "cross-entropy"
        self.data = train.Data(folder / spec["task"], "training", self.classes, device)
        self.held_out = train.Data(folder / spec["task"], "validation", self.classes, device)
        shares = mixtures(self.data, self.task["size"], self.classes)
        card = dict(encoding="kronecker", classes=[""] * self.classes, network=dict(state_channels=self.dims))
        points = train.centroids_of(card).numpy()
        orders = {order: find_order(order, points, shares) for order in {m["order"] for m in self.members}}
        codes = [points[orders[m["order"]]] for m in self.members]
        self.third = [third_cells(code, shares) for code in codes]
        self.centroids = torch.tensor(np.stack(codes), dtype=torch.float32, device=device)
        shape = config(self.dims, self.classes if self.by_class else self.dims)
        self.network = train.Network(dict(network=shape), device, torch.float32)
        drawn = [fresh(shape, m["seed"]) for m in self.members]
        self.weights = {k: torch.stack([d[k] for d in drawn]).to(device).requires_grad_() for k in drawn[0]}
        self.ema = {k: v.detach().clone() for k, v in self.weights.items()}

    def number(self, key) -> Tensor:
        return torch.tensor([float(key(m)) for m in self.members], device=self.device)

    def forward(self, w: dict[str, Tensor], state: Tensor, t: Tensor, photo: Tensor) -> Tensor:
        """Outputs [K, B, C, H, W] of states [K, B, d, H, W] at times [K, B] for photos [K, B, 3, H, W]."""
        return vmap(lambda w, x, t, p: self.network.forward(w, x, t, p, None))(w, state, t, photo)

    def source(self, photo: Tensor) -> Tensor:
        """The states at t = 0 of photos [K, B, 3, H, W]."""
        return vmap(lambda p: train.photo_state(p, self.dims))(photo)

    def train(self) -> None:
        steps, size, device = self.spec["steps"], self.task["size"], self.device
        decayed = [v for v in self.weights.values() if v.dim() > 2]
        others = [v for v in self.weights.values() if v.dim() <= 2]
        optimizer = torch.optim.AdamW([dict(params=decayed, weight_decay=0.01), dict(params=others, weight_decay=0.0)],
                                      lr=RATE, betas=(0.9, 0.98), fused=device.type == "cuda")
        views = SimpleNamespace(scale=self.task["scale"], balance=self.task["balance"], aspect=1.0, colour=1.0, tint=0.0)
        seeds = sorted({m["seed"] for m in self.members})
        of_seed = [seeds.index(m["seed"]) for m in self.members]
        random = {seed: np.random.default_rng(seed) for seed in seeds}
        reshaped = self.number(lambda m: m["objective"] == "reshaped").view(-1, 1, 1, 1, 1)
        time_weight = self.number(lambda m: m["time_weight"]).view(-1, 1, 1, 1)
        kinds = {kind: [k for k, m in enumerate(self.members) if m["states"] == kind] for kind in ("corrupted", "rollout")}
        begin = time.time()
        for step in range(steps):
            done = max(0, step - WARMUP) / max(1, steps - WARMUP)
            factor = min(1, (step + 1) / WARMUP) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * done)))
            for part in optimizer.param_groups:
                part["lr"] = RATE * factor
            photos, labels, times, wrong = [], [], [], []
            for seed in seeds:
                rng = random[seed]
                torch.manual_seed(1000003 * seed + step)
                photo, label = self.data.batch(rng, BATCH, size, views)
                photos.append(photo)
                labels.append(label)
                u = rng.random(BATCH) ** 3
                # The twin sees nothing but the photo.
                zero = 1.0 if self.by_class else 0.3
                times.append(np.where(rng.random(BATCH) < zero, 0, np.minimum(u, 0.999)))
                wrong.append(rng.random(BATCH))
            photo, label = torch.stack(photos)[of_seed], torch.stack(labels)[of_seed]
            times = np.stack(times)[of_seed].astype(np.float32)
            wrong = np.stack(wrong)[of_seed] < WRONG_SHARE
            t = torch.from_numpy(times).to(device)
            full = torch.stack([completed(l) for l in labels])[of_seed]
            target = encode(self.centroids, full)
            source = self.source(photo)
            towards = target
            if kinds["corrupted"]:
                changed = full.clone()
                for k in kinds["corrupted"]:
                    rng = np.random.default_rng([self.members[k]["seed"], step])
                    for b in np.nonzero(wrong[k] & (times[k] > 0))[0]:
                        changed[k, b] = corrupted(full[k, b], self.classes, rng)
                towards = encode(self.centroids, changed)
            if kinds["rollout"]:
                some = kinds["rollout"]
                with torch.no_grad():
                    w = {name: tensor[some].detach() for name, tensor in self.weights.items()}
                    own = self.forward(w, source[some], torch.zeros_like(t[some]), photo[some])
                    # The prediction itself, as in the program.
                    own = source[some] + own
                    replace = torch.from_numpy(wrong[some]).to(device).view(len(some), BATCH, 1, 1, 1)
                towards = towards.clone()
                towards[some] = torch.where(replace, own, towards[some])
            at = t[:, :, None, None, None]
            state = torch.lerp(source, towards, at)
            out = self.forward(self.weights, state, t, photo)
            weight = (label >= 0).float()
            weight = weight / weight.sum((1, 2, 3), keepdim=True).clamp_min(1)
            if self.by_class:
                loss = F.cross_entropy(out.flatten(0, 1), label.clamp_min(0).flatten(0, 1), reduction="none")
                loss = (loss.view(label.shape) * weight).sum()
            else:
                with torch.no_grad():
                    # Exactly x1 - x0 on the true path.
                    velocity = target - source + (target - towards) * at / (1 - at).clamp_min(train.REMAINING_FLOOR)
                    pull = vmap(lambda x, l, c: train.potential_gradient(x, l, c, 1.0, EPSILON))
                    velocity = velocity - reshaped * pull(state + (1 - at) * out, full, self.centroids)
                    weight = weight * (1 - at[:, :, 0]) ** time_weight
                loss = ((out - velocity).square().mean(2) * weight).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            with torch.no_grad():
                squares = sum(v.grad.square().flatten(1).sum(1) for v in self.weights.values())
                factor = (CLIP / squares.sqrt().clamp_min(1e-12)).clamp_max(1)
                for v in self.weights.values():
                    v.grad.mul_(factor.view(-1, *[1] * (v.dim() - 1)))
            optimizer.step()
            decay = min(EMA, (2 + step) / (11 + step))
            with torch.no_grad():
                torch._foreach_lerp_(list(self.ema.values()), [v.detach() for v in self.weights.values()], 1 - decay)
            if step % 100 == 99:
                rate = (step + 1) / (time.time() - begin)
                print(f"step {step + 1}: loss {float(loss) / self.count:.4f}, {rate:.1f} steps/s", flush=True)

    @staticmethod
    def nearest(x: Tensor, centroids: Tensor) -> Tensor:
        """The nearest centroid's class [K, B, H, W] of points [K, B, d, H, W]."""
        return vmap(lambda x, c: train.distances(x.permute(0, 2, 3, 1), c, EPSILON).argmin(-1))(x, centroids)

    # Scoring

    @torch.no_grad()
    def score(self) -> list[dict]:
        data, size, classes, device = self.held_out, self.task["size"], self.classes, self.device
        solver = [1] if self.by_class else SOLVER_STEPS
        confusion = {n: torch.zeros(self.count, classes, classes, device=device) for n in solver}
        agreeing = torch.zeros(len(AGREEMENT_TIMES), self.count, device=device)
        offset = torch.arange(self.count, device=device)[:, None] * classes * classes
        for first in range(0, len(data), CHUNK):
            indices = range(first, min(first + CHUNK, len(data)))
            photos = [F.interpolate(data.photos[i : i + 1, :, : data.size[i][0], : data.size[i][1]].float(), size,
                                    mode="bilinear", align_corners=False, antialias=True) for i in indices]
            photo = torch.cat(photos)[None].expand(self.count, -1, -1, -1, -1)
            source = self.source(photo)
            batch = source.shape[1]
            moment = lambda at: torch.full((self.count, batch), at, device=device)
            for n in solver:
                state = source
                for k in range(n):
                    out = self.forward(self.ema, state, moment(k / n), photo)
                    if not self.by_class:
                        state = state + out / n
                if self.by_class:
                    share = torch.softmax(out, 2)
                else:
                    share = vmap(lambda x, c: train.votes(x, c, EPSILON))(state, self.centroids)
                if n == 1 and not self.by_class:
                    decision = self.nearest(state, self.centroids)
                for j, i in enumerate(indices):
                    h, w = data.size[i]
                    label = data.labels[i, 0, :h, :w].long() - 1
                    known = label >= 0
                    best = F.interpolate(share[:, j], (h, w), mode="bilinear", align_corners=False).argmax(1)
                    index = offset + label[known] * classes + best[:, known]
                    found = torch.bincount(index.flatten(), minlength=self.count * classes * classes)
                    confusion[n] += found.view(self.count, classes, classes)
            if not self.by_class:
                end = encode(self.centroids, decision)
                for j, at in enumerate(AGREEMENT_TIMES):
                    state = torch.lerp(source, end, at)
                    reached = state + (1 - at) * self.forward(self.ema, state, moment(at), photo)
                    same = self.nearest(reached, self.centroids) == decision
                    agreeing[j] += same.float().mean((1, 2, 3)) * batch / len(data)
        results = []
        for k, member in enumerate(self.members):
            line = dict(task=self.spec["task"], steps=self.spec["steps"], dims=self.dims, **member)
            line |= dict(third_cells=round(self.third[k], 4), miou={}, accuracy={})
            for n in solver:
                iou, accuracy = train.scores(confusion[n][k])
                line["miou"][n], line["accuracy"][n] = round(100 * float(iou.nanmean()), 3), round(100 * accuracy, 3)
            if not self.by_class:
                line["agreement"] = {str(at): round(100 * float(agreeing[j, k]), 3) for j, at in enumerate(AGREEMENT_TIMES)}
            results.append(line)
        return results


def run(args) -> None:
    device = torch.device(args.device)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    without_fused_operations()
    for name in args.groups:
        begin = time.time()
        if args.steps:
            GROUPS[name]["steps"] = args.steps
        these = Group(name, args.data, device)
        these.train()
        trained = time.time() - begin
        results = these.score()
        with open(args.out, "a") as file:
            for line in results:
                file.write(json.dumps(line) + "\n")
        print(f"{name}: {these.count} networks, {trained:.0f} s and {time.time() - begin - trained:.0f} s of scoring", flush=True)


# Reports


SETTINGS = ("task", "steps", "dims", "objective", "states", "time_weight", "order")


def read(path: Path) -> list[dict]:
    """The results of every network once: several groups may have trained the same."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return list({tuple(line[k] for k in (*SETTINGS, "seed")): line for line in reversed(lines)}.values())[::-1]


def varies_order(line: dict) -> bool:
    """Whether a network is one of those that differ in their order and objective only."""
    paper = line["dims"] == 3 and line["states"] == "truth" and line["time_weight"] == 0
    return paper and line["objective"] != "cross-entropy"


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """The mean and its standard error."""
    return statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def ranks(values: list[float]) -> np.ndarray:
    return np.array([np.mean([np.sum(np.array(values) < v), np.sum(np.array(values) <= v) - 1]) for v in values])


def rank_correlation(x: list[float], y: list[float]) -> float:
    """Spearman's."""
    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])


def table(args) -> None:
    rows: dict[tuple, list[dict]] = defaultdict(list)
    for line in read(args.results):
        rows[tuple(line[k] for k in SETTINGS)].append(line)
    orders: dict[tuple, list[tuple[float, float]]] = defaultdict(list)
    header = ["task", "d", "objective", "states", "time weight", "order", "third cells (%)"]
    header += [f"mIoU, {n} steps" for n in SOLVER_STEPS]
    header += ["1 to 5 steps", "accuracy", "agreement at t = " + ", ".join(map(str, AGREEMENT_TIMES)), "seeds"]
    print("| " + " | ".join(header) + " |\n" + "|---" * len(header) + "|")
    for key, lines in rows.items():
        task, steps, dims, objective, kind, weight, order = key
        cells = [f"{task}, {steps} steps", str(dims), objective, kind, f"{weight:g}", order, f"{100 * lines[0]['third_cells']:.1f}"]
        for n in map(str, SOLVER_STEPS):
            if n in lines[0]["miou"]:
                cells.append("{:.2f} ± {:.2f}".format(*mean_and_error([line["miou"][n] for line in lines])))
            else:
                cells.append("")
        last = list(lines[0]["miou"])[-1]
        if "1" in lines[0]["miou"] and "5" in lines[0]["miou"]:
            gain = [line["miou"]["5"] - line["miou"]["1"] for line in lines]
            cells.append("{:+.2f} ± {:.2f}".format(*mean_and_error(gain)))
        else:
            cells.append("")
        cells.append("{:.2f} ± {:.2f}".format(*mean_and_error([line["accuracy"][last] for line in lines])))
        agreement = [statistics.mean(line["agreement"][at] for line in lines) for at in lines[0].get("agreement", {})]
        cells.append(" / ".join(f"{a:.1f}" for a in agreement))
        print("| " + " | ".join(cells) + f" | {len(lines)} |")
        if varies_order(lines[0]):
            mean = statistics.mean(line["miou"]["1"] for line in lines)
            orders[task, steps, objective].append((lines[0]["third_cells"], mean))
    for key, points in orders.items():
        if len(points) > 3:
            print(*key, f"rank correlation of {len(points)} orders: {rank_correlation(*zip(*points)):.2f}")


def plot(args) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "flowseg"}
    import matplotlib.pyplot as plt

    points = defaultdict(list)
    for line in read(args.results):
        if varies_order(line):
            points[line["task"], line["objective"]].append((100 * line["third_cells"], line["miou"]["1"]))
    tasks = sorted({task for task, _ in points})
    _, axes = plt.subplots(1, len(tasks), figsize=(4.6 * len(tasks), 3.6), squeeze=False)
    for axis, task in zip(axes[0], tasks):
        for objective, marker in (("reshaped", "o"), ("vanilla", "x")):
            if points[task, objective]:
                axis.scatter(*zip(*points[task, objective]), marker=marker, label=objective)
        axis.set(title=f"{task}, {TASKS[task]['classes']} classes", xlabel="third cells among mixed patches (%)", ylabel="mIoU (%)")
        axis.grid(alpha=0.3)
        axis.legend()
    plt.tight_layout()
    plt.savefig(args.figure, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    of_run = commands.add_parser("run")
    of_run.add_argument("groups", nargs="+", choices=list(GROUPS), metavar="GROUP", help=", ".join(GROUPS))
    of_run.add_argument("--data", type=Path, default=Path("../shared/data"))
    of_run.add_argument("--device", default="cuda")
    of_run.add_argument("--steps", type=int, help="instead of the group's own number")
    of_run.add_argument("--out", type=Path, required=True)
    of_run.set_defaults(call=run)
    of_table = commands.add_parser("table")
    of_table.add_argument("results", type=Path)
    of_table.set_defaults(call=table)
    of_plot = commands.add_parser("plot")
    of_plot.add_argument("results", type=Path)
    of_plot.add_argument("figure", type=Path)
    of_plot.set_defaults(call=plot)
    args = parser.parse_args()
    args.call(args)


if __name__ == "__main__":
    main()
