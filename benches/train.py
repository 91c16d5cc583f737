"""Trains a flowseg model with PyTorch on a CUDA GPU: the same network, path and objective, in bfloat16.

Starts from a model file of the program and writes one. A short run of `flowseg train` makes the first, with the
architecture, classes and centroids and the encoder's weights. --verify compares the network with values that
the program computed.

    flowseg train --config assets/presets/fashion.toml --set train.batch_size=1 --set stages.1.train.steps=1 \\
        --set stages.2.train.steps=1 --out run
    python benches/train.py run/model.safetensors model.safetensors --data ../shared/data/ccp --seconds 300
    flowseg export-onnx model.safetensors -o model.onnx --graph velocity --expected expected.safetensors
    python benches/train.py model.safetensors --verify expected.safetensors

Every photo has to fit into memory on the GPU. --data is a folder with images/ and annotations/, each with
training/ and validation/; labels are classes in the model's order, and others are ignored. Needs torch, numpy,
safetensors and Pillow.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from pytorch import dct_features, rms_norm, rotary_table, rotate
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

LAYER_EPSILON = 1e-6
# The network's own bound for the remaining time in training.
REMAINING_FLOOR = 0.05
PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53]
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
LUMA = [0.299, 0.587, 0.114]


# Model files


def read_model(path: Path) -> tuple[dict, dict[str, Tensor]]:
    """The card, and the weights in single precision."""
    with safe_open(path, "pt") as file:
        card = json.loads(file.metadata()["flowseg"])
    tensors = load_file(path)
    weights = {}
    for name, tensor in tensors.items():
        if not name.endswith(".row_scale"):
            scale = tensors.get(name + ".row_scale")
            weights[name] = tensor.float() if scale is None else tensor.float() * scale[:, None]
    return card, weights


def is_bytes(card: dict, name: str, tensor: Tensor) -> bool:
    encoder = card["network"].get("encoder") or {}
    return bool(encoder.get("int8")) and name.startswith("encoder.") and tensor.dim() == 2


def write_model(path: Path, card: dict, weights: dict[str, Tensor]) -> None:
    """Half precision; the matrices of an int8 encoder as int8 with one scale per row."""
    tensors = {}
    for name, tensor in weights.items():
        tensor = tensor.detach().float().cpu()
        if is_bytes(card, name, tensor):
            scale = row_scale(tensor)
            tensors[name] = (tensor / scale).round().to(torch.int8).contiguous()
            tensors[name + ".row_scale"] = scale[:, 0].contiguous()
        else:
            tensors[name] = tensor.half().contiguous()
    save_file(tensors, path, {"flowseg": json.dumps(card, separators=(",", ":"))})


def row_scale(tensor: Tensor) -> Tensor:
    greatest = tensor.abs().amax(1, keepdim=True)
    return torch.where(greatest > 0, greatest / 127, 1.0)


def centroids_of(card: dict) -> Tensor:
    """Equations 7 and 8 in the model's dimensions and order: [N, d]."""
    assert card["encoding"] == "kronecker"
    count, dims = len(card["classes"]), card["network"].get("state_channels", 3)
    steps = torch.tensor(PRIMES[:dims], dtype=torch.float64).sqrt()
    points = (torch.arange(count, dtype=torch.float64)[:, None] * steps).frac()
    low, high = points.amin(0), points.amax(0)
    points = 2 * (points - low) / (high - low) - 1
    return points[card["order"]] if card.get("order") else points


# Network


def cubic_positions(table: Tensor, side: int, grid: tuple[int, int]) -> Tensor:
    """A table of positions [side * side, W] for another grid: [rows * columns, W]."""
    if grid == (side, side):
        return table
    planes = table.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    planes = F.interpolate(planes, grid, mode="bicubic", align_corners=False)
    return planes.permute(0, 2, 3, 1).reshape(grid[0] * grid[1], -1)


class Network:
    """The forward pass of a model over a dictionary of weights."""

    def __init__(self, card: dict, device: torch.device, dtype: torch.dtype, drop_path: float = 0.0):
        self.config, self.device, self.dtype, self.drop_path = card["network"], device, dtype, drop_path
        assert self.config["condition"] == "concat" and self.config["class_conditions"] == 0
        self.tables: dict[tuple, Tensor] = {}
        self.training = False

    def cast(self, card: dict, master: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights for products. Those that a file stores as int8 are rounded to them, with the gradient passed on."""
        cast = {}
        for name, tensor in master.items():
            if is_bytes(card, name, tensor):
                with torch.no_grad():
                    scale = row_scale(tensor)
                    error = (tensor / scale).round() * scale - tensor
                tensor = tensor + error
            cast[name] = tensor.to(self.dtype) if tensor.dim() == 2 else tensor
        return cast

    def linear(self, w: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
        bias = w.get(name + ".bias")
        return F.linear(x.to(self.dtype), w[name + ".weight"].t(), None if bias is None else bias.to(self.dtype))

    def table(self, key: tuple, make) -> Tensor:
        if key not in self.tables:
            self.tables[key] = make().to(self.device)
        return self.tables[key]

    def encode(self, w: dict[str, Tensor], photo: Tensor) -> Tensor | None:
        """Tokens [B, L, W] of photos [B, 3, H, W] in [-1, 1]; None without an encoder."""
        e, p = self.config.get("encoder"), self.config["patch_size"]
        if not e:
            return None
        batch, _, height, width = photo.shape
        rows, columns = height // p, width // p
        mean, deviation = (torch.tensor(v, device=photo.device).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
        x = ((photo + 1) * 0.5 - mean) / deviation
        q = e["patch_size"]
        if q != p:
            x = F.interpolate(x, (rows * q, columns * q), mode="bicubic", align_corners=False)
        x = x.reshape(batch, 3, rows, q, columns, q).permute(0, 2, 4, 1, 3, 5).reshape(batch, rows * columns, -1)
        x = self.linear(w, "encoder.patches", x).float()
        x = x + cubic_positions(w["encoder.positions"].float(), e["side"], (rows, columns))
        x = torch.cat([w["encoder.class_token"].float().expand(batch, 1, -1), x], 1)
        joined = []
        layers = e.get("layers") or [e["blocks"]]

        def norm(name: str, x: Tensor) -> Tensor:
            return F.layer_norm(x, (x.shape[-1],), w[name + ".weight"], w[name + ".bias"], LAYER_EPSILON)

        for i in range(e["blocks"]):
            name = f"encoder.blocks.{i}"
            qkv = self.linear(w, name + ".qkv", norm(name + ".norm1", x))
            q, k, v = qkv.unflatten(-1, (3, e["heads"], -1)).permute(2, 0, 3, 1, 4)
            h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            x = x + self.dropped(self.linear(w, name + ".projection", h) * w[name + ".scale1"], i)
            h = F.gelu(self.linear(w, name + ".up", norm(name + ".norm2", x)))
            x = x + self.dropped(self.linear(w, name + ".down", h) * w[name + ".scale2"], i)
            if i + 1 in layers:
                joined.append(norm("encoder.norm", x[:, 1:]))
        return torch.cat(joined, 2)

    def dropped(self, x: Tensor, block: int) -> Tensor:
        """Stochastic depth, rising with the block."""
        rate = self.drop_path * block / max(1, self.config["encoder"]["blocks"] - 1)
        if not self.training or rate == 0:
            return x
        keep = (torch.rand(len(x), 1, 1, device=x.device) >= rate).to(x.dtype)
        return x * keep / (1 - rate)

    def stem(self, w: dict[str, Tensor], photo: Tensor) -> Tensor:
        """Features [B, E, H, W] of every pixel's neighbourhood."""
        height, width = photo.shape[2:]
        photo = F.pad(photo, (0, -width % 4, 0, -height % 4), mode="replicate")

        def layer(name: str, x: Tensor) -> Tensor:
            blocks = F.pixel_unshuffle(x, 2)
            channels = blocks.shape[1]
            weight = w[f"stem.{name}.weight"].t().reshape(-1, 3, 3, channels).permute(0, 3, 1, 2)
            blocks = F.pad(blocks, (1, 1, 1, 1), mode="replicate")
            return F.gelu(F.conv2d(blocks.to(self.dtype), weight, w[f"stem.{name}.bias"].to(self.dtype)))

        def project(name: str, x: Tensor) -> Tensor:
            weight = w[f"stem.{name}.weight"].t()[:, :, None, None]
            return F.conv2d(x, weight, w[f"stem.{name}.bias"].to(self.dtype))

        def double(x: Tensor) -> Tensor:
            return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

        half = layer("half", photo)
        coarse = project("of_quarter", layer("quarter", half))
        return double(project("of_half", half) + double(coarse))[:, :, :height, :width]

    def patches(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, L, C, p p]."""
        p = self.config["patch_size"]
        batch, channels, height, width = x.shape
        x = x.reshape(batch, channels, height // p, p, width // p, p).permute(0, 2, 4, 1, 3, 5)
        return x.reshape(batch, (height // p) * (width // p), channels, p * p)

    def forward(self, w: dict[str, Tensor], state: Tensor, t: Tensor, photo: Tensor, features: Tensor | None) -> Tensor:
        """The output [B, outputs, H, W] for states [B, d, H, W] at times [B]; sides are multiples of the patch.
        The features are the encoder's tokens, if the network has one."""
        c, p = self.config, self.config["patch_size"]
        batch, _, height, width = state.shape
        rows, columns = height // p, width // p
        count, e = rows * columns, c["pixel_width"]
        patches = self.patches(torch.cat([state, photo], 1))
        s = self.linear(w, "patch_embedder", patches.flatten(2)).float()
        if features is not None:
            s = s + self.linear(w, "encoder_projection", features).float()
        angle = t[:, None] * self.table(("time",), lambda: 10.0 ** (-torch.arange(128) / 128))
        time_features = torch.cat([angle.cos(), angle.sin()], -1)[:, None]
        time_token = F.silu(self.linear(w, "time_embedder.linear1", time_features))
        time_token = self.linear(w, "time_embedder.linear2", time_token)
        condition = F.silu(time_token.float() + w["class_table"].float())
        head = c["hidden_size"] // c["heads"]
        rotary = self.table(("rotary", rows, columns), lambda: rotary_table(rows, columns, head))
        for i in range(c["transformer_blocks"]):
            s = self.block(w, f"blocks.{i}", s, condition, rotary)
        s = F.silu(s + time_token.float()).reshape(batch * count, -1)

        position = self.table(("cosines", p), lambda: dct_features(p))
        weight = w["pixel_embedder.weight"]
        channels = patches.shape[2]
        of_position = position.to(self.dtype) @ weight[channels:] + w["pixel_embedder.bias"].to(self.dtype)
        pixels = patches.reshape(batch * count, channels, p * p).transpose(1, 2).to(self.dtype)
        z = pixels @ weight[:channels] + of_position
        if c.get("stem_width"):
            around = self.patches(self.stem(w, photo))
            z = z + around.reshape(batch * count, e, p * p).transpose(1, 2)
        for i in range(c["field_blocks"]):
            generated = self.linear(w, f"fields.{i}.generator", s)
            first, second = generated.chunk(2, -1)
            first = F.normalize(first.reshape(batch * count, e, -1).float(), dim=1, eps=1e-12).to(self.dtype)
            second = F.normalize(second.reshape(batch * count, -1, e).float(), dim=1, eps=1e-12).to(self.dtype)
            z = z + torch.bmm(F.silu(torch.bmm(rms_norm(z, w[f"fields.{i}.norm"].to(self.dtype)), first)), second)
        z = rms_norm(z, w["final_layer.norm"].to(self.dtype))
        out = z.float() @ w["final_layer.linear.weight"].float() + w["final_layer.linear.bias"]
        outputs = out.shape[-1]
        out = out.reshape(batch, rows, columns, p, p, outputs).permute(0, 5, 1, 3, 2, 4)
        out = out.reshape(batch, outputs, height, width)
        if c.get("patch_output"):
            coarse = s @ w["patch_output.weight"].float() + w["patch_output.bias"]
            coarse = coarse.reshape(batch, rows, columns, outputs).permute(0, 3, 1, 2)
            out = out + F.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
        return out

    def block(self, w: dict[str, Tensor], name: str, s: Tensor, condition: Tensor, rotary: Tensor) -> Tensor:
        modulation = self.linear(w, name + ".modulation", condition).float()
        shift1, scale1, gate1, shift2, scale2, gate2 = modulation.chunk(6, -1)
        h = rms_norm(s, w[name + ".norm1"]) * (1 + scale1) + shift1
        qkv = self.linear(w, name + ".attn.qkv", h)
        q, k, v = qkv.unflatten(-1, (3, self.config["heads"], -1)).permute(2, 0, 3, 1, 4)
        q = rotate(rms_norm(q.float(), w[name + ".attn.q_norm"]), rotary).to(self.dtype)
        k = rotate(rms_norm(k.float(), w[name + ".attn.k_norm"]), rotary).to(self.dtype)
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        s = s + gate1 * self.linear(w, name + ".attn.proj", h).float()
        h = rms_norm(s, w[name + ".norm2"]) * (1 + scale2) + shift2
        h = F.silu(self.linear(w, name + ".mlp.w1", h)) * self.linear(w, name + ".mlp.w3", h)
        return s + gate2 * self.linear(w, name + ".mlp.w2", h).float()


# Objective


def photo_state(photo: Tensor, dims: int) -> Tensor:
    return photo.repeat(1, -(-dims // 3), 1, 1)[:, :dims]


def distances(points: Tensor, centroids: Tensor, epsilon: float) -> Tensor:
    """|x - mu|^2 + eps from points [B, H, W, d] to every centroid: [B, H, W, N]."""
    squares = points.square().sum(-1, keepdim=True) - 2 * points @ centroids.t() + centroids.square().sum(-1)
    return squares.clamp_min(0) + epsilon


def potential_gradient(x: Tensor, labels: Tensor, centroids: Tensor, tau: float, epsilon: float) -> Tensor:
    """Equation 11 for T(d) = -ln(d + eps), at points x: [B, d, H, W] whose classes are labels: [B, H, W]."""
    points = x.permute(0, 2, 3, 1)
    d = distances(points, centroids, epsilon)
    share = torch.softmax(-d.log() / tau, -1).neg_()
    share.scatter_add_(-1, labels.clamp_min(0)[..., None], torch.ones_like(labels[..., None], dtype=share.dtype))
    factor = share.mul_(2 / tau).div_(d)
    gradient = factor.sum(-1, keepdim=True) * points - factor @ centroids
    return gradient.permute(0, 3, 1, 2)


def votes(x: Tensor, centroids: Tensor, epsilon: float) -> Tensor:
    """Equation 9 for tau = 1: [B, N, H, W]."""
    d = 1 / distances(x.permute(0, 2, 3, 1), centroids, epsilon)
    return (d / d.sum(-1, keepdim=True)).permute(0, 3, 1, 2)


# Data


class Data:
    """All photos of a split on the device, padded to one size: photos in [-1, 1], and labels + 1 (0: ignored)."""

    def __init__(self, folder: Path, split: str, classes: int, device: torch.device, keep=lambda name: True,
                 ignored: Sequence[int] = ()):
        files = [file for file in sorted((folder / "images" / split).iterdir()) if keep(file.name)]
        photos, labels = [], []
        for file in files:
            photos.append(np.asarray(Image.open(file).convert("RGB")))
            labels.append(np.asarray(Image.open(folder / "annotations" / split / (file.stem + ".png"))))
        self.size = [(p.shape[0], p.shape[1]) for p in photos]
        height, width = max(h for h, _ in self.size), max(w for _, w in self.size)
        self.photos = torch.zeros(len(files), 3, height, width, dtype=torch.float16)
        self.labels = torch.zeros(len(files), 1, height, width, dtype=torch.uint8)
        for i, (photo, label) in enumerate(zip(photos, labels)):
            h, w = self.size[i]
            self.photos[i, :, :h, :w] = torch.from_numpy(photo.copy()).permute(2, 0, 1).half() / 127.5 - 1
            label = torch.from_numpy(label.astype(np.int32))
            known = (label < classes) & ~torch.isin(label, torch.tensor(ignored, dtype=torch.int32))
            self.labels[i, 0, :h, :w] = torch.where(known, label + 1, 0).to(torch.uint8)
        counts = torch.stack([torch.bincount(l.flatten().long(), minlength=classes + 1)[1:] for l in self.labels])
        # Pixels of rare classes are looked for on the host.
        self.host = self.labels[:, 0].numpy()
        self.photos, self.labels = self.photos.to(device), self.labels.to(device)
        self.pixels = counts.sum(0).double()
        self.average = self.pixels.sum() / (self.pixels > 0).sum()
        self.holders = [torch.nonzero(counts[:, k]).flatten().tolist() for k in range(classes)]
        self.rare = [k for k in range(classes) if 0 < self.pixels[k] < self.average]

    def weights(self, exponent: float) -> Tensor:
        weight = (self.average / self.pixels.clamp_min(1)) ** exponent
        return torch.where(self.pixels > 0, weight.clamp(0.1, 10), 1.0).float()

    def __len__(self) -> int:
        return len(self.size)

    def batch(self, rng: np.random.Generator, count: int, size: tuple[int, int], args) -> tuple[Tensor, Tensor]:
        """Random crops: photos [B, 3, H, W] and labels [B, H, W], -1 where ignored."""
        device = self.photos.device
        height, width = size
        chosen, theta = [], np.zeros((count, 2, 3), np.float32)
        full_h, full_w = self.photos.shape[2:]
        for i in range(count):
            focus = None
            if self.rare and rng.random() < args.balance:
                focus = self.rare[rng.integers(len(self.rare))]
                index = self.holders[focus][rng.integers(len(self.holders[focus]))]
            else:
                index = int(rng.integers(len(self)))
            chosen.append(index)
            h, w = self.size[index]
            aspect = width / height
            area = math.sqrt(h * w * aspect), math.sqrt(h * w / aspect)
            scale = math.exp(rng.uniform(math.log(args.scale[0]), math.log(args.scale[1])))
            jitter = math.exp(rng.uniform(-1, 1) * math.log(args.aspect) / 2)
            window_w, window_h = area[0] / scale * jitter, area[1] / scale / jitter

            def place(photo: float, window: float, at: float | None) -> float:
                low, high = 0.0, photo - window
                if at is not None and window < photo:
                    low, high = max(at - window, low), min(at, high)
                return low + (high - low) * rng.random()

            at = (None, None) if focus is None else self.pixel(rng, index, focus)
            left, top = place(w, window_w, at[0]), place(h, window_h, at[1])
            flip = -1 if rng.random() < 0.5 else 1
            # From the crop's coordinates in [-1, 1] to those of the padded photo.
            theta[i] = [[flip * window_w / full_w, 0, 2 * (left + window_w / 2) / full_w - 1],
                        [0, window_h / full_h, 2 * (top + window_h / 2) / full_h - 1]]
        chosen = torch.tensor(chosen, device=device)
        grid = F.affine_grid(torch.from_numpy(theta).to(device), (count, 1, height, width), align_corners=False)
        photos = F.grid_sample(self.photos[chosen].float(), grid, mode="bilinear", align_corners=False)
        labels = F.grid_sample(self.labels[chosen].float(), grid, mode="nearest", align_corners=False)[:, 0].long() - 1
        return self.tinted(self.coloured(photos, args), labels, args.tint), labels

    def pixel(self, rng: np.random.Generator, index: int, k: int) -> tuple[float, float]:
        ys, xs = np.nonzero(self.host[index] == k + 1)
        j = rng.integers(len(ys))
        return xs[j] + 0.5, ys[j] + 0.5

    @staticmethod
    def coloured(photos: Tensor, args) -> Tensor:
        """Brightness, contrast, saturation and hue, as the program changes them, times args.colour."""
        if args.colour == 0:
            return photos
        count, device = len(photos), photos.device

        def around(centre: float, reach: float) -> Tensor:
            return centre + args.colour * reach * (2 * torch.rand(count, 1, 1, device=device) - 1)

        brightness, contrast, saturation = around(0, 0.2), around(1, 0.3), around(1, 0.4)
        saturation = saturation * (torch.rand(count, 1, 1, device=device) >= 0.05)
        angle = around(0, 0.1 * math.pi)
        cos, sin = angle.cos(), angle.sin()
        identity = torch.eye(3, device=device)[None]
        cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=device)[None]
        hue = cos * identity + (1 - cos) / 3 + sin * cross / math.sqrt(3)
        luma = torch.tensor(LUMA, device=device)[None, None]
        matrix = contrast * (saturation * hue + (1 - saturation) * luma)
        changed = torch.einsum("bij,bjhw->bihw", matrix, photos) + brightness[..., None]
        outside = (photos == 0).all(1, keepdim=True)
        return torch.where(outside, photos, changed.clamp(-1, 1))

    def tinted(self, photos: Tensor, labels: Tensor, share: float) -> Tensor:
        """In a share of the crops, half of the classes get a random brightness and tint, so that the network finds
        outlines by changes of colour, not by particular colours. Ignored pixels stay as they are."""
        if share == 0:
            return photos
        count, device = len(photos), photos.device
        size = count, len(self.pixels) + 1
        tint = 0.5 * (2 * torch.rand(*size, 1, device=device) - 1) + 0.35 * (2 * torch.rand(*size, 3, device=device) - 1)
        changed = (torch.rand(*size, 1, device=device) < 0.5) & (torch.rand(count, 1, 1, device=device) < share)
        changed[:, 0] = False
        gain = torch.where(changed, tint.exp(), 1.0)[torch.arange(count, device=device)[:, None, None], labels + 1]
        gain = F.avg_pool2d(gain.permute(0, 3, 1, 2), 3, 1, 1, count_include_pad=False)
        gain = torch.where(labels[:, None] >= 0, gain, 1.0)
        return ((photos + 1) * gain - 1).clamp(-1, 1)


# Training


def train(args, card: dict, weights: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    classes, size = len(card["classes"]), tuple(args.size or card["size"])
    centroids = centroids_of(card).float().to(device)
    dims = centroids.shape[1]
    by_class = card["prediction"] in ("posterior", "logits")

    def left_out(name: str) -> bool:
        return args.leave_out is not None and name.startswith(args.leave_out)

    data = Data(args.data, "training", classes, device, lambda name: not left_out(name))
    ignored = [card["classes"].index(name) for name in args.more_ignore]
    more = Data(args.more, "training", classes, device, ignored=ignored) if args.more else None
    of_more = round(args.batch * args.more_share) if more else 0
    held_out = None
    if args.validate:
        split = ("validation",) if args.leave_out is None else ("training", left_out)
        held_out = Data(args.data, split[0], classes, device, *split[1:])
    class_weights = data.weights(args.class_balance).to(device)
    master = {name: tensor.to(device).requires_grad_() for name, tensor in weights.items()}
    ema = {name: tensor.detach().clone() for name, tensor in master.items()}
    network = Network(card, device, getattr(torch, args.precision), args.drop_path)
    groups = []
    for encoder in (False, True):
        for decayed in (False, True):
            chosen = [t for name, t in master.items()
                      if name.startswith("encoder.") == encoder and (t.dim() > 1) == decayed]
            rate = args.rate * (args.encoder_rate if encoder else 1)
            groups.append(dict(params=chosen, lr=rate, peak=rate, weight_decay=args.decay if decayed else 0))
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=device.type == "cuda")
    rng = np.random.default_rng(args.seed)
    torch.manual_seed(args.seed)
    begin, step, reported, total = time.time(), 0, time.time(), 0.0
    while True:
        elapsed = (time.time() - begin) / args.seconds if not args.steps else step / args.steps
        if elapsed >= 1:
            break
        factor = min(1, (step + 1) / args.warmup) * (0.5 + 0.5 * math.cos(math.pi * elapsed))
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * max(factor, 0.01)
        photo, labels = data.batch(rng, args.batch - of_more, size, args)
        if of_more:
            photo, labels = (torch.cat(pair) for pair in zip((photo, labels), more.batch(rng, of_more, size, args)))
        # Ignored pixels lie on the path to the first class; their weight is 0.
        target = centroids[labels.clamp_min(0)].permute(0, 3, 1, 2)
        source = photo_state(photo, dims)
        times = np.minimum(rng.random(args.batch) ** args.time_exponent, 0.999)
        # The discriminative twin sees nothing but the photo.
        zero = 1.0 if card["prediction"] == "logits" else args.time_zero
        times = np.where(rng.random(args.batch) < zero, 0, times).astype(np.float32)
        # Known on the host, so that nothing waits for the device.
        later = torch.from_numpy(np.nonzero(times)[0]).to(device)
        t = torch.from_numpy(times).to(device)
        network.training = True
        w = network.cast(card, master)
        features = network.encode(w, photo)
        towards = target
        if args.states == "rollout" and len(later):
            with torch.no_grad():
                fixed = {name: tensor.detach() for name, tensor in w.items()}
                zero = torch.zeros(len(later), device=device)
                seen = None if features is None else features[later].detach()
                out = network.forward(fixed, source[later], zero, photo[later], seen)
                own = centroids[out.argmax(1)].permute(0, 3, 1, 2) if by_class else source[later] + out
            towards = target.clone()
            towards[later] = own
        at = t.view(-1, 1, 1, 1)
        state = source + (towards - source) * at
        out = network.forward(w, state, t, photo, features)
        weight = class_weights[labels.clamp_min(0)] * (labels >= 0)
        weight = weight / weight.sum().clamp_min(1)
        if by_class:
            loss = (F.cross_entropy(out, labels.clamp_min(0), reduction="none") * weight).sum()
        else:
            with torch.no_grad():
                # Exactly x1 - x0 on the true path.
                velocity = target - source + (target - towards) * at / (1 - at).clamp_min(REMAINING_FLOOR)
                if args.objective == "reshaped":
                    reached = state + (1 - at) * out
                    velocity = velocity - potential_gradient(reached, labels, centroids, args.temperature, args.epsilon)
            weight = weight * (1 - t.view(-1, 1, 1)) ** args.time_weight
            loss = ((out - velocity).square().mean(1) * weight).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(master.values(), args.clip)
        optimizer.step()
        step += 1
        decay = min(args.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.values()), list(master.values()), 1 - decay)
        total += loss.detach()
        if step % args.every == 0:
            now = time.time()
            rate = args.every * args.batch / (now - reported)
            loss = float(total) / args.every
            print(f"step {step}: loss {loss:.4f}, {rate:.1f} photos/s, {now - begin:.0f} s", flush=True)
            reported, total = now, 0.0
        if held_out and args.validate > 0 and step % args.validate == 0:
            print(json.dumps(score(network, card, ema, held_out, size, centroids, args.epsilon, [1])), flush=True)
            reported = time.time()
    card["steps"] = card.get("steps", 0) + step
    if held_out:
        final = score(network, card, ema, held_out, size, centroids, args.epsilon, args.score_steps)
        print(json.dumps(final), flush=True)
    return ema


@torch.no_grad()
def score(network: Network, card: dict, master: dict[str, Tensor], data: Data, size: tuple[int, int],
          centroids: Tensor, epsilon: float, steps: list[int]) -> dict:
    """mIoU over the classes that occur, labels at their own size, photos stretched to the network's."""
    network.training = False
    w = network.cast(card, master)
    classes, dims = centroids.shape
    by_class = card["prediction"] in ("posterior", "logits")
    found = {}
    for count in steps:
        confusion = torch.zeros(classes, classes, device=centroids.device)
        for i in range(len(data)):
            h, width = data.size[i]
            photo = F.interpolate(data.photos[i : i + 1, :, :h, :width].float(), size, mode="bilinear",
                                  align_corners=False, antialias=True)
            features, state = network.encode(w, photo), photo_state(photo, dims)
            for k in range(count):
                t = torch.full((1,), k / count, device=state.device)
                out = network.forward(w, state, t, photo, features)
                if by_class:
                    end = centroids[out.argmax(1)].permute(0, 3, 1, 2)
                    state = state + (end - state) / (count - k)
                else:
                    state = state + out / count
            share = torch.softmax(out, 1) if by_class else votes(state, centroids, epsilon)
            share = F.interpolate(share, (h, width), mode="bilinear", align_corners=False)
            label = data.labels[i, 0, :h, :width].long() - 1
            known = label >= 0
            index = label[known] * classes + share[0].argmax(0)[known]
            confusion += torch.bincount(index, minlength=classes * classes).reshape(classes, classes)
        iou, accuracy = scores(confusion)
        found[f"miou_{count}"] = round(100 * float(iou.nanmean()), 2)
        found[f"accuracy_{count}"] = round(100 * accuracy, 2)
        if count == steps[0]:
            of_class = zip(card["classes"], iou.tolist())
            found["classes"] = {name: round(100 * value, 1) for name, value in of_class if not math.isnan(value)}
    return found


def scores(confusion: Tensor) -> tuple[Tensor, float]:
    """The IoU of every class, NaN where it does not occur, and the accuracy."""
    diagonal = confusion.diagonal()
    return diagonal / (confusion.sum(0) + confusion.sum(1) - diagonal), float(diagonal.sum() / confusion.sum())


def verify(path: Path, card: dict, weights: dict[str, Tensor]) -> bool:
    expected = load_file(path)
    network = Network(card, torch.device("cpu"), torch.float32)
    w = network.cast(card, weights)
    with torch.no_grad():
        features = network.encode(w, expected["photo"])
        velocity = network.forward(w, expected["state"], expected["t"], expected["photo"], features)
    passed = True
    computed = [("features", features), ("velocity", velocity)]
    for name, value in [pair for pair in computed if pair[1] is not None]:
        error = float((value - expected[name]).abs().max() / expected[name].abs().max())
        passed &= error < 1e-4
        print(f"{name}: greatest error {error:.1e} of the greatest value")
    return passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model file of the program, to start from")
    parser.add_argument("output", type=Path, nargs="?", help="the model file to write")
    parser.add_argument("--verify", type=Path, metavar="FILE", help="compare with export-onnx --expected FILE, and end")
    parser.add_argument("--mean", type=Path, metavar="FILE", help="write the mean of the weights with those of FILE, and end")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--more", type=Path, help="another folder with the same classes, of which the training split is used")
    parser.add_argument("--more-share", type=float, default=0.25, help="of a batch's crops, from --more")
    parser.add_argument("--more-ignore", nargs="+", default=[], metavar="CLASS", help="whose pixels in --more are ignored")
    parser.add_argument("--leave-out", metavar="PREFIX",
                        help="score the training photos whose names begin so, and train on the others")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=["bfloat16", "float32"], default="bfloat16", help="of products")
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="of the crops; the model's by default")
    parser.add_argument("--seconds", type=float, default=300, help="the learning rate falls to 0 in this time")
    parser.add_argument("--steps", type=int, default=0, help="a number of steps instead of --seconds")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-4, help="the greatest learning rate")
    parser.add_argument("--encoder-rate", type=float, default=0.1, help="of the encoder, as a share of --rate")
    parser.add_argument("--warmup", type=int, default=50, metavar="STEPS")
    parser.add_argument("--decay", type=float, default=0.01, help="weight decay")
    parser.add_argument("--drop-path", type=float, default=0.1, help="stochastic depth of the encoder's last block")
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--objective", choices=["reshaped", "vanilla"], default="reshaped",
                        help="of models that predict a velocity; others have the cross-entropy")
    parser.add_argument("--temperature", type=float, default=1.0, help="tau of the potential")
    parser.add_argument("--epsilon", type=float, default=1e-2)
    parser.add_argument("--time-zero", type=float, default=0.6, help="share of samples at t = 0")
    parser.add_argument("--time-exponent", type=float, default=2.0)
    parser.add_argument("--time-weight", type=float, default=2.0)
    parser.add_argument("--states", choices=["truth", "rollout"], default="rollout")
    parser.add_argument("--class-balance", type=float, default=0.15)
    parser.add_argument("--balance", type=float, default=0.3, help="share of crops around a rare class")
    parser.add_argument("--scale", type=float, nargs=2, default=[0.7, 1.8], metavar=("LEAST", "MOST"),
                        help="magnification of crops")
    parser.add_argument("--aspect", type=float, default=1.1, help="the most that a crop is stretched along one side")
    parser.add_argument("--colour", type=float, default=1.0, help="strength of changes of brightness, contrast and colour")
    parser.add_argument("--tint", type=float, default=0.0, help="share of crops in which classes have tints of their own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=50, metavar="STEPS", help="between two lines of output")
    parser.add_argument("--validate", type=int, default=0, metavar="STEPS", help="between two scores; -1: at the end")
    parser.add_argument("--score-steps", type=int, nargs="+", default=[1, 5], help="Euler steps of the last score")
    args = parser.parse_args()
    card, weights = read_model(args.model)
    if card["prediction"] == "target" or card.get("source") == "noise" or card.get("base_classes"):
        parser.error("models that predict a target, start from noise or have appended classes are not supported")
    # Those of the weights that are replaced.
    card.pop("score", None)
    card.pop("quality", None)
    if args.verify:
        sys.exit(0 if verify(args.verify, card, weights) else 1)
    if args.mean and args.output:
        others = read_model(args.mean)[1]
        write_model(args.output, card, {name: (tensor + others[name]) / 2 for name, tensor in weights.items()})
        return
    if not args.output or not args.data:
        parser.error("training needs an output and --data")
    args.output.touch()
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    card["size"] = list(args.size or card["size"])
    write_model(args.output, card, train(args, card, weights, torch.device(args.device)))


if __name__ == "__main__":
    main()
