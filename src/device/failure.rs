//! Failures of a device at work.

use super::on_cpu;
use crate::panics::{expecting, panic_message};
use burn::tensor::Device;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a user chooses the CPU: by an option, or in the address of the page.
pub const ON_CPU: &str = if cfg!(target_arch = "wasm32") {
    "?device=cpu"
} else {
    "--device cpu"
};

/// What Burn and the drivers call a lack of memory, in lower case, before the number of bytes.
const ALLOCATING: [&str; 3] = [
    "can't allocate buffer of size: ",
    "out of device memory allocating ",
    "can't allocate ",
];
/// The same without a number.
const FULL: [&str; 4] = [
    "out of memory",
    "out-of-memory",
    "out of device memory",
    "not enough memory",
];

/// What follows the cause in an error of Burn: where it happened, which only its own tests record.
const ENDINGS: [&str; 5] = [
    " Backtrace ",
    " Backtrace: ",
    " Asked at: ",
    " No backtrace available",
    " <disabled>",
];

/// Why a device failed at work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It lacks memory; the bytes that it could not allocate, if the error tells them.
    Memory(Option<u64>),
    /// Anything else, such as a reset of its driver, on one line.
    Other(String),
}

impl Failure {
    /// Reads the message of a panic or an error of Burn: a chain of causes, the first one last.
    pub(crate) fn of(message: &str) -> Self {
        let lower = message.to_lowercase();
        for phrase in ALLOCATING {
            if let Some((_, rest)) = lower.split_once(phrase) {
                let end = rest.find(|c: char| !c.is_ascii_digit());
                if let Ok(bytes) = rest[..end.unwrap_or(rest.len())].parse() {
                    return Self::Memory(Some(bytes));
                }
            }
        }
        if FULL.iter().any(|phrase| lower.contains(phrase)) {
            return Self::Memory(None);
        }
        let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let cause = line.rsplit("Caused by: ").next().unwrap_or(&line);
        let ends = ENDINGS.iter().filter_map(|ending| cause.find(ending));
        Self::Other(cause[..ends.min().unwrap_or(cause.len())].to_owned())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(Some(bytes)) => {
                write!(f, "it cannot allocate {} MiB", bytes.div_ceil(1 << 20))
            }
            Self::Memory(None) => f.write_str("its memory is full"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

/// A device that failed at work: its driver was reset, or its memory is full; or a fault of the program, if that is told
/// by a panic on the CPU.
#[derive(Debug, thiserror::Error)]
#[error("{} failed ({failure}): {}", self.subject(), self.remedy())]
pub(crate) struct Failed {
    pub failure: Failure,
    /// What needs less memory.
    smaller: &'static str,
    /// Whether the CPU can be used instead.
    has_cpu: bool,
}

impl Failed {
    /// Reads the message of a panic or an error of Burn on a device.
    pub(crate) fn of(message: &str, device: &Device) -> Self {
        Self {
            failure: Failure::of(message),
            smaller: "a smaller --scale",
            has_cpu: !on_cpu(device),
        }
    }

    /// Names what needs less memory; by default an option that commands with a model have.
    pub(crate) fn needing_less_with(self, smaller: &'static str) -> Self {
        Self { smaller, ..self }
    }

    fn subject(&self) -> &'static str {
        match self.failure {
            Failure::Other(_) if !self.has_cpu => "the computation",
            _ => "the device",
        }
    }

    /// What a user can do.
    pub(crate) fn remedy(&self) -> String {
        let try_this = match self.failure {
            Failure::Memory(_) => format!("try {}", self.smaller),
            Failure::Other(_) => "try again".to_owned(),
        };
        if self.has_cpu {
            format!("{try_this}, or use {ON_CPU}")
        } else {
            try_this
        }
    }
}

/// Whether the message of a panic tells a lack of memory.
fn lacks_memory(message: &str) -> bool {
    matches!(Failure::of(message), Failure::Memory(_))
}

/// Runs work on a device and catches its panic. A lack of memory is no fault of the program, so its
/// panic is not reported; the caller tells the error.
///
/// # Errors
/// The panic.
pub(crate) fn attempt<T>(work: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    expecting(lacks_memory, || catch_unwind(AssertUnwindSafe(work)))
}

/// Runs work on a device. Burn panics where a driver fails; here that becomes an error. On the CPU a
/// panic is a fault of this program, and is not caught.
///
/// # Errors
/// If the device fails.
pub(crate) fn guarded<T>(device: &Device, work: impl FnOnce() -> T) -> Result<T, Failed> {
    if on_cpu(device) {
        return Ok(work());
    }
    attempt(work).map_err(|panic| Failed::of(&panic_message(&*panic), device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_memory_is_told_by_its_size() {
        let burn = "Error while reading data: use `try_into_data` instead to catch the error at \
                    runtime: The server is unhealthy\nCaused by:\n  skipped `ElemwiseFuse`: it needed \
                    memory ManagedMemoryId { value: 1191 }\nCaused by:\n  can't allocate buffer of \
                    size: 301891584\n<disabled>";
        for (message, bytes) in [
            (burn, Some(301_891_584)),
            ("out of device memory allocating 4096 bytes", Some(4096)),
            (
                "Can't allocate 77 bytes: every page size is taken",
                Some(77),
            ),
            ("An out-of-memory error happened during launch", None),
            ("wgpu error: Out of Memory", None),
            ("wgpu error: Not enough memory left.", None),
        ] {
            assert_eq!(Failure::of(message), Failure::Memory(bytes), "{message}");
            assert!(lacks_memory(message));
        }
        let failed = Failed {
            failure: Failure::of(burn),
            smaller: "a smaller --scale",
            has_cpu: true,
        };
        assert_eq!(
            failed.to_string(),
            "the device failed (it cannot allocate 288 MiB): try a smaller --scale, or use --device cpu"
        );
        let failed = failed.needing_less_with("more --tiles");
        assert!(failed.to_string().contains("try more --tiles, or use"));
    }

    #[test]
    fn of_other_failures_the_first_cause_is_told() {
        let lost = "Error while reading data\nCaused by:\n  a stream failed\nCaused by:\n  the driver \
                    was reset\nBacktrace\n   0: main";
        let failed = Failed {
            failure: Failure::of(lost),
            smaller: "",
            has_cpu: true,
        };
        assert_eq!(
            failed.to_string(),
            "the device failed (the driver was reset): try again, or use --device cpu"
        );
        assert!(!lacks_memory(lost));
        let on_cpu = Failed::of(lost, &Device::flex());
        assert_eq!(on_cpu.remedy(), "try again");
        let plain = Failure::of("can't allocate a name");
        assert_eq!(plain, Failure::Other("can't allocate a name".to_owned()));
    }

    #[test]
    fn where_a_failure_happened_is_not_told() {
        let none = "No backtrace available";
        for (message, cause) in [
            (
                format!(
                    "An error happened during execution\nCaused by:\n  a fence failed\nBacktrace:\n{none}"
                ),
                "a fence failed",
            ),
            (
                format!(
                    "The bytes were never written (failure #3, still claiming 1 buffer(s))\n  skipped \
                     `Relu`\nCaused by:\n  An error happened during execution\nCaused by:\n  a fence \
                     failed\nBacktrace:\n{none}\nAsked at:\n{none}"
                ),
                "a fence failed",
            ),
            (
                format!(
                    "An unknown error happened during launch\nCaused by:\n  no such kernel\nBacktrace\n{none}"
                ),
                "no such kernel",
            ),
            (
                format!(
                    "An IO error happened\nCaused by:\n  couldn't find resource for that handle: gone\n{none}"
                ),
                "couldn't find resource for that handle: gone",
            ),
            (
                "Unknown error happened during execution: lost\n<disabled>".to_owned(),
                "Unknown error happened during execution: lost",
            ),
        ] {
            assert_eq!(Failure::of(&message), Failure::Other(cause.to_owned()));
            // As a panic's message is read.
            let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(Failure::of(&line), Failure::Other(cause.to_owned()));
        }
    }

    #[test]
    fn a_panic_on_the_cpu_goes_on() {
        let device = Device::flex();
        assert_eq!(guarded(&device, || 3).unwrap(), 3);
        let panics = || guarded(&device, || -> u8 { panic!("a fault of a test") });
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    }
}
