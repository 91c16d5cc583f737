//! Errors of opening a device.

/// Why a device cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error(
        "no graphics adapter was found: install a Vulkan, Metal or DirectX 12 driver, or use --device cpu"
    )]
    NoAdapter,
    #[error("there is no adapter {0}; `flowseg devices` lists {1}")]
    NoSuchAdapter(usize, usize),
    /// No such CUDA device.
    #[error("there is no CUDA device {0}: {1}")]
    NoCuda(usize, String),
    /// A remote device that cannot be reached.
    #[error(
        "{name} cannot be reached ({reason}): start `flowseg serve` there, and check host and port"
    )]
    Remote { name: String, reason: String },
    /// A remote device whose server was reached, but does not lend it.
    #[error("{name} was reached, but {reason}")]
    RemoteRefused { name: String, reason: String },
    /// The environment variable of an access token that is set, but to nothing.
    #[error("{0} is set, but is empty or not valid text: set it to a secret, or unset it")]
    NoToken(&'static str),
    /// A remote device in a build without support for them.
    #[error("{0} needs support for remote devices: build with --features remote")]
    NoRemote(String),
    #[error("{adapter} cannot be opened ({reason}): update its driver, or choose another device")]
    Refused { adapter: String, reason: String },
}
