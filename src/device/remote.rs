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
use std::ffi::OsStr;

/// The environment variable with the server's access token.
pub const TOKEN: &str = "FLOWSEG_TOKEN";

/// The access token, if one is set, without white space around it: what a header field can hold.
///
/// # Errors
/// A variable that holds nothing else, or no text: whoever set it wants a token, so that going on without
/// one would be wrong.
pub fn token() -> Result<Option<String>, DeviceError> {
    std::env::var_os(TOKEN).as_deref().map(trimmed).transpose()
}

fn trimmed(token: &OsStr) -> Result<String, DeviceError> {
    let token = token.to_str().map(str::trim);
    match token.filter(|token| !token.is_empty()) {
        Some(token) => Ok(token.to_owned()),
        None => Err(DeviceError::NoToken(TOKEN)),
    }
}

/// Connects a device that `flowseg serve` hosts.
#[cfg(feature = "remote")]
pub(super) fn connect(url: &str, index: usize) -> Result<Opened, DeviceError> {
    let mut host = RemoteHost::websocket(url);
    if let Some(token) = token()? {
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
        Err(error) => Err(failure(name, error)),
    }
}

/// What a failed connection to the device of this name means, and what to do.
#[cfg(feature = "remote")]
fn failure(name: String, error: ConnectError) -> DeviceError {
    let reason = match error {
        ConnectError::Unauthorized => {
            format!("its {TOKEN} is different: set the same here and there")
        }
        ConnectError::NoSuchDevice { device_count } => {
            format!("it serves {device_count}, numbered from 0: choose one of them")
        }
        ConnectError::IncompatibleProtocol { .. } => {
            format!("{error}: use builds of one version of FlowSeg")
        }
        ConnectError::Handshake { .. } => {
            format!("{error}: check that `flowseg serve` of this version listens there")
        }
        error => {
            let reason = error.to_string();
            return DeviceError::Remote { name, reason };
        }
    };
    DeviceError::RemoteRefused { name, reason }
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
        let token = |text: &str| trimmed(OsStr::new(text)).ok();
        assert_eq!(token("secret \r\n").as_deref(), Some("secret"));
        assert_eq!(token("a b").as_deref(), Some("a b"));
    }

    #[test]
    fn a_token_of_nothing_is_an_error() {
        for blank in ["", " ", "\r\n"] {
            let error = trimmed(OsStr::new(blank)).unwrap_err().to_string();
            assert!(error.contains(TOKEN), "{error}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            assert!(trimmed(OsStr::from_bytes(b"secret\xFF")).is_err());
        }
    }

    #[cfg(feature = "remote")]
    #[test]
    fn a_server_that_refuses_was_reached() {
        let says = |error| failure("remote:ws://a:1".into(), error).to_string();
        let refused = says(ConnectError::Unauthorized);
        assert!(refused.contains(TOKEN) && !refused.contains("cannot be reached"));
        let none = says(ConnectError::NoSuchDevice { device_count: 2 });
        assert!(none.contains("it serves 2") && !none.contains("cannot be reached"));
        let reason = "nobody".to_owned();
        assert!(says(ConnectError::Unreachable { reason }).contains("cannot be reached"));
    }
}
