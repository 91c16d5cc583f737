//! The backward passes, registered in Burn's autodiff graph.

use super::cpu::attention::{self, Rotary};
use super::cpu::{gelu, linear, norm, ops as cpu_ops, patches, planes, swiglu};
use super::matmul_precision::MatmulPrecision;
use super::ops::{CpuOps, FieldOps};
use crate::potential::Potential;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata};
use burn::tensor::{FloatDType, Shape};

/// Registers the gradients of those parents that are tracked.
fn register<B: Backend, S, const N: usize>(
    ops: Ops<S, N>,
    grads: &mut Gradients,
    backward: impl FnOnce(S, FloatTensor<B>) -> [Option<FloatTensor<B>>; N],
) {
    let grad = grads.consume::<B>(&ops.node);
    for (parent, grad) in ops.parents.into_iter().zip(backward(ops.state, grad)) {
        if let (Some(parent), Some(grad)) = (parent, grad) {
            grads.register::<B>(parent.id, grad);
        }
    }
}

/// Declares a differentiable operation: its parents, the state it saves and its two passes.
macro_rules! differentiable {
    ($name:ident<$backend:ty>, $count:literal, state $state:ty, $backward:expr) => {
        #[derive(Debug)]
        struct $name;
        impl Backward<$backend, $count> for $name {
            type State = $state;
            fn backward(
                self,
                ops: Ops<Self::State, $count>,
                grads: &mut Gradients,
                _: &mut Checkpointer,
            ) {
                register::<$backend, _, $count>(ops, grads, $backward);
            }
        }
    };
}

type T = FloatTensor<Flex>;

differentiable!(RmsNorm<Flex>, 2, state(T, T), |(x, weight), grad| {
    let (dx, dw) = norm::backward(x, weight, grad);
    [Some(dx), Some(dw)]
});
differentiable!(
    ModulatedNorm<Flex>,
    4,
    state(T, T, T),
    |(x, weight, scale), grad| {
        let (dx, dw, dshift, dscale) = norm::modulated_backward(x, weight, scale, grad);
        [Some(dx), Some(dw), Some(dshift), Some(dscale)]
    }
);
differentiable!(GatedResidual<Flex>, 3, state(T, T), |(gate, y), grad| {
    let (dgate, dy) = norm::gated_backward(gate, y, grad.clone());
    [Some(grad), Some(dgate), Some(dy)]
});
differentiable!(SwiGlu<Flex>, 2, state(T, T), |(a, b), grad| {
    let (da, db) = swiglu::backward(a, b, grad);
    [Some(da), Some(db)]
});
// The rotation's tables are parents without a gradient.
differentiable!(
    RotaryAttention<Flex>,
    3,
    state(T, T, T, T, T),
    |(qkv, qn, kn, cos, sin), grad| {
        let heads = cpu_ops::heads(&qkv, &qn);
        let norms = [qn, kn];
        let rotary = Some(Rotary { norms, cos, sin });
        let (dqkv, [dqn, dkn]) = attention::backward(qkv, rotary, heads, grad);
        [Some(dqkv), Some(dqn), Some(dkn)]
    }
);
differentiable!(
    SelfAttention<Flex>,
    1,
    state(T, usize),
    |(qkv, heads), grad| {
        let (dqkv, _) = attention::backward(qkv, None, heads, grad);
        [Some(dqkv)]
    }
);
differentiable!(LayerNorm<Flex>, 3, state(T, T), |(x, weight), grad| {
    let (dx, dw, db) = norm::layer_backward(x, weight, grad);
    [Some(dx), Some(dw), Some(db)]
});
differentiable!(Gelu<Flex>, 1, state(T,), |(x,), grad| {
    [Some(gelu::backward(x, grad))]
});
differentiable!(Doubled<Flex>, 1, state(), |(), grad| {
    [Some(planes::doubled_backward(grad))]
});
differentiable!(Neighbourhoods<Flex>, 1, state(), |(), grad| {
    [Some(planes::neighbourhoods_backward(grad))]
});
differentiable!(FromPatches<Flex>, 1, state(Shape,), |(pixels,), grad| {
    let zeros = Flex::float_zeros(pixels, &Default::default(), FloatDType::F32);
    [Some(patches::add_image(zeros, grad))]
});
differentiable!(AddImage<Flex>, 2, state([usize; 2],), |(grid,), grad| {
    [Some(grad.clone()), Some(patches::from_patches(grad, grid))]
});

/// Each of its gradients costs as much as the layer itself: only those of tracked parents are computed.
#[derive(Debug)]
struct Linear;

impl Backward<Flex, 3> for Linear {
    /// The input, the weight, the number of the bias's rows, and the products' precision.
    type State = (T, T, usize, MatmulPrecision);
    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, weight, bias] = ops.parents.each_ref().map(Option::is_some);
        register::<Flex, _, 3>(ops, grads, |(xp, wp, period, precision), grad| {
            [
                x.then(|| linear::input_gradient(wp, grad.clone(), precision)),
                weight.then(|| linear::weight_gradient(xp, grad.clone(), precision)),
                bias.then(|| linear::bias_gradient(period, grad.clone())),
            ]
        });
    }
}

differentiable!(
    CrossEntropy<Flex>,
    1,
    state(T, IntTensor<Flex>, T),
    |(logits, labels, weights), grad| {
        let dlogits = cpu_ops::cross_entropy_backward(logits, labels, weights, grad);
        [Some(dlogits)]
    }
);

/// Runs the forward pass and, if a parent is tracked, records the step.
macro_rules! record {
    ($op:expr, $strategy:ty, [$($parent:ident),+], $state:expr, $output:expr) => {
        match $op.prepare::<$strategy>([$($parent.node()),+]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish($state, $output),
            OpsKind::UnTracked(prep) => prep.finish($output),
        }
    };
}

impl<C: CheckpointStrategy> CpuOps for Autodiff<Flex, C> {
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let (xp, wp) = (x.primitive().clone(), weight.primitive().clone());
        let output = Flex::rms_norm(xp.clone(), wp.clone());
        record!(RmsNorm, C, [x, weight], (xp, wp), output)
    }

    fn modulated_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        scale: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (xp, wp, sp) = (
            x.primitive().clone(),
            weight.primitive().clone(),
            scale.primitive().clone(),
        );
        let output = Flex::modulated_norm(
            xp.clone(),
            wp.clone(),
            shift.primitive().clone(),
            sp.clone(),
        );
        record!(
            ModulatedNorm,
            C,
            [x, weight, shift, scale],
            (xp, wp, sp),
            output
        )
    }

    fn gated_residual(
        x: FloatTensor<Self>,
        gate: FloatTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (gp, yp) = (gate.primitive().clone(), y.primitive().clone());
        let output = Flex::gated_residual(x.primitive().clone(), gp.clone(), yp.clone());
        record!(GatedResidual, C, [x, gate, y], (gp, yp), output)
    }

    fn swiglu(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let (ap, bp) = (a.primitive().clone(), b.primitive().clone());
        let output = Flex::swiglu(ap.clone(), bp.clone());
        record!(SwiGlu, C, [a, b], (ap, bp), output)
    }

    fn rotary_attention(
        qkv: FloatTensor<Self>,
        q_norm: FloatTensor<Self>,
        k_norm: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        precision: MatmulPrecision,
    ) -> FloatTensor<Self> {
        let state = (
            qkv.primitive().clone(),
            q_norm.primitive().clone(),
            k_norm.primitive().clone(),
            cos.primitive().clone(),
            sin.primitive().clone(),
        );
        let (x, qn, kn, c, s) = state.clone();
        let output = Flex::rotary_attention(x, qn, kn, c, s, precision);
        record!(RotaryAttention, C, [qkv, q_norm, k_norm], state, output)
    }

    fn self_attention(
        qkv: FloatTensor<Self>,
        heads: usize,
        precision: MatmulPrecision,
    ) -> FloatTensor<Self> {
        let x = qkv.primitive().clone();
        let output = Flex::self_attention(x.clone(), heads, precision);
        record!(SelfAttention, C, [qkv], (x, heads), output)
    }

    fn layer_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (xp, wp) = (x.primitive().clone(), weight.primitive().clone());
        let output = Flex::layer_norm(xp.clone(), wp.clone(), bias.primitive().clone());
        record!(LayerNorm, C, [x, weight, bias], (xp, wp), output)
    }

    fn gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let xp = x.primitive().clone();
        let output = Flex::gelu(xp.clone());
        record!(Gelu, C, [x], (xp,), output)
    }

    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        precision: MatmulPrecision,
        _: Option<linear::PackedWeight>,
    ) -> FloatTensor<Self> {
        let (xp, wp) = (x.primitive().clone(), weight.primitive().clone());
        let period = bias.primitive().shape()[0];
        // A weight that is trained is not the same twice.
        let output = Flex::linear(
            xp.clone(),
            wp.clone(),
            bias.primitive().clone(),
            precision,
            None,
        );
        record!(
            Linear,
            C,
            [x, weight, bias],
            (xp, wp, period, precision),
            output
        )
    }

    fn doubled(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let output = Flex::doubled(x.primitive().clone());
        record!(Doubled, C, [x], (), output)
    }

    fn neighbourhoods(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let output = Flex::neighbourhoods(x.primitive().clone());
        record!(Neighbourhoods, C, [x], (), output)
    }

    fn from_patches(pixels: FloatTensor<Self>, grid: [usize; 2]) -> FloatTensor<Self> {
        let x = pixels.primitive().clone();
        let shape = x.shape();
        let output = Flex::from_patches(x, grid);
        record!(FromPatches, C, [pixels], (shape,), output)
    }

    fn add_image(pixels: FloatTensor<Self>, image: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, y) = (pixels.primitive().clone(), image.primitive().clone());
        let (side, shape) = (x.shape()[1].isqrt(), y.shape());
        let output = Flex::add_image(x, y);
        let grid = [shape[2] / side, shape[3] / side];
        record!(AddImage, C, [pixels, image], (grid,), output)
    }

    fn cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (lp, wp) = (logits.primitive().clone(), weights.primitive().clone());
        let output = Flex::cross_entropy(lp.clone(), labels.clone(), wp.clone());
        record!(CrossEntropy, C, [logits], (lp, labels, wp), output)
    }
}

#[derive(Debug)]
struct NeuralField;

impl<B: FieldOps> Backward<B, 3> for NeuralField {
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);
    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        register::<B, _, 3>(ops, grads, |(z, weights, norm), grad| {
            let (dz, dw, dn) = B::neural_field_backward(z, weights, norm, grad);
            [Some(dz), Some(dw), Some(dn)]
        });
    }
}

impl<B: FieldOps, C: CheckpointStrategy> FieldOps for Autodiff<B, C> {
    fn neural_field(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        precision: MatmulPrecision,
    ) -> FloatTensor<Self> {
        let state = (
            z.primitive().clone(),
            weights.primitive().clone(),
            norm.primitive().clone(),
        );
        let (zp, wp, np) = state.clone();
        let output = B::neural_field(zp, wp, np, precision);
        match NeuralField
            .prepare::<C>([z.node(), weights.node(), norm.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(state, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn neural_field_backward(
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (dz, dw, dn) = B::neural_field_backward(
            z.primitive().clone(),
            weights.primitive().clone(),
            norm.primitive().clone(),
            grad.primitive().clone(),
        );
        (
            constant::<B, C>(dz),
            constant::<B, C>(dw),
            constant::<B, C>(dn),
        )
    }

    fn potential_gradient(
        x: FloatTensor<Self>,
        labels: IntTensor<Self>,
        centroids: FloatTensor<Self>,
        potential: Potential,
    ) -> FloatTensor<Self> {
        let out = B::potential_gradient(
            x.primitive().clone(),
            labels,
            centroids.primitive().clone(),
            potential,
        );
        constant::<B, C>(out)
    }
}

fn constant<B: Backend, C: CheckpointStrategy>(x: FloatTensor<B>) -> FloatTensor<Autodiff<B, C>> {
    <Autodiff<B, C> as burn::backend::AutodiffBackend>::from_inner(x)
}
