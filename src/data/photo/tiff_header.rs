//! The directories of a TIFF file, whose tags are read and overwritten in memory.

/// `NewSubfileType`
const SUBFILE: u16 = 254;
/// `PhotometricInterpretation`
pub(super) const INTERPRETATION: u16 = 262;
/// Tags, and values of [`INTERPRETATION`], of raw camera files.
const MAKE: u16 = 271;
const SUB_DIRECTORIES: u16 = 330;
const DNG_VERSION: u16 = 50706;
const RAW_COLOURS: [u16; 2] = [32803, 34892];
/// Types of 16-bit and 32-bit numbers in a directory.
const SHORT: u64 = 3;
const LONG: u64 = 4;

/// The byte order and offset size of a file.
#[derive(Clone, Copy)]
pub(super) struct Header {
    big_endian: bool,
    /// Whether offsets have 8 bytes.
    big: bool,
    first: u64,
}

impl Header {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let big_endian = match bytes.get(..2)? {
            b"II" => false,
            b"MM" => true,
            _ => return None,
        };
        let mut header = Self {
            big_endian,
            big: false,
            first: 0,
        };
        header.big = header.number(bytes, 2, 2)? == 43;
        header.first = if header.big {
            header.number(bytes, 8, 8)?
        } else {
            header.number(bytes, 4, 4)?
        };
        Some(header)
    }

    /// An unsigned number of up to 8 bytes.
    fn number(&self, bytes: &[u8], at: usize, length: usize) -> Option<u64> {
        let digits = bytes.get(at..at.checked_add(length)?)?.iter();
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.big_endian {
            digits.fold(0, join)
        } else {
            digits.rev().fold(0, join)
        })
    }

    /// Offset of a tag's entry.
    fn entry(&self, bytes: &[u8], directory: u64, tag: u16) -> Option<usize> {
        let (count, length) = if self.big { (8, 20) } else { (2, 12) };
        let directory = usize::try_from(directory).ok()?;
        let entries = usize::try_from(self.number(bytes, directory, count)?).ok()?;
        let first = directory.checked_add(count)?;
        let entries = bytes.get(first..)?.chunks_exact(length).take(entries).len();
        (0..entries)
            .map(|i| first + i * length)
            .find(|at| self.number(bytes, *at, 2) == Some(u64::from(tag)))
    }

    /// Offset of an entry's value.
    fn place(&self, entry: usize) -> usize {
        entry + if self.big { 12 } else { 8 }
    }

    /// Offset of an entry's value if it is a single number of type `kind`.
    fn value(&self, bytes: &[u8], entry: usize, kind: u64) -> Option<usize> {
        (self.number(bytes, entry + 2, 2)? == kind).then(|| self.place(entry))
    }

    /// Makes the value of a tag that has a single number this one, in 32 bits: every type's value has the room.
    pub(super) fn overwrite(
        &self,
        bytes: &mut [u8],
        directory: u64,
        tag: u16,
        number: u32,
    ) -> Option<()> {
        let entry = self.entry(bytes, directory, tag)?;
        self.write(bytes, entry + 2, 2, LONG)?;
        self.write(bytes, self.place(entry), 4, u64::from(number))
    }

    /// Writes an unsigned number of up to 8 bytes.
    fn write(&self, bytes: &mut [u8], at: usize, length: usize, number: u64) -> Option<()> {
        let place = bytes.get_mut(at..at.checked_add(length)?)?;
        let little = number.to_le_bytes();
        place.copy_from_slice(little.get(..length)?);
        if self.big_endian {
            place.reverse();
        }
        Some(())
    }

    /// Whether the first directory is that of a raw camera file, which begins with a thumbnail.
    pub(super) fn is_raw(&self, bytes: &[u8]) -> bool {
        let entry = |tag| self.entry(bytes, self.first, tag);
        let number = |tag, kind, length| {
            let at = self.value(bytes, entry(tag)?, kind)?;
            self.number(bytes, at, length)
        };
        let reduced = number(SUBFILE, LONG, 4).is_some_and(|kind| kind & 1 != 0);
        let colours = number(INTERPRETATION, SHORT, 2);
        entry(DNG_VERSION).is_some()
            || RAW_COLOURS
                .iter()
                .any(|raw| colours == Some(u64::from(*raw)))
            || reduced && entry(MAKE).is_some() && entry(SUB_DIRECTORIES).is_some()
    }
}
