//! AdamW over all trained parameters with one gradient norm, and the moving average of a network's
//! weights. Nothing here blocks on the device.
//!
//! Burn's own optimiser clips each tensor separately and keys its state by ids that a safetensors
//! file does not keep; this one clips by the global norm and keys its state by module path.

use crate::kernels::{self, AdamWUpdate, weight_of};
use crate::model::network::Network;
use crate::model::tensors::{HostTensor, ModulePath, Tensors, read};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::kind::BridgeTensor;
use burn::tensor::{Bool, Device, Tensor, TensorData};
use std::collections::{BTreeMap, HashMap};

/// Prefixes of the first and second moments in a checkpoint.
const PREFIXES: [&str; 2] = ["exp_avg.", "exp_avg_sq."];
/// Name of the number of updates in a checkpoint.
const UPDATES: &str = "updates";

/// Result of an update; its tensors stay on the device.
pub struct OptimizerOutput<M> {
    pub module: M,
    /// The norm of the whole gradient before clipping, `[1]`.
    pub norm: Tensor<1>,
    /// Whether that norm is finite, `[1]`; otherwise nothing has changed.
    pub finite: Tensor<1, Bool>,
}

/// Parameters with their own learning rate.
#[derive(Clone, Copy, Debug)]
pub struct ParameterGroup {
    /// Prefix of their module paths.
    pub prefix: &'static str,
    /// Factor applied to the learning rate.
    pub rate: f32,
}

/// The optimiser's state: both moments of every parameter, by module path, and the number of
/// updates that they accumulate.
#[derive(Default)]
pub struct AdamW {
    moments: BTreeMap<String, [BridgeTensor; 2]>,
    /// Steps that were not skipped, `[1]` on the device; `None` before the first step.
    updates: Option<Tensor<1>>,
}

impl AdamW {
    /// Updates every parameter that has a gradient. Parameters with one axis (norms, biases) are
    /// not decayed. The gradients are divided by `loss_scale: [1]` and clipped to the norm `clip`
    /// (0: off). If their norm is not finite, nothing changes.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        mut grads: GradientsParams,
        update: AdamWUpdate,
        group: ParameterGroup,
        loss_scale: Tensor<1>,
        clip: f64,
    ) -> OptimizerOutput<M> {
        let mut squares = NormVisitor {
            grads: &grads,
            sums: Vec::new(),
        };
        module.visit(&mut squares);
        let norm = if squares.sums.is_empty() {
            loss_scale.zeros_like()
        } else {
            Tensor::cat(squares.sums, 0).sum().sqrt()
        };
        let norm = norm / loss_scale.clone();
        // Tests the bits: shader compilers may assume that there are no NaNs and optimise
        // comparisons with them away.
        let finite = norm.clone().is_finite();
        let first = self.updates.is_none();
        let before = self.updates.take().unwrap_or_else(|| norm.zeros_like());
        self.updates = Some(before.clone() + finite.clone().float());
        let clipped = if clip > 0.0 {
            (norm.clone().recip() * clip).clamp_max(1.0)
        } else {
            norm.ones_like()
        };
        let scale = norm
            .zeros_like()
            .mask_where(finite.clone(), clipped / loss_scale);
        let mut mapper = StepMapper {
            path: ModulePath::default(),
            first,
            moments: &mut self.moments,
            grads: &mut grads,
            update,
            before,
            group,
            scale,
        };
        OptimizerOutput {
            module: module.map(&mut mapper),
            norm,
            finite,
        }
    }

    /// Number of steps so far that were not skipped, `[1]` on the device of `like: [1]`.
    pub fn updates(&self, like: &Tensor<1>) -> Tensor<1> {
        self.updates.clone().unwrap_or_else(|| like.zeros_like())
    }

    /// The state as named tensors.
    pub fn export(&self) -> Tensors {
        let mut tensors = Tensors::new();
        if let Some(updates) = &self.updates {
            let data = read(updates.clone());
            tensors.insert(
                UPDATES.into(),
                HostTensor {
                    shape: vec![1],
                    data,
                },
            );
        }
        for (path, moments) in &self.moments {
            for (prefix, moment) in PREFIXES.iter().zip(moments) {
                // A bridge tensor stores its own shape; any rank can read it.
                let shape = moment.shape().to_vec();
                let flat = Tensor::<1>::from_bridge(moment.clone());
                let data = read(flat);
                tensors.insert(format!("{prefix}{path}"), HostTensor { shape, data });
            }
        }
        tensors
    }

    /// Restores the state of a run that has taken `steps` steps; other tensors are ignored. States
    /// of earlier versions lack the number of updates; then no step counts as skipped.
    pub fn import(tensors: &Tensors, steps: u64, device: &Device) -> Self {
        let mut moments = BTreeMap::new();
        for (name, first) in tensors {
            let Some(path) = name.strip_prefix(PREFIXES[0]) else {
                continue;
            };
            let Some(second) = tensors.get(&format!("{}{path}", PREFIXES[1])) else {
                continue;
            };
            let load = |t: &HostTensor| {
                let data = TensorData::new(t.data.clone(), t.shape.clone());
                match t.shape.len() {
                    1 => Tensor::<1>::from_data(data, device).into_bridge(),
                    _ => Tensor::<2>::from_data(data, device).into_bridge(),
                }
            };
            moments.insert(path.to_owned(), [load(first), load(second)]);
        }
        let updates = tensors.get(UPDATES).and_then(|t| t.data.first().copied());
        let updates = updates.unwrap_or(steps as f32);
        Self {
            moments,
            updates: (steps > 0).then(|| Tensor::from_data([updates], device)),
        }
    }
}

struct NormVisitor<'a> {
    grads: &'a GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for NormVisitor<'_> {
    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        if let Some(grad) = self.grads.get::<R>(param.id) {
            self.sums.push(kernels::square_sum(grad));
        }
    }
}

struct StepMapper<'a> {
    path: ModulePath,
    /// Whether this is the run's first step.
    first: bool,
    moments: &'a mut BTreeMap<String, [BridgeTensor; 2]>,
    grads: &'a mut GradientsParams,
    update: AdamWUpdate,
    /// Number of updates before this one, `[1]`.
    before: Tensor<1>,
    group: ParameterGroup,
    scale: Tensor<1>,
}

impl StepMapper<'_> {
    /// The moments of a parameter before its first update: zero in a run's first step. For a
    /// parameter that joins later (an encoder that was frozen), bias correction for a zero start no
    /// longer applies; it gets the moments of a run in which all earlier gradients were equal to
    /// its first.
    fn first_moments<const R: usize>(&self, grad: Tensor<R>) -> [Tensor<R>; 2] {
        if self.first {
            return [grad.zeros_like(), grad.zeros_like()];
        }
        let AdamWUpdate { beta1, beta2, .. } = self.update;
        let scale = self.scale.clone().reshape([1; R]).expand(grad.shape());
        // The gradient of a skipped step may be NaN.
        let skipped = scale.clone().equal_elem(0.0);
        let grad = (grad * scale).mask_fill(skipped, 0.0);
        let weight = |beta| weight_of(beta, self.before.clone()).reshape([1; R]);
        [grad.clone() * weight(beta1), grad.square() * weight(beta2)]
    }
}

impl ModuleMapper for StepMapper<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.enter(name);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
        let Some(grad) = self.grads.remove::<R>(param.id) else {
            return param;
        };
        let path = self.path.joined();
        let (id, tensor, mapper) = param.consume();
        let [first, second] = match self.moments.remove(&path) {
            Some(moments) => moments.map(Tensor::<R>::from_bridge),
            None => self.first_moments(grad.clone()),
        };
        let decay = if R > 1 { self.update.decay } else { 0.0 };
        let factor = if path.starts_with(self.group.prefix) {
            self.group.rate
        } else {
            1.0
        };
        let update = AdamWUpdate {
            decay,
            rate: self.update.rate * factor,
            ..self.update
        };
        let (tensor, first, second) = kernels::adamw_update(
            tensor.inner(),
            grad,
            self.scale.clone(),
            first,
            second,
            self.before.clone() + 1.0,
            update,
        );
        self.moments
            .insert(path, [first.into_bridge(), second.into_bridge()]);
        Param::from_mapped_value(id, Tensor::from_inner(tensor).require_grad(), mapper)
    }
}

/// Moves `average` towards `network` by `1 - decay`, `[1]`, matching parameters by path.
pub(super) fn moving_average(average: &mut Network, network: &Network, decay: Tensor<1>) {
    let mut values = Values::default();
    network.visit(&mut values);
    // Moved out rather than cloned, so that it is updated in place.
    let before = std::mem::replace(average, network.clone());
    *average = before.map(&mut Average {
        path: ModulePath::default(),
        values: values.tensors,
        decay,
    });
}

#[derive(Default)]
struct Values {
    path: ModulePath,
    tensors: HashMap<String, BridgeTensor>,
}

impl ModuleVisitor for Values {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.enter(name);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        let value = param.val().without_autodiff().into_bridge();
        self.tensors.insert(self.path.joined(), value);
    }
}

struct Average {
    path: ModulePath,
    values: HashMap<String, BridgeTensor>,
    decay: Tensor<1>,
}

impl ModuleMapper for Average {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.enter(name);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
        let Some(value) = self.values.remove(&self.path.joined()) else {
            return param;
        };
        let (id, tensor, mapper) = param.consume();
        let average =
            kernels::moving_average(tensor, Tensor::from_bridge(value), self.decay.clone());
        Param::from_mapped_value(id, average, mapper)
    }
}
