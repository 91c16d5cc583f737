//! Devices of another machine, through Burn's remote backend over a WebSocket.
//!
//! The client records operations and sends them; the autodiff graph stays on the client. This
//! crate's fused operations are not part of the protocol, so a remote device runs the plain
//! formulas (`kernels::reference`).

use super::choice::Choice;
use super::error::DeviceError;
use super::opened::Opened;
#[cfg(feature = "remote")]
use burn::remote::{ConnectError, RemoteHost};
#[cfg(feature = "remote")]
use burn::tensor::Device;

/// The environment variable with the server's access token.
pub const TOKEN: &str = "FLOWSEG_TOKEN";

/// The access token, if one is set, without white space around it: what a header field can hold.
pub fn token() -> Option<String> {
    std::env::var(TOKEN).ok().and_then(|token| trimmed(&token))
}

fn trimmed(token: &str) -> Option<String> {
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
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
            note: Some("its memory and speed are those of the remote machine".into()),
        }),
        Err(error) => Err(DeviceError::Remote {
            reason: match error {
                ConnectError::Unauthorized => format!("its {TOKEN} is different"),
                ConnectError::NoSuchDevice { device_count } => {
                    format!("it serves {device_count}, numbered from 0")
                }
                other => other.to_string(),
            },
            name,
        }),
    }
}

/// Explains how to build with remote devices.
#[cfg(not(feature = "remote"))]
pub(super) fn connect(url: &str, index: usize) -> Result<Opened, DeviceError> {
    let url = url.to_owned();
    Err(DeviceError::NoRemote(
        Choice::Remote { url, index }.to_string(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_a_token_is_not_part_of_it() {
        assert_eq!(trimmed("secret \r\n").as_deref(), Some("secret"));
        assert_eq!(trimmed("a b").as_deref(), Some("a b"));
        assert_eq!(trimmed(" "), None);
    }
}
