//! The project's own operations at the shapes of the `tiny` preset, batch 8, 96 x 128.
//! `python benches/pytorch.py --bench --preset tiny --height 96 --width 128 --batch 8 --classes 11`
//! times the same work in PyTorch, and with `--only attention --height 192 --width 256`, say, attention at another number
//! of tokens, one for each 8 x 8 pixels. `FLOWSEG_BENCH_DEVICE=wgpu` runs them on a GPU instead of the CPU.

mod common;

use burn::tensor::{Device, Int, Tensor, TensorData};
use divan::Bencher;
use divan::counter::ItemsCount;
use flowseg::encoding::Centroids;
use flowseg::kernels::{self, MatmulPrecision};
use flowseg::model::positions;
use flowseg::potential::{Operator, Potential};
use flowseg::random::noise;

/// Patches of 8 x 8 pixels in a photo.
const PATCHES: usize = 192;

fn main() {
    common::device();
    common::run();
}

/// The cost should grow linearly with the number of pixels and of classes.
#[divan::bench(args = [[8, 11], [16, 11], [8, 22], [8, 171]])]
fn reshaped_target(bencher: Bencher, [batch, classes]: [usize; 2]) {
    let device = common::device();
    let potential = Potential {
        operator: Operator::Log,
        temperature: 1.0,
        epsilon: 1e-2,
    };
    let x = noise([batch, 3, 96, 128], 1, device);
    let labels = (0..batch * 96 * 128)
        .map(|i| (i % classes) as i32)
        .collect::<Vec<_>>();
    let labels = Tensor::<3, Int>::from_data(TensorData::new(labels, [batch, 96, 128]), device);
    let centroids = Centroids::kronecker(classes);
    common::bench(bencher, || {
        kernels::potential_gradient(x.clone(), labels.clone(), &centroids, potential)
    });
}

/// The greatest rate of products on this device, in floating-point operations per second: what the rates of networks are
/// compared with.
#[divan::bench(args = [1024, 2048])]
fn square_product(bencher: Bencher, side: usize) {
    let device = common::device();
    let [a, b] = [1, 2].map(|seed| noise([side, side, 1, 1], seed, device).reshape([side, side]));
    let operations = ItemsCount::new(2 * side * side * side);
    common::bench(bencher.counter(operations), || {
        a.clone().matmul(b.clone()) as Tensor<2>
    });
}

mod neural_field {
    use super::*;

    fn inputs(batch: usize, device: &Device) -> (Tensor<3>, Tensor<2>, Tensor<1>) {
        let patches = batch * PATCHES;
        (
            noise([patches, 64, 32, 1], 1, device).reshape([patches, 64, 32]),
            noise([patches, 4096, 1, 1], 2, device).reshape([patches, 4096]),
            noise([32, 1, 1, 1], 3, device).reshape([32]),
        )
    }

    /// A batch of 32 keeps a GPU busy for longer than launching its kernels takes.
    const BATCHES: [usize; 2] = [8, 32];

    #[divan::bench(args = BATCHES)]
    fn forward(bencher: Bencher, batch: usize) {
        let (z, w, n) = inputs(batch, common::device());
        common::bench(bencher, || {
            kernels::neural_field(z.clone(), w.clone(), n.clone(), MatmulPrecision::Single)
        });
    }

    #[divan::bench(args = BATCHES)]
    fn forward_and_backward(bencher: Bencher, batch: usize) {
        let (z, w, n) = inputs(batch, &common::device().clone().autodiff());
        let (z, w, n) = (z.require_grad(), w.require_grad(), n.require_grad());
        common::bench(bencher, || {
            kernels::neural_field(z.clone(), w.clone(), n.clone(), MatmulPrecision::Single)
                .sum()
                .backward()
        });
    }
}

mod attention {
    use super::*;

    type Inputs = (Tensor<3>, Tensor<1>, Tensor<2>, Tensor<2>);

    /// Rows and columns of tokens.
    const GRIDS: [[usize; 2]; 4] = [[8, 12], [12, 16], [24, 32], [32, 32]];

    fn inputs([rows, columns]: [usize; 2], device: &Device) -> Inputs {
        let tokens = rows * columns;
        let table = |v: Vec<f32>| Tensor::from_data(TensorData::new(v, [tokens, 32]), device);
        let (cos, sin) = positions::rotary(rows, columns, 64);
        (
            noise([8, tokens, 576, 1], 1, device).reshape([8, tokens, 576]),
            noise([64, 1, 1, 1], 2, device).reshape([64]),
            table(cos),
            table(sin),
        )
    }

    fn attend(x: &Tensor<3>, n: &Tensor<1>, cos: &Tensor<2>, sin: &Tensor<2>) -> Tensor<3> {
        let (q_norm, k_norm, x) = (n.clone(), n.clone(), x.clone());
        let (cos, sin) = (cos.clone(), sin.clone());
        kernels::rotary_attention(x, q_norm, k_norm, cos, sin, MatmulPrecision::Single)
    }

    #[divan::bench(args = GRIDS)]
    fn forward(bencher: Bencher, grid: [usize; 2]) {
        let (x, n, cos, sin) = inputs(grid, common::device());
        common::bench(bencher, || attend(&x, &n, &cos, &sin));
    }

    #[divan::bench(args = GRIDS)]
    fn forward_and_backward(bencher: Bencher, grid: [usize; 2]) {
        let (x, n, cos, sin) = inputs(grid, &common::device().clone().autodiff());
        let (x, n) = (x.require_grad(), n.require_grad());
        common::bench(bencher, || attend(&x, &n, &cos, &sin).sum().backward());
    }
}
