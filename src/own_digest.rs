//! Digests in the files that they are of, so that this program notices when another one has changed its file.

use crate::format::hex;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::io::{self, Write};

/// What a text begins with that holds a digest.
const LABEL: &[u8] = b"sha256:";
/// The number of hexadecimal digits of a digest.
pub(crate) const DIGITS: usize = 64;

/// The digest of some bytes, in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The text in the place of the digest in the bytes that it is of.
pub(crate) fn blank() -> String {
    format!("{}{}", LABEL.escape_ascii(), "0".repeat(DIGITS))
}

/// Writes the digest of some bytes into them, in the place of the first [`blank`].
pub(crate) fn fill(bytes: &mut [u8]) {
    if let Some(at) = place(bytes) {
        let digest = digest(bytes);
        bytes[at..at + DIGITS].copy_from_slice(digest.as_bytes());
    }
}

/// Whether bytes have a digest and are as [`fill`] left them.
pub(crate) fn is_unchanged(bytes: &[u8]) -> bool {
    place(bytes).is_some_and(|at| {
        let mut blank = bytes.to_vec();
        blank[at..at + DIGITS].fill(b'0');
        digest(&blank).as_bytes() == &bytes[at..at + DIGITS]
    })
}

/// Where the digits of the first digest are.
fn place(bytes: &[u8]) -> Option<usize> {
    let texts = bytes.windows(LABEL.len() + DIGITS);
    let is_digest = |text: &[u8]| {
        let digits = text.strip_prefix(LABEL);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let mut found = texts.enumerate().filter(|(_, text)| is_digest(text));
    found.next().map(|(at, _)| at + LABEL.len())
}

/// The digest of bytes that are still being written.
#[derive(Default)]
pub(crate) struct Hash(RefCell<Sha256>);

impl Hash {
    /// The digest of the bytes so far, in hexadecimal digits.
    pub(crate) fn digest(&self) -> String {
        hex(&self.0.borrow().clone().finalize())
    }
}

/// Passes bytes on and computes their digest, for files that hold it behind them.
pub(crate) struct Hashed<'a, W> {
    to: W,
    hash: &'a Hash,
}

impl<'a, W: Write> Hashed<'a, W> {
    /// A writer to `to`.
    pub(crate) fn new(to: W, hash: &'a Hash) -> Self {
        Self { to, hash }
    }
}

impl<W: Write> Write for Hashed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.0.borrow_mut().update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_noticed() {
        let mut bytes = format!("a {} {} b", blank(), blank()).into_bytes();
        assert!(!is_unchanged(&bytes) && !is_unchanged(b"no digest"));
        fill(&mut bytes);
        assert!(is_unchanged(&bytes));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(!is_unchanged(&changed), "{at}");
        }
    }

    #[test]
    fn bytes_are_hashed_on_their_way() {
        let hash = Hash::default();
        let mut to = Vec::new();
        let mut hashed = Hashed::new(&mut to, &hash);
        hashed.write_all(b"a").unwrap();
        hashed.write_all(b"bc").unwrap();
        assert_eq!(hash.digest(), digest(b"abc"));
        assert_eq!(to, b"abc");
    }
}
