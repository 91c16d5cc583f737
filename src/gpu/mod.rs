//! wgpu pipelines around `shaders/*.wgsl`. They know the method, but not the viewer.
//!
//! Every structure that a shader reads is plain data, and its size is asserted at its declaration.

pub mod canvas;
mod draw;
pub mod field;
pub mod fill;
mod fitted;
pub mod interface;
pub mod pictures;
pub mod resident;
#[cfg(test)]
mod shader_rules;
#[cfg(test)]
mod tests;
pub mod textures;

/// An operation that failed in the graphics driver.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what} failed on the graphics device ({reason}): {remedy}")]
pub struct GpuError {
    /// What was attempted.
    pub what: &'static str,
    /// The message of the driver or validator, on one line.
    pub reason: String,
    /// What to do.
    pub remedy: &'static str,
}

/// What to do about an error that the program does not expect.
pub const UPDATE: &str = "update the graphics driver";

/// What to do about a lack of graphics memory.
const FREE: &str = "close other programs, open a smaller photo or choose fewer steps";

fn remedy(error: &wgpu::Error) -> &'static str {
    match error {
        wgpu::Error::OutOfMemory { .. } => FREE,
        _ => UPDATE,
    }
}

/// A driver's message in ASCII on one line.
fn one_line(text: &str) -> String {
    let plain = text.replace(|c: char| !c.is_ascii(), " ");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs `make` and catches all of wgpu's errors. Otherwise an error reaches the handler that the
/// compute runtime installs on a shared device, which panics.
///
/// A browser tells its errors later, so there they are shown on the page instead of being returned.
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
    // Scopes nest, so the last one opened must be closed first.
    let [internal, memory, validation] = scopes;
    let popped = [validation.pop(), memory.pop(), internal.pop()];
    let failed = move |error: wgpu::Error| GpuError {
        what,
        reason: one_line(&error.to_string()),
        remedy: remedy(&error),
    };
    #[cfg(target_arch = "wasm32")]
    {
        wasm_bindgen_futures::spawn_local(async move {
            for answer in popped {
                if let Some(error) = answer.await {
                    crate::page::tell(&failed(error).to_string());
                }
            }
        });
        Ok(made)
    }
    #[cfg(not(target_arch = "wasm32"))]
    match popped.map(pollster::block_on).into_iter().flatten().next() {
        None => Ok(made),
        Some(error) => Err(failed(error)),
    }
}
