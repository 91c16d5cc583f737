//! The tokens of a frozen encoder, kept on disk for the fixed views of a data set
//! (`data.token_views`): the encoder, most of a step's cost, then sees every view only once.
//!
//! A file holds one table of checksums and one record per view. A record counts only if its
//! checksum fits, so that one that was cut short by a full disk or a power failure is computed again,
//! and processes may fill the same file together: they write the same numbers. The file is written
//! rather than mapped, because a write to a mapping of a full disk ends the process.

use super::event::TokensKept;
use crate::files::{self, FileError};
use crate::format::hex;
use crate::model::tensors;
use crate::model::vit::Vit;
use half::f16;
use half::slice::HalfFloatSliceExt;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use web_time::Instant;

/// Extension of the files.
const EXTENSION: &str = "tokens";
const MAGIC: [u8; 8] = *b"FSTOKEN1";
/// The magic, the key, and the numbers of records and of values in a record.
const HEADER: u64 = 8 + 32 + 8 + 8;
const CHECKSUM: u64 = 4;
const VALUE: u64 = 2;

/// The tokens of every view of a data set, as far as they are known.
pub(super) struct TokenFile {
    file: File,
    path: PathBuf,
    /// Number of records.
    views: u64,
    /// Values in a record.
    values: usize,
    /// Whether a write has failed; nothing is written after that.
    failed: AtomicBool,
}

impl TokenFile {
    /// Opens the file for an encoder and the views that `fingerprint` identifies, or creates it.
    /// Whatever it holds already is kept. The disk must have room for the rest.
    ///
    /// # Errors
    /// If the folder or the file cannot be written, or the disk is too small.
    pub(super) fn open(
        folder: &Path,
        encoder: &Vit,
        fingerprint: &str,
        views: u64,
        values: usize,
    ) -> Result<Self, FileError> {
        files::create_folder(folder)?;
        let key = key(encoder, fingerprint, values);
        let path = folder.join(format!("{}.{EXTENSION}", &hex(&key)[..16]));
        let failed = FileError::write(&path);
        let file = files::update(&path)?;
        let tokens = Self {
            file,
            path,
            views,
            values,
            failed: AtomicBool::new(false),
        };
        // Another process may be creating it. Where locks do not work, the worst case is that both
        // start with an empty file.
        let _ = tokens.file.lock();
        let known = tokens.known(&key).map_err(&failed)?;
        let missing = views.saturating_sub(known.unwrap_or_default());
        files::check_room(folder, missing.saturating_mul(tokens.record()))?;
        if known.is_none() {
            tokens.create(&key).map_err(&failed)?;
        }
        let _ = tokens.file.unlock();
        Ok(tokens)
    }

    pub(super) fn views(&self) -> u64 {
        self.views
    }

    /// Number of views whose tokens are known, whichever device or process has stored them; 0 if the file cannot be
    /// read.
    pub(super) fn stored(&self) -> u64 {
        self.count().unwrap_or_default()
    }

    /// The tokens of a view, rounded to half precision; `encode` computes them if they are unknown.
    /// A failed write costs time later, but does not stop the run.
    pub(super) fn tokens(&self, view: u64, encode: impl FnOnce() -> Vec<f32>) -> Vec<f32> {
        if let Some(found) = self.read(view) {
            return found;
        }
        let values: Vec<f16> = encode().into_iter().map(f16::from_f32).collect();
        if !self.failed.load(Ordering::Relaxed)
            && let Err(error) = self.write(view, &values)
        {
            self.failed.store(true, Ordering::Relaxed);
            let path = self.path.display();
            tracing::warn!("no more tokens are kept in {path}: {error}");
        }
        values.to_f32_vec()
    }

    /// The number of records of an existing file; `None` if it is empty or another kind of file.
    fn known(&self, key: &[u8; 32]) -> io::Result<Option<u64>> {
        let header = self.header(key);
        let mut found = vec![0; header.len()];
        let same = self.file.metadata()?.len() == self.len()?
            && self.read_at(0, &mut found).is_ok()
            && found == header;
        if !same {
            return Ok(None);
        }
        self.count().map(Some)
    }

    /// The number of records in the table of a whole file.
    fn count(&self) -> io::Result<u64> {
        // The file is that long, so the table is not too large.
        let mut checksums = vec![0; (self.views * CHECKSUM) as usize];
        self.read_at(HEADER, &mut checksums)?;
        let known = checksums.chunks_exact(CHECKSUM as usize);
        let known = known.filter(|sum| sum.iter().any(|&byte| byte != 0));
        Ok(known.count() as u64)
    }

    /// Makes the file one without any records, whatever it was.
    fn create(&self, key: &[u8; 32]) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.set_len(self.len()?)?;
        // Last, since it says that the rest is there.
        self.write_at(0, &self.header(key))
    }

    fn header(&self, key: &[u8; 32]) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER as usize);
        header.extend(MAGIC);
        header.extend(key);
        header.extend(self.views.to_le_bytes());
        header.extend((self.values as u64).to_le_bytes());
        header
    }

    /// Bytes of the whole file.
    fn len(&self) -> io::Result<u64> {
        let records = self.views.checked_mul(self.record() + CHECKSUM);
        let whole = records.and_then(|bytes| bytes.checked_add(HEADER));
        whole.ok_or_else(|| io::ErrorKind::FileTooLarge.into())
    }

    /// Bytes of a record.
    fn record(&self) -> u64 {
        VALUE * self.values as u64
    }

    /// Where the checksum and the record of a view are; `None` for a view past the last.
    fn places(&self, view: u64) -> Option<[u64; 2]> {
        let records = HEADER + CHECKSUM * self.views;
        (view < self.views).then(|| [HEADER + CHECKSUM * view, records + self.record() * view])
    }

    fn read(&self, view: u64) -> Option<Vec<f32>> {
        let [checksum, record] = self.places(view)?;
        let mut expected = [0; CHECKSUM as usize];
        self.read_at(checksum, &mut expected).ok()?;
        let expected = u32::from_le_bytes(expected);
        if expected == 0 {
            return None;
        }
        let mut values = vec![f16::ZERO; self.values];
        self.read_at(record, bytemuck::cast_slice_mut(&mut values))
            .ok()?;
        (of_record(bytemuck::cast_slice(&values)) == expected).then(|| values.to_f32_vec())
    }

    fn write(&self, view: u64, values: &[f16]) -> io::Result<()> {
        let Some([checksum, record]) = self.places(view).filter(|_| values.len() == self.values)
        else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let bytes: &[u8] = bytemuck::cast_slice(values);
        self.write_at(record, bytes)?;
        self.write_at(checksum, &of_record(bytes).to_le_bytes())
    }

    fn read_at(&self, place: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place))?;
        file.read_exact(bytes)
    }

    fn write_at(&self, place: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place))?;
        file.write_all(bytes)
    }
}

/// Reports how much of a file is filled.
pub(super) struct Keeping {
    /// When this process opened the file, and how many views it held.
    since: (Instant, u64),
    stale: Vec<PathBuf>,
    /// Whether the last report said that all views are there.
    complete: bool,
}

impl Keeping {
    /// `None` without a file. Deletes the other files of its folder unless that is `shared`: they
    /// belong to other weights, data or settings, and the run will not read them again.
    pub(super) fn new(tokens: Option<&TokenFile>, shared: bool) -> Option<Self> {
        let tokens = tokens?;
        let mut stale = Vec::new();
        if !shared {
            stale = others(&tokens.path);
            stale.retain(|path| files::remove_file(path).is_ok());
        }
        Some(Self {
            since: (Instant::now(), tokens.stored()),
            stale,
            complete: false,
        })
    }

    /// The state of the file; `None` if nothing can have changed.
    pub(super) fn event(&mut self, tokens: &TokenFile) -> Option<TokensKept> {
        if self.complete {
            return None;
        }
        let (views, of) = (tokens.stored(), tokens.views());
        self.complete = views >= of;
        let (start, before) = self.since;
        let new = views.saturating_sub(before);
        let left = of.saturating_sub(views) as f64;
        let eta = (new > 0).then(|| start.elapsed().mul_f64(left / new as f64));
        Some(TokensKept {
            path: tokens.path.clone(),
            views,
            of,
            eta,
            stale: std::mem::take(&mut self.stale),
        })
    }
}

/// Everything that the tokens depend on.
fn key(encoder: &Vit, fingerprint: &str, values: usize) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(format!("{fingerprint} {values} {:?}", encoder.config()));
    for (name, tensor) in tensors::export(encoder) {
        digest.update(format!("{name} {:?}", tensor.shape));
        digest.update(bytemuck::cast_slice::<f32, u8>(&tensor.data));
    }
    digest.finalize().into()
}

/// The checksum of a record. 0 stands for a record that is not there.
fn of_record(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).max(1)
}

/// The other files of tokens in the folder of one.
fn others(own: &Path) -> Vec<PathBuf> {
    let folder = own.parent().unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let tokens = |path: &PathBuf| path.extension().is_some_and(|ending| ending == EXTENSION);
    paths.filter(|path| path != own && tokens(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::init::Initializer;
    use crate::model::vit::VitConfig;
    use burn::tensor::Device;
    use std::time::Duration;

    fn encoder(seed: u64) -> Vit {
        let config = VitConfig {
            width: 8,
            heads: 2,
            blocks: 1,
            mlp_width: 16,
            patch_size: 4,
            side: 2,
            registers: 0,
            layers: Vec::new(),
            int8: false,
        };
        Vit::init(&config, &mut Initializer::new(seed, &Device::flex()))
    }

    #[test]
    fn tokens_are_computed_once_and_survive_until_anything_changes() {
        let folder = tempfile::tempdir().unwrap();
        let open =
            |seed, data: &str| TokenFile::open(folder.path(), &encoder(seed), data, 3, 4).unwrap();
        let tokens = open(0, "a");
        let rounded = [0.333_251_95, -7.0, 1e-3_f32, 0.0].map(|v| f16::from_f32(v).to_f32());
        let first = tokens.tokens(1, || vec![0.333_251_95, -7.0, 1e-3, 0.0]);
        assert_eq!(first, rounded);
        assert_eq!(tokens.tokens(1, || panic!("known")), rounded);
        assert_eq!(tokens.tokens(2, || vec![0.0; 4]), [0.0; 4]);
        assert_eq!((tokens.stored(), tokens.views()), (2, 3));
        drop(tokens);

        let again = open(0, "a");
        assert_eq!(again.stored(), 2);
        assert_eq!(again.tokens(1, || panic!("known")), rounded);
        assert_eq!(again.tokens(2, || panic!("known")), [0.0; 4]);
        for other in [open(0, "b"), open(1, "a")] {
            assert_eq!(other.stored(), 0);
            assert!(others(&other.path).contains(&again.path));
        }
        let mut keeping = Keeping::new(Some(&again), true).unwrap();
        let event = keeping.event(&again).unwrap();
        assert_eq!((event.views, event.of, event.stale.len()), (2, 3, 0));
        let mut keeping = Keeping::new(Some(&again), false).unwrap();
        assert_eq!(keeping.event(&again).unwrap().stale.len(), 2);
        assert!(others(&again.path).is_empty());
        again.tokens(0, || vec![1.0; 4]);
        assert_eq!(keeping.event(&again).unwrap().eta, Some(Duration::ZERO));
        assert_eq!(keeping.event(&again), None);
        // Several devices each open the file, and one reports what all have stored.
        let [one, other] = [(); 2].map(|()| open(2, "a"));
        let mut keeping = Keeping::new(Some(&one), true).unwrap();
        one.tokens(0, || vec![1.0; 4]);
        other.tokens(1, || vec![2.0; 4]);
        let event = keeping.event(&one).unwrap();
        assert_eq!((event.views, event.of), (2, 3));
        drop((one, other));
        // A view that the file has no room for is computed every time.
        assert_eq!(again.tokens(3, || vec![1.0; 4]), [1.0; 4]);
        assert_eq!(again.tokens(3, || vec![2.0; 4]), [2.0; 4]);
    }

    #[test]
    fn damaged_records_are_computed_again() {
        let folder = tempfile::tempdir().unwrap();
        let open = || TokenFile::open(folder.path(), &encoder(0), "a", 2, 4).unwrap();
        let tokens = open();
        tokens.tokens(0, || vec![1.0; 4]);
        tokens.tokens(1, || vec![2.0; 4]);
        let path = tokens.path.clone();
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(open().tokens(0, || panic!("known")), [1.0; 4]);
        assert_eq!(open().tokens(1, || vec![3.0; 4]), [3.0; 4]);
        assert_eq!(open().tokens(1, || panic!("known")), [3.0; 4]);
        // A file that was cut short starts again.
        fs::write(&path, &bytes[..last]).unwrap();
        assert_eq!(open().stored(), 0);
        assert_eq!(open().tokens(0, || vec![4.0; 4]), [4.0; 4]);
    }

    #[test]
    fn a_full_disk_is_found_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let opened = TokenFile::open(folder.path(), &encoder(0), "a", 1 << 20, 1 << 34);
        assert!(matches!(opened, Err(FileError::Room { .. })));
    }
}
