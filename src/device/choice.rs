//! Device names, as given to `--device`.

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The best real GPU, or the CPU if there is none.
    #[default]
    Auto,
    /// The CPU, through Burn's flex backend and this crate's fused operations.
    Cpu,
    /// A wgpu adapter by its number in [`adapters`](super::adapters()); `None` for the best.
    Wgpu(Option<usize>),
    /// An NVIDIA GPU through CUDA, by its number. Requires the feature `cuda`.
    Cuda(usize),
    /// A device of another machine or process that runs `flowseg serve`. Requires the feature
    /// `remote`.
    Remote {
        /// `ws://HOST:PORT`
        url: String,
        /// Its index in the server's list, from 0.
        index: usize,
    },
}

impl Choice {
    /// Whether the device that computes is an adapter, which then also draws.
    pub fn draws(&self) -> bool {
        matches!(self, Self::Auto | Self::Wgpu(_))
    }

    /// The adapter that draws for this choice.
    pub fn drawing(&self) -> Self {
        match self {
            Self::Wgpu(number) => Self::Wgpu(*number),
            _ => Self::Auto,
        }
    }
}

/// A device name that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no device {0}: use auto, cpu, wgpu, wgpu:N, cuda, cuda:N or remote:ws://HOST:PORT (see `flowseg devices`)"
)]
pub struct UnknownDevice(String);

impl FromStr for Choice {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let text = text.trim();
        let named = match text {
            "auto" => Some(Choice::Auto),
            "cpu" => Some(Choice::Cpu),
            "wgpu" => Some(Choice::Wgpu(None)),
            "cuda" => Some(Choice::Cuda(0)),
            _ => text.split_once(':').and_then(|(kind, rest)| match kind {
                "wgpu" => Some(Choice::Wgpu(Some(rest.parse().ok()?))),
                "cuda" => Some(Choice::Cuda(rest.parse().ok()?)),
                "remote" => remote(rest),
                _ => None,
            }),
        };
        named.ok_or_else(|| UnknownDevice(text.to_owned()))
    }
}

/// Parses `ws://HOST:PORT`, optionally followed by `#N` for the server's device N.
fn remote(text: &str) -> Option<Choice> {
    let (url, index) = match text.split_once('#') {
        Some((url, index)) => (url, index.parse().ok()?),
        None => (text, 0),
    };
    let (host, port) = url.strip_prefix("ws://")?.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| Choice::Remote {
        url: url.to_owned(),
        index,
    })
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Auto => f.write_str("auto"),
            Choice::Cpu => f.write_str("cpu"),
            Choice::Wgpu(None) => f.write_str("wgpu"),
            Choice::Wgpu(Some(number)) => write!(f, "wgpu:{number}"),
            Choice::Cuda(number) => write!(f, "cuda:{number}"),
            Choice::Remote { url, index: 0 } => write!(f, "remote:{url}"),
            Choice::Remote { url, index } => write!(f, "remote:{url}#{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_chosen_adapter_draws() {
        assert_eq!(Choice::Wgpu(Some(1)).drawing(), Choice::Wgpu(Some(1)));
        assert!(Choice::Wgpu(Some(1)).draws() && Choice::Auto.draws());
        for other in [Choice::Auto, Choice::Cpu, Choice::Cuda(1)] {
            assert_eq!(other.drawing(), Choice::Auto);
        }
        assert!(!Choice::Cpu.draws() && !Choice::Cuda(0).draws());
    }

    #[test]
    fn names_of_devices() {
        let remote = |index| Choice::Remote {
            url: "ws://gpu:7878".into(),
            index,
        };
        for (name, choice) in [
            ("auto", Choice::Auto),
            ("wgpu:2", Choice::Wgpu(Some(2))),
            ("cuda:1", Choice::Cuda(1)),
            ("remote:ws://gpu:7878", remote(0)),
            ("remote:ws://gpu:7878#3", remote(3)),
        ] {
            let parsed = name.parse::<Choice>().unwrap();
            assert_eq!((parsed.to_string().as_str(), &parsed), (name, &choice));
        }
        for wrong in [
            "gpu",
            "wgpu:",
            "wgpu:x",
            "cpu:1",
            "",
            "remote:",
            "remote:gpu:7878",
            "remote:ws://gpu",
            "remote:ws://:7878",
            "remote:ws://gpu:7878#x",
        ] {
            let error = wrong.parse::<Choice>().unwrap_err().to_string();
            assert!(error.contains("flowseg devices"), "{error}");
        }
    }
}
