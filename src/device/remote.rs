//! Devices of another machine, through Burn's remote backend over a WebSocket.
//!
//! The client records operations and sends them; the autodiff graph stays here. This crate's fused
//! operations are not part of the protocol, so a remote device runs the plain formulas
//! (`kernels::reference`).

use super::choice::Choice;
use super::error::DeviceError;
use super::opened::Opened;
#[cfg(feature = "remote")]
use burn::remote::{ConnectError, RemoteHost};
#[cfg(feature = "remote")]
use burn::tensor::Device;

/// The environment variable with the word that a server asks for.
pub const TOKEN: &str = "FLOWSEG_TOKEN";

/// The word that a server asks for, where one is set.
pub fn token() -> Option<String> {
    std::env::var(TOKEN).ok().filter(|token| !token.is_empty())
}

/// Connects a device that `flowseg serve` hosts.
#[cfg(feature = "remote")]
pub(super) fn connect(url: &str, index: usize) -> Result<Opened, DeviceError> {
    let mut host = RemoteHost::websocket(url);
    if let Some(token) = token() {
        host = host.with_credential(token.as_str());
    }
    let connected = Device::remote_options(&host).device_index(index).init();
    let name = Choice::Remote {
        url: url.to_owned(),
        index,
    }
    .to_string();
    match connected {
        Ok(device) => Ok(Opened {
            device,
            name,
            note: Some("its memory and speed are that machine's".into()),
        }),
        Err(error) => Err(DeviceError::Remote {
            reason: match error {
                ConnectError::Unauthorized => format!("its {TOKEN} is another"),
                ConnectError::NoSuchDevice { device_count } => {
                    format!("it serves {device_count}, numbered from 0")
                }
                other => other.to_string(),
            },
            name,
        }),
    }
}

/// Says how a build that reaches other machines is made.
#[cfg(not(feature = "remote"))]
pub(super) fn connect(url: &str, index: usize) -> Result<Opened, DeviceError> {
    let url = url.to_owned();
    Err(DeviceError::NoRemote(
        Choice::Remote { url, index }.to_string(),
    ))
}
