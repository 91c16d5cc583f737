//! Estimates the memory that a run needs.

use super::config::{Config, Stage, warm_up_cautions};
use super::error::guarded;
use super::memory::{MemoryEstimate, Ops, Workload};
use super::repa::Teacher;
use super::restore::check_weights;
use super::supervision::Supervision;
use super::{TrainError, prepare};
use crate::data::Dataset;
use burn::tensor::Device;

/// The memory estimate of every stage of a run, compared with the device's memory. Nothing is
/// trained or written. With `resumed`, the weights are those of a checkpoint, and files to start from are not read.
///
/// # Errors
/// If data, a teacher, or weights to start from cannot be read, or these do not fit the network.
pub(crate) fn dry_run(
    config: &Config,
    devices: &[Device],
    resumed: bool,
) -> Result<Vec<MemoryEstimate>, TrainError> {
    let device = devices.first().ok_or(TrainError::NoDevice)?;
    let plan = config.plan()?;
    for caution in warm_up_cautions(&plan, 0) {
        tracing::warn!("{caution}");
    }
    let first = &plan[0].config;
    let data = prepare::open_training(&first.data_list())?;
    if !resumed {
        check_weights(first, data.classes().len())?;
    }
    let supervision = guarded(device, || Supervision::open(first, device))?;
    estimates(&plan, &data, supervision.teacher.as_ref(), devices)
}

/// The peak memory of training on a device, and the memory that the device has, if that is known; in
/// bytes.
///
/// # Errors
/// If data cannot be read.
pub(crate) fn peak_memory(
    plan: &[Stage],
    data: &Dataset,
    device: &Device,
) -> Result<(u64, Option<u64>), TrainError> {
    let estimates = estimates(plan, data, None, std::slice::from_ref(device))?;
    let peak = estimates.iter().map(|estimate| estimate.needed.peak).max();
    let available = estimates.iter().find_map(|estimate| estimate.available);
    Ok((peak.unwrap_or(0), available))
}

pub(super) fn estimates(
    plan: &[Stage],
    data: &Dataset,
    teacher: Option<&Teacher>,
    devices: &[Device],
) -> Result<Vec<MemoryEstimate>, TrainError> {
    // One photo stands for all: the photos of a data set usually have one size.
    let mut photos = 0;
    let skip_bad = plan.iter().any(|stage| stage.config.data.skip_bad);
    for span in data.spans().into_iter().filter(|span| !span.is_empty()) {
        let usable = if skip_bad {
            span.clone().find_map(|i| data.load(i).ok())
        } else {
            None
        };
        let sample = match usable {
            Some(sample) => sample,
            None => data.load(span.start)?,
        };
        let photo = sample.image.as_raw().len() + 2 * sample.labels.data.len();
        photos += photo as u64 * span.len() as u64;
    }
    let workload = Workload {
        classes: data.classes().len(),
        photos,
        teacher: teacher.map(Teacher::size),
        ops: if devices.iter().all(crate::device::on_cpu) {
            Ops::Fused
        } else {
            Ops::Composed
        },
        devices: devices.len(),
    };
    let estimates = plan.iter().flat_map(|stage| {
        devices
            .first()
            .map(|d| MemoryEstimate::new(stage, workload, d))
    });
    Ok(estimates.collect())
}
