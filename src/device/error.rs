//! Why a device cannot be opened.

/// Why a device can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No adapter at all.
    #[error(
        "no graphics adapter was found: install a Vulkan, Metal or DirectX 12 driver, or use --device cpu"
    )]
    NoAdapter,
    /// A number past the end.
    #[error("there is no adapter {0}; `flowseg devices` lists {1}")]
    NoSuchAdapter(usize, usize),
    /// A CUDA device that is not there.
    #[error("there is no CUDA device {0}: {1}")]
    NoCuda(usize, String),
    /// A device of another machine that can't be had.
    #[error(
        "{name} cannot be reached ({reason}): start `flowseg serve` there, and check host and port"
    )]
    Remote { name: String, reason: String },
    /// A device of another machine in a build that has none.
    #[error("{0} takes a build with remote devices: build it with --features remote")]
    NoRemote(String),
    #[error("{adapter} cannot be opened ({reason}): update its driver, or use --device cpu")]
    Refused { adapter: String, reason: String },
}
