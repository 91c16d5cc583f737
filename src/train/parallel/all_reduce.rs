//! Sums over the devices of a run: each has the gradient of its share of a batch, and all need that
//! of the whole.
//!
//! Burn's `ExecutionStrategy::ddp` belongs to its `Learner`, which has its own loop, optimiser,
//! data loader and checkpoints, and shards epochs rather than batches: a run could neither resume
//! bit for bit nor clip by the norm of the whole gradient. This file uses the public layer below
//! it: one thread per device and `burn::tensor::distributed::all_reduce`. Burn has collectives only
//! for CUDA (NCCL); other devices, and mixed ones, sum in main memory.

use crate::device;
use crate::model::tensors::read;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A device's rank among those of a run. Dropping it unblocks peers that wait for this device.
pub(crate) struct Rank {
    number: usize,
    of: usize,
    sums: Sums,
}

/// Another device of the run has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerLost;

enum Sums {
    Alone,
    /// On the devices themselves, through NCCL.
    Collective(Vec<Device>),
    Host(Arc<AllReduce>),
}

impl Drop for Rank {
    fn drop(&mut self) {
        if let Sums::Host(all_reduce) = &self.sums {
            all_reduce.lock().left = true;
            all_reduce.changed.notify_all();
        }
    }
}

impl Rank {
    /// The rank of a single device.
    pub(crate) fn alone() -> Self {
        Self {
            number: 0,
            of: 1,
            sums: Sums::Alone,
        }
    }

    /// The ranks of some devices, in order, each for its own thread.
    pub(crate) fn of(devices: &[Device]) -> Vec<Self> {
        if devices.len() < 2 {
            return vec![Self::alone()];
        }
        let repeated = |(i, device): (usize, &Device)| devices[..i].contains(device);
        let collective =
            devices.iter().all(device::is_cuda) && !devices.iter().enumerate().any(repeated);
        let all_reduce = Arc::new(AllReduce::new(devices.len()));
        (0..devices.len())
            .map(|number| Self {
                number,
                of: devices.len(),
                sums: if collective {
                    Sums::Collective(devices.to_vec())
                } else {
                    Sums::Host(all_reduce.clone())
                },
            })
            .collect()
    }

    /// Whether this device may stop in the middle of a step. With NCCL its peers would wait
    /// forever.
    pub(crate) fn may_leave(&self) -> bool {
        !matches!(self.sums, Sums::Collective(_))
    }

    /// This device's samples of a batch of `len`; empty for some devices if there are fewer samples
    /// than devices.
    pub(crate) fn share(&self, len: usize) -> Range<usize> {
        len * self.number / self.of..len * (self.number + 1) / self.of
    }

    /// The sums over all devices of a loss `[1]` and of the gradients of `module`, bit-identical on
    /// every device. All devices must call it, each with gradients of the same parameters.
    ///
    /// # Errors
    /// If another device has stopped. NCCL cannot detect that: the call then blocks forever.
    pub(crate) fn sum<M: Module>(
        &self,
        module: &M,
        loss: Tensor<1>,
        mut gradients: GradientsParams,
    ) -> Result<(Tensor<1>, GradientsParams), PeerLost> {
        match &self.sums {
            Sums::Alone => Ok((loss, gradients)),
            Sums::Collective(devices) => {
                module.visit(&mut Collective {
                    gradients: &mut gradients,
                    devices,
                });
                let loss = all_reduce(loss, ReduceOperation::Sum, devices.clone()).resolve();
                Ok((loss, gradients))
            }
            Sums::Host(all_reduce) => {
                let mut gather = Gather {
                    gradients: &gradients,
                    parts: vec![read(loss.clone())],
                };
                module.visit(&mut gather);
                let sums = all_reduce.sum(self.number, gather.parts)?;
                let mut sums = sums.iter();
                let data = sums.next().cloned().unwrap_or_default();
                let loss = Tensor::from_data(TensorData::new(data, [1]), &loss.device());
                let gradients_of = &mut gradients;
                module.visit(&mut Scatter {
                    gradients: gradients_of,
                    sums,
                });
                Ok((loss, gradients))
            }
        }
    }
}

/// Sums every gradient on its device.
struct Collective<'a> {
    gradients: &'a mut GradientsParams,
    devices: &'a [Device],
}

impl ModuleVisitor for Collective<'_> {
    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        if let Some(gradient) = self.gradients.remove::<R>(param.id) {
            let sum = all_reduce(gradient, ReduceOperation::Sum, self.devices.to_vec());
            self.gradients.register::<R>(param.id, sum.resolve());
        }
    }
}

struct Gather<'a> {
    gradients: &'a GradientsParams,
    parts: Vec<Vec<f32>>,
}

impl ModuleVisitor for Gather<'_> {
    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        if let Some(gradient) = self.gradients.get::<R>(param.id) {
            self.parts.push(read(gradient));
        }
    }
}

/// Replaces the gradients by their sums, in the order of [`Gather`].
struct Scatter<'a, 'b> {
    gradients: &'a mut GradientsParams,
    sums: std::slice::Iter<'b, Vec<f32>>,
}

impl ModuleVisitor for Scatter<'_, '_> {
    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        if let Some(gradient) = self.gradients.remove::<R>(param.id)
            && let Some(sum) = self.sums.next()
        {
            let data = TensorData::new(sum.clone(), gradient.dims());
            let sum = Tensor::<R>::from_data(data, &gradient.device());
            self.gradients.register::<R>(param.id, sum);
        }
    }
}

/// A repeated sum over threads in main memory.
struct AllReduce {
    round: Mutex<Round>,
    changed: Condvar,
}

struct Round {
    /// Contributions received so far, by rank.
    parts: Vec<Option<Vec<Vec<f32>>>>,
    /// Their sum, until every rank has read it.
    sum: Option<Arc<Vec<Vec<f32>>>>,
    readers: usize,
    /// Whether a rank was dropped.
    left: bool,
}

impl AllReduce {
    fn new(ranks: usize) -> Self {
        Self {
            round: Mutex::new(Round {
                parts: (0..ranks).map(|_| None).collect(),
                sum: None,
                readers: 0,
                left: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        mut round: MutexGuard<'a, Round>,
        until: impl Fn(&Round) -> bool,
    ) -> Result<MutexGuard<'a, Round>, PeerLost> {
        while !until(&round) {
            if round.left {
                return Err(PeerLost);
            }
            round = self
                .changed
                .wait(round)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Ok(round)
    }

    /// Contributes `part` and returns the sum of all parts, added in the order of ranks so that the
    /// result does not depend on timing.
    fn sum(&self, number: usize, part: Vec<Vec<f32>>) -> Result<Arc<Vec<Vec<f32>>>, PeerLost> {
        // Other ranks may still be reading the previous round's sum.
        let mut round = self.wait(self.lock(), |round| round.sum.is_none())?;
        round.parts[number] = Some(part);
        if round.parts.iter().all(Option::is_some) {
            let mut parts = round.parts.iter_mut().filter_map(Option::take);
            let mut sum = parts.next().unwrap_or_default();
            for part in parts {
                sum.par_iter_mut().zip(&part).for_each(|(sum, part)| {
                    for (sum, value) in sum.iter_mut().zip(part) {
                        *sum += value;
                    }
                });
            }
            round.sum = Some(Arc::new(sum));
            self.changed.notify_all();
        }
        let mut round = self.wait(round, |round| round.sum.is_some())?;
        let sum = round.sum.clone().ok_or(PeerLost)?;
        round.readers += 1;
        if round.readers == round.parts.len() {
            round.readers = 0;
            round.sum = None;
            self.changed.notify_all();
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn shares_are_the_batch() {
        for of in 1..6 {
            let ranks = Rank::of(&vec![Device::flex(); of]);
            for len in of..20 {
                let shares: Vec<usize> = ranks.iter().flat_map(|r| r.share(len)).collect();
                assert_eq!(shares, (0..len).collect::<Vec<_>>());
                assert!(ranks.iter().all(|r| !r.share(len).is_empty()));
            }
        }
    }

    #[test]
    fn every_rank_reads_the_same_sum_in_every_round() {
        const RANKS: usize = 3;
        let all_reduce = AllReduce::new(RANKS);
        thread::scope(|scope| {
            for number in 0..RANKS {
                let all_reduce = &all_reduce;
                scope.spawn(move || {
                    for n in 0..200 {
                        let part = vec![vec![(n * RANKS + number) as f32; 2]; 3];
                        let sum = all_reduce.sum(number, part).unwrap();
                        let expected = (3 * n * RANKS + 3) as f32;
                        assert_eq!(*sum, vec![vec![expected; 2]; 3]);
                    }
                });
            }
        });
    }

    #[test]
    fn losing_a_peer_is_an_error() {
        let mut ranks = Rank::of(&[Device::flex(), Device::flex()]);
        let last = ranks.pop();
        let Sums::Host(all_reduce) = &ranks[0].sums else {
            panic!("CPU devices sum in main memory");
        };
        thread::scope(|scope| {
            let waiting = scope.spawn(|| all_reduce.sum(0, Vec::new()));
            thread::sleep(std::time::Duration::from_millis(20));
            drop(last);
            assert_eq!(waiting.join().unwrap(), Err(PeerLost));
        });
    }
}
