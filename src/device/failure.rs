//! Failures of a device at work.

use super::on_cpu;
use crate::panic_message::panic_message;
use burn::tensor::Device;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A device that failed at work: its driver was reset, or its memory is full.
#[derive(Debug, thiserror::Error)]
#[error("the device failed ({0}): try again, or use --device cpu")]
pub(crate) struct Failed(pub String);

/// Runs work on a device. Burn panics where a driver fails; here that becomes an error. On the CPU a
/// panic is a fault of this program, and goes on.
///
/// # Errors
/// If the device fails.
pub(crate) fn guarded<T>(device: &Device, work: impl FnOnce() -> T) -> Result<T, Failed> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        if on_cpu(device) {
            resume_unwind(panic);
        }
        Failed(panic_message(&*panic))
    })
}
