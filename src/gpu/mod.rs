//! wgpu pipelines around `shaders/*.wgsl`: they know the method, and nothing of the viewer.
//!
//! Every structure that a shader reads is plain data whose size is asserted where it is declared.

pub mod canvas;
mod draw;
pub mod field;
pub mod fill;
pub mod pictures;
pub mod resident;
#[cfg(test)]
mod tests;
pub mod textures;

/// An operation that the graphics driver refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what} failed on the graphics device ({reason}): update the graphics driver")]
pub struct GpuError {
    /// What was attempted.
    pub what: &'static str,
    /// The driver's or validator's words, on one line.
    pub reason: String,
}

/// A driver's words without line breaks and frames.
fn one_line(text: &str) -> String {
    let plain = text.replace(|c: char| !c.is_ascii(), " ");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs `make` with all of wgpu's errors caught. Without this an error reaches the handler that
/// the compute runtime installs on a shared device, which panics.
///
/// # Errors
/// A validation error, an internal error or a lack of memory.
pub fn guarded<T>(
    device: &wgpu::Device,
    what: &'static str,
    make: impl FnOnce() -> T,
) -> Result<T, GpuError> {
    let scopes = [
        wgpu::ErrorFilter::Internal,
        wgpu::ErrorFilter::OutOfMemory,
        wgpu::ErrorFilter::Validation,
    ]
    .map(|filter| device.push_error_scope(filter));
    let made = make();
    // Scopes nest, so the last one opened has to be closed first.
    let [internal, memory, validation] = scopes;
    let errors = [
        pollster::block_on(validation.pop()),
        pollster::block_on(memory.pop()),
        pollster::block_on(internal.pop()),
    ];
    match errors.into_iter().flatten().next() {
        None => Ok(made),
        Some(error) => Err(GpuError {
            what,
            reason: one_line(&error.to_string()),
        }),
    }
}
