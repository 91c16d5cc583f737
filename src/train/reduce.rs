//! Sums over the devices of a run: each has the gradient of its share of a batch, and all need that
//! of the whole.
//!
//! Burn's `ExecutionStrategy::ddp` is a strategy of its `Learner`, which brings its own loop,
//! optimiser, data loader and checkpoints, and shards epochs rather than batches: a run could not
//! resume bit for bit, nor clip by the norm of the whole gradient. What lies under it is public and
//! is what is used here: one thread a device, and `burn::tensor::distributed::all_reduce`. Burn has
//! collectives for CUDA only (NCCL); other devices, and mixed ones, add up in main memory.

use crate::device;
use crate::model::tensors::read;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A device's place among those of a run.
pub struct Rank {
    number: usize,
    of: usize,
    sums: Sums,
}

/// Another device is gone, and with it a share of every batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// Where sums are taken.
enum Sums {
    /// There is nothing to add.
    Alone,
    /// On the devices themselves, through NCCL.
    Collective(Vec<Device>),
    /// In main memory.
    Host(Seat),
}

impl Rank {
    /// The place of a device that trains by itself.
    pub fn alone() -> Self {
        Self {
            number: 0,
            of: 1,
            sums: Sums::Alone,
        }
    }

    /// The places of some devices, in their order. Each belongs on a thread of its own.
    pub fn of(devices: &[Device]) -> Vec<Self> {
        if devices.len() < 2 {
            return vec![Self::alone()];
        }
        let repeated = |(i, device): (usize, &Device)| devices[..i].contains(device);
        let collective =
            devices.iter().all(device::is_cuda) && !devices.iter().enumerate().any(repeated);
        let exchange = Arc::new(Exchange::new(devices.len()));
        (0..devices.len())
            .map(|number| Self {
                number,
                of: devices.len(),
                sums: match collective {
                    true => Sums::Collective(devices.to_vec()),
                    false => Sums::Host(Seat {
                        exchange: exchange.clone(),
                        number,
                    }),
                },
            })
            .collect()
    }

    /// Whether this device may leave in the middle of a step: those that wait for it are released.
    pub fn may_leave(&self) -> bool {
        !matches!(self.sums, Sums::Collective(_))
    }

    /// Which entries of a batch of `len` are this device's. Every entry is somebody's; with fewer
    /// entries than devices some have none.
    pub fn share(&self, len: usize) -> Range<usize> {
        len * self.number / self.of..len * (self.number + 1) / self.of
    }

    /// The sums over all devices of a loss `[1]` and of the gradients of `module`, the same bits on
    /// every device. All devices must call it, each with gradients of the same parameters.
    ///
    /// # Errors
    /// Another device is gone. NCCL can't tell: then the call waits for ever on the device.
    pub fn sum<M: Module>(
        &self,
        module: &M,
        loss: Tensor<1>,
        mut gradients: GradientsParams,
    ) -> Result<(Tensor<1>, GradientsParams), Lost> {
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
            Sums::Host(seat) => {
                let mut gather = Gather {
                    gradients: &gradients,
                    parts: vec![read(loss.clone())],
                };
                module.visit(&mut gather);
                let sums = seat.exchange.sum(seat.number, gather.parts)?;
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

/// Sums every gradient where it is.
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

/// Reads every gradient.
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

/// Puts sums in the place of gradients, in the order in which they were read.
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

/// A place at an exchange. Leaving it releases those who wait there.
struct Seat {
    exchange: Arc<Exchange>,
    number: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.exchange.lock().left = true;
        self.exchange.changed.notify_all();
    }
}

/// Where threads meet to add up what each of them has.
struct Exchange {
    table: Mutex<Table>,
    changed: Condvar,
}

struct Table {
    /// What was brought, by place.
    parts: Vec<Option<Vec<Vec<f32>>>>,
    /// Their sum, until everybody has taken it.
    sum: Option<Arc<Vec<Vec<f32>>>>,
    taken: usize,
    left: bool,
}

impl Exchange {
    fn new(seats: usize) -> Self {
        Self {
            table: Mutex::new(Table {
                parts: (0..seats).map(|_| None).collect(),
                sum: None,
                taken: 0,
                left: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        mut table: MutexGuard<'a, Table>,
        until: impl Fn(&Table) -> bool,
    ) -> Result<MutexGuard<'a, Table>, Lost> {
        while !until(&table) {
            if table.left {
                return Err(Lost);
            }
            table = self
                .changed
                .wait(table)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Ok(table)
    }

    /// Brings `part` and takes the sum of all parts, added in the order of their places so that the
    /// result does not depend on who came first.
    fn sum(&self, number: usize, part: Vec<Vec<f32>>) -> Result<Arc<Vec<Vec<f32>>>, Lost> {
        // Those of the round before may still be taking its sum.
        let mut table = self.wait(self.lock(), |table| table.sum.is_none())?;
        table.parts[number] = Some(part);
        if table.parts.iter().all(Option::is_some) {
            let mut parts = table.parts.iter_mut().filter_map(Option::take);
            let mut sum = parts.next().unwrap_or_default();
            for part in parts {
                sum.par_iter_mut().zip(&part).for_each(|(sum, part)| {
                    for (sum, value) in sum.iter_mut().zip(part) {
                        *sum += value;
                    }
                });
            }
            table.sum = Some(Arc::new(sum));
            self.changed.notify_all();
        }
        let mut table = self.wait(table, |table| table.sum.is_some())?;
        let sum = table.sum.clone().ok_or(Lost)?;
        table.taken += 1;
        if table.taken == table.parts.len() {
            table.taken = 0;
            table.sum = None;
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
            let ranks = match of {
                1 => vec![Rank::alone()],
                _ => Rank::of(&vec![Device::flex(); of]),
            };
            for len in of..20 {
                let shares: Vec<usize> = ranks.iter().flat_map(|r| r.share(len)).collect();
                assert_eq!(shares, (0..len).collect::<Vec<_>>());
                assert!(ranks.iter().all(|r| !r.share(len).is_empty()));
            }
        }
    }

    #[test]
    fn everybody_takes_the_same_sum_round_after_round() {
        const SEATS: usize = 3;
        let exchange = Exchange::new(SEATS);
        thread::scope(|scope| {
            for number in 0..SEATS {
                let exchange = &exchange;
                scope.spawn(move || {
                    for round in 0..200 {
                        let part = vec![vec![(round * SEATS + number) as f32; 2]; 3];
                        let sum = exchange.sum(number, part).unwrap();
                        let expected = (3 * round * SEATS + 3) as f32;
                        assert_eq!(*sum, vec![vec![expected; 2]; 3]);
                    }
                });
            }
        });
    }

    #[test]
    fn who_waits_for_one_that_is_gone_is_told() {
        let exchange = Arc::new(Exchange::new(2));
        let seat = Seat {
            exchange: exchange.clone(),
            number: 1,
        };
        thread::scope(|scope| {
            let waiting = scope.spawn(|| exchange.sum(0, Vec::new()));
            thread::sleep(std::time::Duration::from_millis(20));
            drop(seat);
            assert_eq!(waiting.join().unwrap(), Err(Lost));
        });
    }
}
