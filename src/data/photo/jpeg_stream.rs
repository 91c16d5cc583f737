//! Detects JPEG streams with missing pixels.
//!
//! Decoders fill missing data: half a file becomes a photo whose lower part is grey, and a hole of
//! zeros, as left by broken downloads and disks, becomes stripes. Such photos would silently spoil a
//! training set. The stream is therefore scanned before it is decoded:
//!
//! - Where a scan ends, one-bits are put before the marker. No Huffman code consists of ones alone,
//!   so a decoder that needs more data than there are fails instead of making some up, and one that
//!   has all of its data never reads them.
//! - A run of zeros in a scan whose codes make it impossible is a hole.

use std::io::{self, Read};
use std::ops::Range;

/// One-bits for the end of a scan, each byte followed by the zero that distinguishes it from a marker.
/// Up to 26 of them complete a code and its value, and up to 63 the refinement of one block of a
/// progressive file. The next code then fails within 16.
const ONES: [u8; 64] = {
    let mut ones = [0; 64];
    let mut i = 0;
    while i < ones.len() {
        ones[i] = 0xFF;
        i += 2;
    }
    ones
};
/// Bytes of [`ONES`] before a restart marker, which must follow within the decoder's look-ahead of 7
/// data bytes.
const BEFORE_RESTART: usize = 12;
const END_OF_IMAGE: &[u8] = &[0xFF, 0xD9];
/// Length of a run of zero bytes that counts as a hole, in whole blocks of [`BLOCK`].
const HOLE: usize = 256;
const BLOCK: usize = 64;
/// Zeros kept at the end of a scan, whose last codes may be zeros.
const KEPT: usize = 8;

/// A stream of segments and scans, made safe to decode.
pub(super) struct Stream<'a> {
    pub pieces: Pieces<'a>,
    /// Whether the stream has its own end-of-image marker.
    pub ended: bool,
    /// Whether its scans hold every bit of every component, according to their headers.
    pub scanned: bool,
    /// The byte range of a hole of zeros within a scan.
    pub hole: Option<Range<usize>>,
}

impl<'a> Stream<'a> {
    /// A search for the end-of-image marker is not enough: an embedded thumbnail ends in one too, and
    /// phones append whole further images.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (mut pieces, mut hole) = (Vec::new(), None);
        let (mut tables, mut frame) = (Tables::default(), Frame::default());
        // Everything before `from` has been passed on.
        let (mut from, mut at) = (0, 2);
        let ended = loop {
            let Some((marker, after)) = next_marker(bytes, at) else {
                break false;
            };
            at = after;
            match marker {
                0xD9 => break true,
                // Markers without a length.
                0x01 | 0xD0..=0xD8 => continue,
                _ => {}
            }
            let Some(segment) = segment(bytes, at) else {
                break false;
            };
            at += 2 + segment.len();
            match marker {
                0xC4 => tables.define(segment),
                0xC0..=0xC2 => frame = Frame::of(segment),
                _ => {}
            }
            if marker != 0xDA {
                continue;
            }
            frame.scan(segment);
            let zeros_possible = tables.allow_zeros(segment);
            loop {
                let (mut data, next, marker) = entropy_coded(bytes, at);
                if !zeros_possible {
                    hole = hole.or_else(|| remove_zeros(bytes, &mut data));
                }
                pieces.push(&bytes[from..data.end]);
                (from, at) = (next, next);
                if !matches!(marker, Some(0xD0..=0xD7)) {
                    pieces.push(&ONES);
                    break;
                }
                pieces.push(&ONES[..BEFORE_RESTART]);
                at += 2;
            }
        };
        pieces.push(&bytes[from.min(bytes.len())..]);
        if !ended {
            pieces.push(END_OF_IMAGE);
        }
        Self {
            pieces: Pieces::new(pieces),
            ended,
            scanned: frame.is_scanned(),
            hole,
        }
    }
}

fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += bytes.get(at..)?.iter().position(|&b| b == 0xFF)? + 1;
        // Any number of fill bytes may precede a marker.
        while bytes.get(at) == Some(&0xFF) {
            at += 1;
        }
        let marker = *bytes.get(at)?;
        at += 1;
        if marker != 0 {
            return Some((marker, at));
        }
    }
}

/// The body of a segment, after its length.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
    bytes.get(at + 2..at + usize::from(length).max(2))
}

/// The data of a scan, or of its part up to a restart marker, and the position and code of the marker
/// after it.
fn entropy_coded(bytes: &[u8], from: usize) -> (Range<usize>, usize, Option<u8>) {
    let mut at = from;
    loop {
        let found = bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(|&b| b == 0xFF));
        let Some(found) = found else {
            return (from..bytes.len(), bytes.len(), None);
        };
        at += found;
        let fill = bytes[at..].iter().take_while(|&&b| b == 0xFF).count();
        match bytes.get(at + fill) {
            // A stuffed zero; other values below the markers are damage, which is left to the decoder.
            Some(0x00..=0xBF) => at += fill + 1,
            marker => return (from..at, at + fill - 1, marker.copied()),
        }
    }
}

/// Removes a long run of zeros from the end of a scan's data; returns one that precedes further data.
///
/// Zeros at the end may be padding after the last pixel; the decoder fails if they were not.
fn remove_zeros(bytes: &[u8], data: &mut Range<usize>) -> Option<Range<usize>> {
    let zero = |at: &usize| bytes[*at] == 0;
    let blocks = bytes[data.clone()].chunks_exact(BLOCK);
    let mut run = 0;
    for (i, block) in blocks.enumerate() {
        run = if block.iter().all(|&b| b == 0) {
            run + 1
        } else {
            0
        };
        if run * BLOCK < HOLE {
            continue;
        }
        let known = data.start + (i + 1) * BLOCK;
        let first = known - run * BLOCK;
        let before = (data.start..first).rev().take_while(zero).count();
        let zeros = first - before..known + (known..data.end).take_while(zero).count();
        if zeros.end < data.end {
            return Some(zeros);
        }
        data.end = zeros.start + KEPT;
        return None;
    }
    None
}

/// Parses a scan header: each component's number and tables; the first and last coefficient, and the
/// bits known before and left after.
fn scan_header(header: &[u8]) -> Option<(&[[u8; 2]], [u8; 3])> {
    let (&count, rest) = header.split_first()?;
    let (components, rest) = rest.split_at_checked(2 * usize::from(count))?;
    Some((components.as_chunks().0, *rest.first_chunk()?))
}

/// What the scans so far contain of every component.
#[derive(Default)]
struct Frame {
    /// The number of each component, and the missing bits of its coefficients.
    components: Vec<(u8, [u8; 64])>,
}

impl Frame {
    /// The components in the header of a frame, with nothing read yet.
    fn of(header: &[u8]) -> Self {
        let listed = header.get(6..).unwrap_or_default().as_chunks::<3>().0;
        Self {
            components: listed.iter().map(|[id, ..]| (*id, [u8::MAX; 64])).collect(),
        }
    }

    fn scan(&mut self, header: &[u8]) {
        let Some((components, [first, last, bits])) = scan_header(header) else {
            return;
        };
        for (id, lacking) in &mut self.components {
            if components.iter().any(|[scanned, _]| scanned == id) {
                let range = usize::from(first)..=usize::from(last);
                let coefficients = lacking.get_mut(range).unwrap_or_default();
                coefficients.fill(bits & 15);
            }
        }
    }

    fn is_scanned(&self) -> bool {
        self.components
            .iter()
            .all(|(_, lacking)| *lacking == [0; 64])
    }
}

/// The symbol of the shortest code, all zeros, of every Huffman table.
#[derive(Default)]
struct Tables {
    /// For DC and AC tables, by table number.
    zeros: [[Option<u8>; 4]; 2],
}

impl Tables {
    /// Reads a segment of table definitions.
    fn define(&mut self, mut segment: &[u8]) {
        while let Some((&[head, ref counts @ ..], rest)) = segment.split_first_chunk::<17>() {
            let values = counts.iter().map(|&n| usize::from(n)).sum();
            let table = self.zeros.get_mut(usize::from(head >> 4));
            if let Some(first) = table.and_then(|table| table.get_mut(usize::from(head & 15))) {
                *first = rest.first().copied();
            }
            segment = rest.get(values..).unwrap_or_default();
        }
    }

    /// Whether a scan with this header can contain a long run of zeros: blocks without any change, as
    /// in an entirely white sky, or raw bits.
    fn allow_zeros(&self, header: &[u8]) -> bool {
        let Some((components, [first, last, bits])) = scan_header(header) else {
            return true;
        };
        // A refinement.
        if bits >> 4 != 0 {
            return true;
        }
        let unchanged = |class: usize, table: u8| {
            let table = self.zeros[class].get(usize::from(table));
            table.copied().flatten().is_none_or(|value| value == 0)
        };
        components.iter().all(|&[_, tables]| {
            (first > 0 || unchanged(0, tables >> 4)) && (last == 0 || unchanged(1, tables & 15))
        })
    }
}

/// A reader over consecutive slices.
pub(super) struct Pieces<'a> {
    current: &'a [u8],
    rest: std::vec::IntoIter<&'a [u8]>,
}

impl<'a> Pieces<'a> {
    fn new(pieces: Vec<&'a [u8]>) -> Self {
        Self {
            current: &[],
            rest: pieces.into_iter(),
        }
    }
}

impl Read for Pieces<'_> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.rest.next() {
                Some(piece) => self.current = piece,
                None => return Ok(0),
            }
        }
        self.current.read(buffer)
    }

    /// The decoder reads byte by byte, so this saves a sixth of its time.
    #[inline]
    fn read_exact(&mut self, mut buffer: &mut [u8]) -> io::Result<()> {
        if buffer.len() <= self.current.len() {
            return self.current.read_exact(buffer);
        }
        while !buffer.is_empty() {
            match self.read(buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => buffer = &mut buffer[read..],
            }
        }
        Ok(())
    }
}
