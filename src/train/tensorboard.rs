//! TensorBoard event files: scalars by step, one file per start of the run.
//!
//! The format is TensorFlow's: records of protobuf messages, each framed by its length and two
//! masked CRC-32C sums (`tensorflow/core/lib/io/record_writer.h`, `tensorflow/core/util/event.proto`
//! and `tensorflow/core/framework/summary.proto`). The crates that write it have not been released
//! since 2022 and 2023, so the few fields that scalars need are written here.

use crate::files::{self, FileError};
use crate::protobuf::Message;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use web_time::{SystemTime, UNIX_EPOCH};

// Field numbers of `tensorflow.Event`.
const WALL_TIME: u8 = 1;
const STEP: u8 = 2;
const FILE_VERSION: u8 = 3;
const SUMMARY: u8 = 5;
const SESSION_LOG: u8 = 7;
// Of `tensorflow.Summary`, and of the values in it.
const VALUE: u8 = 1;
const TAG: u8 = 1;
const SIMPLE_VALUE: u8 = 2;
// Of `tensorflow.SessionLog`.
const STATUS: u8 = 1;
/// `SessionLog.SessionStatus.START`: events of earlier files at this step or later are dropped.
const START: i64 = 1;

pub(super) struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Starts a new file in `folder`, which is created. TensorBoard hides what earlier files
    /// contain past `step`: a resumed run repeats those steps.
    ///
    /// # Errors
    /// If a write fails.
    pub(super) fn create(folder: &Path, step: u64) -> Result<Self, FileError> {
        files::create_folder(folder)?;
        // TensorBoard reads files in order of name, so the time comes first; two starts may share a
        // second.
        let name = |n| format!("events.out.tfevents.{:010}.{n:04}.flowseg", now() as u64);
        let (path, file) = files::create_first_free(folder, (0..).map(name))?;
        let mut events = Self { path, file };
        let mut first = event(0);
        first.bytes(FILE_VERSION, b"brain.Event:2");
        events.write(first)?;
        let (mut log, mut start) = (Message::default(), event(step + 1));
        log.int(STATUS, START);
        start.message(SESSION_LOG, &log);
        events.write(start)?;
        Ok(events)
    }

    /// Writes the scalars of a step, by tag.
    ///
    /// # Errors
    /// If a write fails.
    pub(super) fn scalars(
        &mut self,
        step: u64,
        values: impl IntoIterator<Item = (String, f64)>,
    ) -> Result<(), FileError> {
        let mut summary = Message::default();
        for (tag, value) in values {
            let mut scalar = Message::default();
            scalar
                .bytes(TAG, tag.as_bytes())
                .float(SIMPLE_VALUE, value as f32);
            summary.message(VALUE, &scalar);
        }
        let mut event = event(step);
        event.message(SUMMARY, &summary);
        self.write(event)
    }

    /// One write per record, so that concurrent readers never see part of a record, nor is one left
    /// by a kill.
    fn write(&mut self, event: Message) -> Result<(), FileError> {
        self.file
            .write_all(&record(&event.into_bytes()))
            .map_err(|source| FileError::Write {
                path: self.path.clone(),
                source,
            })
    }
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

/// An event of a step, with the current time.
fn event(step: u64) -> Message {
    let mut event = Message::default();
    event.double(WALL_TIME, now()).int(STEP, step as i64);
    event
}

/// Length, masked sum of the length, data, masked sum of the data; little endian.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [
        &length[..],
        &masked(&length).to_le_bytes(),
        data,
        &masked(data).to_le_bytes(),
    ]
    .concat()
}

/// CRC-32C, rotated and shifted so that checksums of data that contains checksums stay independent.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of a file, checking both sums of every record.
    fn read(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (head, after) = rest.split_at(12);
            let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
            assert_eq!(head[8..], masked(&head[..8]).to_le_bytes());
            let (data, after) = after.split_at(length);
            let (sum, after) = after.split_at(4);
            assert_eq!(sum, masked(data).to_le_bytes());
            messages.push(data.to_vec());
            rest = after;
        }
        messages
    }

    #[test]
    fn records_are_whole_and_hold_their_scalars() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(folder.path(), 0).unwrap();
        let values = [("train/loss".to_owned(), 0.5), ("a".to_owned(), -2.0)];
        file.scalars(300, values).unwrap();
        let mut resumed = EventFile::create(folder.path(), 4).unwrap();
        resumed.scalars(5, [("b".to_owned(), 1.5)]).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        assert_eq!(names.len(), 2);
        let messages = read(&std::fs::read(&names[0]).unwrap());
        assert_eq!(messages.len(), 3);
        // Every event starts with its time: a key and eight bytes.
        let after_time = |message: &[u8]| {
            assert_eq!(message[0], 0x09);
            assert!(f64::from_le_bytes(message[1..9].try_into().unwrap()) > 1.6e9);
            message[9..].to_vec()
        };
        assert_eq!(after_time(&messages[0]), b"\x10\0\x1a\x0dbrain.Event:2");
        // Step 300 takes two bytes; the summary has two values, each with a tag and a number.
        assert_eq!(
            after_time(&messages[2]),
            b"\x10\xac\x02\x2a\x1d\x0a\x11\x0a\x0atrain/loss\x15\0\0\0\x3f\
              \x0a\x08\x0a\x01a\x15\0\0\0\xc0"
        );
        let messages = read(&std::fs::read(&names[1]).unwrap());
        assert_eq!(after_time(&messages[1]), b"\x10\x05\x3a\x02\x08\x01");
    }

    #[test]
    fn the_sum_is_the_published_one() {
        // RFC 3720, B.4: CRC-32C of 32 zero bytes is 0x8a9136aa.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        // Rotated by 15 bits and shifted by hand.
        assert_eq!(masked(&[0; 32]), 0x0fd7_fffa);
    }
}
