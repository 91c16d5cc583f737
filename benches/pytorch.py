"""The reference for speed: the PixNerd-style transformer in eager PyTorch, fp32, on the CPU.

The speed of the Rust implementation is compared with the numbers that this file prints. The model uses
PyTorch's own fast paths, and --verify checks that it computes the same function as the fixtures.

Needs torch, numpy and safetensors.

    python benches/pytorch.py --verify DIR
        The largest absolute error of the velocity and of every conditioning block against
        DIR/pixnerd-tiny.* and DIR/pixnerd-patch16.*; exits with 1 if one is above 1e-4.
    python benches/pytorch.py --bench --preset tiny --height 96 --width 128 --batch 8 --classes 11
        One JSON line per measurement: seconds over --repeat runs after two warm-ups.
    python benches/pytorch.py --model assets/models/street.safetensors
        The same for one Euler step of a model file, encoder included, on one photo of its training size. The network
        is that of train.py, which needs Pillow.

Time it on idle cores ("load" in the output is the load average before the run). If other processes use
the cores, OpenMP threads that spin at barriers can make it ten times slower;
OMP_WAIT_POLICY=PASSIVE in the environment avoids that.
"""

import argparse
import copy
import json
import math
import os
import statistics
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

TOLERANCE = 1e-4
RMS_EPS = 1e-6
POTENTIAL_EPS = 1e-2
IGNORE = 255
EMA_DECAY = 0.9999
WARM_UPS = 2
FIXTURES = ("pixnerd-tiny", "pixnerd-patch16")
PRESETS: dict[str, dict[str, int]] = {
    "tiny": dict(in_channels=6, num_groups=3, hidden_size=192, hidden_size_x=32, nerf_mlpratio=2,
                 num_blocks=8, num_cond_blocks=6, patch_size=8, num_classes=0),
    "small": dict(in_channels=6, num_groups=6, hidden_size=384, hidden_size_x=64, nerf_mlpratio=2,
                  num_blocks=12, num_cond_blocks=10, patch_size=16, num_classes=0),
    "base": dict(in_channels=6, num_groups=12, hidden_size=768, hidden_size_x=64, nerf_mlpratio=2,
                 num_blocks=14, num_cond_blocks=12, patch_size=16, num_classes=0),
}


@lru_cache
def rotary_table(rows: int, columns: int, width: int) -> Tensor:
    """Unit complex numbers [rows * columns, width / 2] that rotate the channel pairs of a head."""
    frequency = 10000.0 ** (-4.0 * torch.arange(width // 4) / width)
    y, x = torch.meshgrid(torch.linspace(0, 16, rows), torch.linspace(0, 16, columns), indexing="ij")
    angle = torch.stack([x.reshape(-1, 1) * frequency, y.reshape(-1, 1) * frequency], dim=-1).flatten(1)
    return torch.polar(torch.ones_like(angle), angle)


@lru_cache
def dct_features(patch: int) -> Tensor:
    """Position features [patch * patch, 64] of the pixels of a patch, row by row."""
    frequency = torch.linspace(0, 8, 8)
    wave = torch.cos(math.pi * torch.linspace(0, 1, patch)[:, None] * frequency)
    features = wave[None, :, :, None] * wave[:, None, None, :] / (1 + frequency[:, None] * frequency)
    return features.reshape(patch * patch, 64)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],), weight, RMS_EPS)


def rotate(x: Tensor, table: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * table).flatten(-2)


def attention(q: Tensor, k: Tensor, v: Tensor, q_weight: Tensor, k_weight: Tensor, table: Tensor) -> Tensor:
    """The core of attention on [batch, heads, tokens, width]: q/k norm, rotary embedding, softmax."""
    q, k = rotate(rms_norm(q, q_weight), table), rotate(rms_norm(k, k_weight), table)
    return F.scaled_dot_product_attention(q, k, v)


def neural_field(z: Tensor, weights: Tensor, norm_weight: Tensor, ratio: int) -> Tensor:
    """Pixels z [patches, pixels, E] through each patch's own two layers, weights [patches, 2 ratio E^2]."""
    patches, _, width = z.shape
    first, second = weights.chunk(2, dim=-1)
    first = F.normalize(first.reshape(patches, width, ratio * width), dim=-2, eps=1e-12)
    second = F.normalize(second.reshape(patches, ratio * width, width), dim=-2, eps=1e-12)
    return z + torch.bmm(F.silu(torch.bmm(rms_norm(z, norm_weight), first)), second)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_norm, self.k_norm = (nn.RMSNorm(width // heads, eps=RMS_EPS) for _ in range(2))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        out = attention(q, k, v, self.q_norm.weight, self.k_norm.weight, table)
        return self.proj(out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        inner = 2 * 4 * width // 3
        self.w1, self.w3 = (nn.Linear(width, inner, bias=False) for _ in range(2))
        self.w2 = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class TransformerBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.RMSNorm(width, eps=RMS_EPS) for _ in range(2))
        self.attn = Attention(width, heads)
        self.mlp = FeedForward(width)
        self.adaLN_modulation = nn.Sequential(nn.Linear(width, 6 * width))

    def forward(self, s: Tensor, c: Tensor, table: Tensor) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaLN_modulation(c).chunk(6, dim=-1)
        s = s + gate1 * self.attn(self.norm1(s) * (1 + scale1) + shift1, table)
        return s + gate2 * self.mlp(self.norm2(s) * (1 + scale2) + shift2)


class FieldBlock(nn.Module):
    def __init__(self, width: int, pixel_width: int, ratio: int) -> None:
        super().__init__()
        self.ratio = ratio
        self.param_generator1 = nn.Sequential(nn.Linear(width, 2 * ratio * pixel_width**2))
        self.norm = nn.RMSNorm(pixel_width, eps=RMS_EPS)

    def forward(self, z: Tensor, s: Tensor) -> Tensor:
        return neural_field(z, self.param_generator1(s), self.norm.weight, self.ratio)


class TimeEmbedder(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        self.register_buffer("frequency", 10.0 ** (-torch.arange(128) / 128), persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        angle = t[:, None] * self.frequency
        return self.mlp(torch.cat([angle.cos(), angle.sin()], dim=-1))[:, None]


class PixNerd(nn.Module):
    """Velocity [B, out_channels, H, W] of x [B, in_channels, H, W] at time t [B] for the class y [B]."""

    def __init__(self, in_channels: int, num_groups: int, hidden_size: int, hidden_size_x: int, nerf_mlpratio: int,
                 num_blocks: int, num_cond_blocks: int, patch_size: int, num_classes: int,
                 out_channels: int = 3) -> None:
        super().__init__()
        self.patch_size, self.num_cond_blocks, self.head_width = patch_size, num_cond_blocks, hidden_size // num_groups
        self.t_embedder = TimeEmbedder(hidden_size)
        self.y_embedder = nn.ModuleDict({"embedding_table": nn.Embedding(num_classes + 1, hidden_size)})
        self.s_embedder = nn.ModuleDict({"proj": nn.Linear(in_channels * patch_size**2, hidden_size)})
        self.x_embedder = nn.ModuleDict({"embedder": nn.Sequential(nn.Linear(in_channels + 64, hidden_size_x))})
        self.blocks = nn.ModuleList(
            TransformerBlock(hidden_size, num_groups) if i < num_cond_blocks
            else FieldBlock(hidden_size, hidden_size_x, nerf_mlpratio) for i in range(num_blocks))
        self.final_layer = nn.Sequential(OrderedDict(norm=nn.RMSNorm(hidden_size_x, eps=RMS_EPS),
                                                     linear=nn.Linear(hidden_size_x, out_channels)))
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        (batch, channels, height, width), p = x.shape, self.patch_size
        rows, columns = height // p, width // p
        patches = x.reshape(batch, channels, rows, p, columns, p).permute(0, 2, 4, 1, 3, 5)
        patches = patches.reshape(batch, rows * columns, channels * p * p)
        t = self.t_embedder(t)
        c = F.silu(t + self.y_embedder["embedding_table"](y)[:, None])
        s = self.s_embedder["proj"](patches)
        table = rotary_table(rows, columns, self.head_width)
        for block in self.blocks[: self.num_cond_blocks]:
            s = block(s, c, table)
        s = F.silu(t + s).flatten(0, 1)

        pixels = patches.reshape(-1, channels, p * p).transpose(1, 2)
        position = dct_features(p).expand(len(pixels), -1, -1)
        z = self.x_embedder["embedder"](torch.cat([pixels, position], dim=-1))
        for block in self.blocks[self.num_cond_blocks :]:
            z = block(z, s)
        out = self.final_layer(z)
        out = out.reshape(batch, rows, columns, p, p, -1).permute(0, 5, 1, 3, 2, 4)
        return out.reshape(batch, -1, height, width)


def kronecker_centroids(classes: int) -> Tensor:
    """Evenly spread points [classes, 3] in [-1, 1]^3."""
    k = torch.arange(classes, dtype=torch.float64)[:, None]
    points = (k * torch.tensor([2.0, 3.0, 5.0], dtype=torch.float64).sqrt()).frac()
    low, high = points.amin(0), points.amax(0)
    return (2 * (points - low) / (high - low) - 1).float()


@torch.no_grad()
def reshaped_target(v: Tensor, v_gt: Tensor, x_t: Tensor, t: Tensor, labels: Tensor, centroids: Tensor,
                    eps: float = POTENTIAL_EPS) -> Tensor:
    """v_gt minus the gradient, at the predicted target, of the cross-entropy of softmax(-ln(d + eps))."""
    end = x_t + (1 - t.view(-1, 1, 1, 1)) * v
    difference = end[:, None] - centroids[None, :, :, None, None]  # [B, N, 3, H, W]
    distance = difference.square().sum(2) + eps
    p = torch.softmax(-distance.log(), dim=1)
    y = F.one_hot(labels, len(centroids)).movedim(-1, 1)
    gradient = 2 * (((y - p) / distance)[:, :, None] * difference).sum(1)
    return v_gt - gradient


def train_step(model: PixNerd, ema: PixNerd, optimizer: torch.optim.Optimizer, image: Tensor, mask: Tensor, t: Tensor,
               y: Tensor, centroids: Tensor) -> None:
    """One step on image [B, 3, H, W] and mask [B, H, W] of labels, IGNORE for pixels without one."""
    labelled = mask != IGNORE
    labels = mask.where(labelled, 0)
    x1 = centroids[labels].movedim(-1, 1)
    x_t = torch.lerp(image, x1, t.view(-1, 1, 1, 1))
    v = model(torch.cat([x_t, image], dim=1), t, y)
    target = reshaped_target(v, x1 - image, x_t, t, labels, centroids)
    loss = ((v - target).square() * labelled[:, None]).sum() / (3 * labelled.sum())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    with torch.no_grad():
        torch._foreach_lerp_(list(ema.parameters()), list(model.parameters()), 1 - EMA_DECAY)


def load_weights(model: PixNerd, path: Path, prefix: str = "ema_denoiser.") -> None:
    """Strict load of the tensors under the prefix, or of the whole file if none has it."""
    tensors = load_file(path)
    chosen = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    model.load_state_dict(chosen or tensors, strict=True)


def verify(folder: Path) -> bool:
    passed = True
    for name in FIXTURES:
        config = json.loads((folder / f"{name}.json").read_text())
        model = PixNerd(**{key: config[key] for key in PRESETS["tiny"]}).eval()
        load_weights(model, folder / f"{name}.weights.safetensors")
        expected = load_file(folder / f"{name}.expected.safetensors")
        found: dict[str, Tensor] = {}
        for i in range(model.num_cond_blocks):
            key = f"cond_block.{i}"
            model.blocks[i].register_forward_hook(lambda _module, _args, out, key=key: found.update({key: out}))
        with torch.no_grad():
            found["velocity"] = model(expected["x"], expected["t"], expected["y"])
        for key, value in found.items():
            assert value.shape == expected[key].shape, f"{name} {key}: {value.shape}, expected {expected[key].shape}"
            error = (value - expected[key]).abs().max().item()
            passed &= error <= TOLERANCE  # false for a NaN too
            print(f"{name:16} {key:13} max |error| {error:.3e}")
    print("ok" if passed else f"FAILED: above {TOLERANCE}")
    return passed


def timed(run: Callable[[], object], repeat: int) -> list[float]:
    seconds = []
    for _ in range(WARM_UPS + repeat):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds[WARM_UPS:]


def bench_model(args: argparse.Namespace) -> None:
    import train

    card, weights = train.read_model(args.model)
    network = train.Network(card, torch.device("cpu"), torch.float32)
    w = network.cast(card, weights)
    photo = torch.randn(1, 3, *card["size"]).clamp(-1, 1)
    state = train.photo_state(photo, card["network"].get("state_channels", 3))

    def step() -> Tensor:
        features = network.encode(w, photo) if card["network"].get("encoder") else None
        return network.forward(w, state, torch.zeros(1), photo, features)

    with torch.no_grad():
        seconds = timed(torch.compile(step) if args.compile else step, args.repeat)
    print(json.dumps(dict(name="one_step", model=args.model.stem, median_s=round(statistics.median(seconds), 6),
                          min_s=round(min(seconds), 6), repeat=args.repeat, threads=args.threads, compiled=args.compile,
                          torch=torch.__version__, load=round(os.getloadavg()[0], 2))))


def bench(args: argparse.Namespace) -> None:
    config = PRESETS[args.preset]
    batch, height, width, p = args.batch, args.height, args.width, config["patch_size"]
    if height % p or width % p:
        raise SystemExit(f"--height and --width must be multiples of the patch size {p}")
    common = dict(preset=args.preset, classes=args.classes, repeat=args.repeat, threads=args.threads,
                  compiled=args.compile, torch=torch.__version__, load=round(os.getloadavg()[0], 2),
                  omp_wait_policy=os.environ.get("OMP_WAIT_POLICY", "default"))

    def report(name: str, run: Callable[[], object], shape: list[int]) -> None:
        if args.only not in name:
            return
        seconds = timed(run, args.repeat)
        print(json.dumps(dict(name=name, median_s=round(statistics.median(seconds), 6), min_s=round(min(seconds), 6),
                              shape=shape, **common)), flush=True)

    def report_both(name: str, function: Callable[..., Tensor], inputs: list[Tensor], shape: list[int]) -> None:
        """Times the forward pass, then the forward pass with the gradients of all inputs."""
        upstream = torch.randn(shape)
        with torch.no_grad():
            report(f"{name}_forward", lambda: function(*inputs), shape)
        for tensor in inputs:
            tensor.requires_grad_()
        report(f"{name}_forward_backward", lambda: torch.autograd.grad(function(*inputs), inputs, upstream), shape)

    compiled = torch.compile if args.compile else lambda function: function
    model = PixNerd(**config)
    if args.weights:
        load_weights(model, args.weights)
    network = compiled(model)
    ema = copy.deepcopy(model).requires_grad_(False)
    centroids = kronecker_centroids(args.classes)
    image = torch.rand(batch, 3, height, width) * 2 - 1
    mask = torch.randint(args.classes, (batch, height, width))
    t, y = torch.rand(batch), torch.zeros(batch, dtype=torch.long)
    x, v = torch.randn(batch, 6, height, width), torch.randn_like(image)

    with torch.no_grad():
        report("forward", lambda: network(x, t, y), list(x.shape))
    target = compiled(reshaped_target)
    report("reshaped_target", lambda: target(v, v, image, t, mask, centroids), list(image.shape))
    mask = mask.masked_fill(torch.rand(mask.shape) < 0.05, IGNORE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0)
    report("train_step", lambda: train_step(network, ema, optimizer, image, mask, t, y, centroids), list(image.shape))

    rows, columns = height // p, width // p
    tokens, pixel_width, ratio = rows * columns, config["hidden_size_x"], config["nerf_mlpratio"]
    z = torch.randn(batch * tokens, p * p, pixel_width)
    weights = torch.randn(batch * tokens, 2 * ratio * pixel_width**2)
    field = compiled(neural_field)
    report_both("neural_field", lambda *inputs: field(*inputs, ratio), [z, weights, torch.ones(pixel_width)],
                list(z.shape))
    heads, head_width = config["num_groups"], config["hidden_size"] // config["num_groups"]
    shape = [batch, heads, tokens, head_width]
    table = rotary_table(rows, columns, head_width)
    attend = compiled(attention)
    report_both("attention", lambda *inputs: attend(*inputs, table),
                [*torch.randn(3, *shape), torch.ones(head_width), torch.ones(head_width)], shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--verify", type=Path, metavar="DIR", help="compare with the fixtures in DIR")
    mode.add_argument("--bench", action="store_true", help="print one JSON line per measurement")
    mode.add_argument("--model", type=Path, metavar="FILE", help="print a JSON line for one step of this model")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="tiny")
    for name, default in dict(height=96, width=128, batch=8, classes=11, threads=2, repeat=10).items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    parser.add_argument("--only", default="", metavar="NAME", help="with --bench, only work with NAME in its name")
    parser.add_argument("--compile", action="store_true", help="compile with torch.compile; needs a C++ compiler")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="safetensors with the preset's tensors")
    args = parser.parse_args()
    if args.classes < 2 or min(args.batch, args.height, args.width, args.threads, args.repeat) < 1:
        parser.error("--classes must be at least 2, the other numbers at least 1")
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if args.verify:
        sys.exit(0 if verify(args.verify) else 1)
    if args.model:
        bench_model(args)
    else:
        bench(args)


if __name__ == "__main__":
    main()
