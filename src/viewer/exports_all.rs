//! The masks of a list of photos as files in one folder.

use super::mask_store::{self, StoredMask};
use super::photo_list::Item;
use crate::data::{self, Origin};
use crate::export::{Artifact, Details, Format, Mask};
use crate::files::Plan;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The most photos whose masks were not written that an error names.
const NAMED: usize = 3;

/// Why a mask was not written, in one line.
enum Failure {
    /// Its photo or itself cannot be read: others may still be written.
    Reading(String),
    /// Its file cannot be written, such as on a full disk.
    Writing(String),
}

/// A copy of the masks for another thread.
pub(super) struct AllMasks {
    pub masks: Vec<(Item, Arc<StoredMask>)>,
    /// The corrected labels of the open photo, by its place in `masks`, instead of those there.
    pub open: Option<(usize, Vec<u16>)>,
    /// The places in `masks` of those that a person has corrected, besides the open photo's.
    pub by_hand: HashSet<usize>,
    pub classes: Vec<String>,
    pub colours: Vec<[u8; 3]>,
    pub opacity: f32,
    /// Files that no export may overwrite, besides the photos.
    pub inputs: Vec<PathBuf>,
    /// The files of earlier exports of this window, with their photos. Only these are replaced, and only
    /// by the masks of the same photos.
    pub own: Arc<Mutex<HashMap<PathBuf, Item>>>,
}

impl AllMasks {
    /// The formats that they can be written in.
    pub(super) const FORMATS: [Format; 3] = [Format::Index, Format::Colours, Format::Overlay];

    /// Writes every mask into a folder, named after its photo. `report` is called with the share done
    /// and returns whether to continue; if not, the result is `None`.
    ///
    /// Colours and overlays need the photos, which are read one at a time and must still be those of the masks;
    /// labels are written without them.
    ///
    /// # Errors
    /// One line. If a photo cannot be read or has changed, the other masks are written all the same; after the
    /// first file that cannot be written, none is.
    pub(super) fn write(
        &self,
        format: Format,
        folder: &Path,
        report: &dyn Fn(f32) -> bool,
    ) -> Option<Result<(), String>> {
        // Photos with the same name in several folders, or with several endings, are numbered.
        let mut taken = HashSet::new();
        let stems = self.masks.iter().map(|(item, _)| {
            let stem = item.stem();
            let numbered = (1..).map(|number| match number {
                1 => stem.clone(),
                number => format!("{stem}-{number}"),
            });
            let mut free = numbered.filter(|name| taken.insert(name.to_lowercase()));
            free.next().unwrap_or_default()
        });
        let paths: Vec<PathBuf> = stems
            .map(|stem| folder.join(Artifact::Mask(format).file_name(&stem)))
            .collect();
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let others = paths.iter().zip(&self.masks);
        let others = others.filter(|(path, (item, _))| {
            path.exists() && !(own.get(*path) == Some(item) && format.is_unchanged(path))
        });
        let others = others.map(|(path, _)| path);
        let others: Vec<_> = others.collect();
        if let Some(path) = others.first() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            return Some(Err(format!(
                "{} holds {} of these files already, such as {name}, which are not replaced: choose \
                 an empty folder",
                folder.display(),
                others.len()
            )));
        }
        let mut plan = Plan::default();
        for (path, (item, _)) in paths.iter().zip(&self.masks) {
            plan.write(path, format!("the {} of {}", format.noun(), item.name()));
        }
        let photos = self.masks.iter().filter_map(|(item, _)| match item {
            Item::File(path) => Some(path.clone()),
            _ => None,
        });
        if let Err(error) = plan.check(|| photos.chain(self.inputs.iter().cloned()).collect()) {
            return Some(Err(error.to_string()));
        }
        let mut unread = Vec::new();
        for (at, (path, (item, mask))) in paths.iter().zip(&self.masks).enumerate() {
            if !report(at as f32 / paths.len() as f32) {
                return None;
            }
            let open = self.open.as_ref().filter(|(open, _)| *open == at);
            let labels = match open {
                Some((_, labels)) => Ok(Cow::Borrowed(labels.as_slice())),
                None => mask.labels().map(Cow::Owned).map_err(Failure::Reading),
            };
            let origin = if open.is_some() || self.by_hand.contains(&at) {
                Origin::ByHand
            } else {
                Origin::Unstated
            };
            let written = labels
                .and_then(|labels| self.write_one(format, path, (item, mask), &labels, origin));
            match written {
                Ok(()) => {
                    own.insert(path.clone(), item.clone());
                }
                Err(Failure::Reading(error)) => {
                    unread.push((item.name(), error));
                }
                Err(Failure::Writing(error)) => {
                    let (rest, all) = (unread.len() + paths.len() - at, paths.len());
                    let among = names(&unread);
                    let among =
                        among.map_or_else(String::new, |named| format!("; among them {named}"));
                    return Some(Err(format!(
                        "{rest} of {all} masks were not written: {error}{among}"
                    )));
                }
            }
        }
        Some(names(&unread).map_or(Ok(()), |named| {
            let (count, all) = (unread.len(), paths.len());
            Err(format!("{count} of {all} masks were not written, {named}"))
        }))
    }

    fn write_one(
        &self,
        format: Format,
        path: &Path,
        (item, mask): (&Item, &StoredMask),
        labels: &[u16],
        origin: Origin,
    ) -> Result<(), Failure> {
        if format == Format::Index {
            let size = mask.size.map(|side| side as usize);
            return data::write_mask(path, size, labels, self.classes.len(), origin)
                .map_err(|error| Failure::Writing(error.to_string()));
        }
        let photo = item.photo().picture().map_err(Failure::Reading)?;
        if !mask.is_of(mask_store::digest(&photo)) {
            return Err(Failure::Reading(format!(
                "{} has changed since its mask was made: sample it again",
                item.name()
            )));
        }
        let mask = Mask {
            photo: &photo,
            labels,
            classes: &self.classes,
            colours: &self.colours,
        };
        let details = Details {
            photo: path,
            cutout: &[],
            opacity: self.opacity,
            votes: None,
            origin,
        };
        format
            .write(&mask, path, &details)
            .map_err(|error| Failure::Writing(error.to_string()))
    }
}

/// Names the masks that could not be read, or their photos, each given with why, and says why of the first; `None`
/// without any.
fn names(unread: &[(String, String)]) -> Option<String> {
    let (_, reason) = unread.first()?;
    let names: Vec<&str> = unread.iter().map(|(name, _)| name.as_str()).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = names[..names.len().min(NAMED)].join(", ");
    Some(format!(
        "those of {named}{more}; the first because: {reason}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    #[test]
    fn every_mask_is_written_and_no_photo_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let labels = [0, 1, 1, 0, 1, 1];
        let photo = |name: &str| {
            let picture = RgbImage::new(3, 2);
            picture.save(path(name)).unwrap();
            let mask = StoredMask::new(&labels, &picture).unwrap();
            (Item::File(path(name)), Arc::new(mask))
        };
        let mut all = AllMasks {
            masks: vec![photo("a.png"), photo("b.bmp")],
            open: None,
            by_hand: HashSet::new(),
            classes: ["x", "y"].map(str::to_owned).to_vec(),
            colours: vec![[10, 20, 30], [200, 100, 0]],
            opacity: 1.0,
            inputs: Vec::new(),
            own: Arc::default(),
        };
        let out = path("out");
        std::fs::create_dir(&out).unwrap();
        for format in AllMasks::FORMATS {
            assert_eq!(all.write(format, &out, &|_| true), Some(Ok(())));
        }
        assert_eq!(
            data::read_labels(out.join("b.png")).unwrap(),
            (3, 2, labels.to_vec())
        );
        let overlay = image::open(out.join("a.overlay.png")).unwrap().into_rgb8();
        assert_eq!(overlay.get_pixel(1, 0).0, [200, 100, 0]);
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 6);
        // In the folder of the photos, a mask would replace one.
        let error = all
            .write(Format::Index, folder.path(), &|_| true)
            .unwrap()
            .unwrap_err();
        assert!(error.contains("a.png"), "{error}");
        assert_eq!(all.write(Format::Index, &out, &|_| false), None);
        // The open photo is written as it is corrected now.
        all.open = Some((1, vec![1; 6]));
        assert_eq!(all.write(Format::Index, &out, &|_| true), Some(Ok(())));
        let read = |name: &str| data::read_labels(out.join(name)).unwrap().2;
        assert_eq!(
            [read("a.png"), read("b.png")],
            [labels.to_vec(), vec![1; 6]]
        );
        // No later batch replaces what a person has corrected.
        all.by_hand.insert(0);
        assert_eq!(all.write(Format::Index, &out, &|_| true), Some(Ok(())));
        for name in ["a.png", "b.png"] {
            let refused = Format::Index.keep_foreign(&out.join(name));
            assert!(refused.unwrap_err().to_string().contains("by hand"));
        }
        // What somebody else wrote stays, as it would for another window.
        all.own = Arc::default();
        let error = all.write(Format::Index, &out, &|_| true).unwrap();
        let error = error.unwrap_err();
        assert!(
            error.contains("2 of these files") && error.contains("a.png"),
            "{error}"
        );
        // Nor are masks of another folder's photo of the same name replaced by this window.
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::copy(path("a.png"), elsewhere.path().join("a.png")).unwrap();
        let masks = vec![(
            Item::File(elsewhere.path().join("a.png")),
            all.masks[0].1.clone(),
        )];
        let own = vec![photo("a.png")];
        let out2 = path("out2");
        std::fs::create_dir(&out2).unwrap();
        for (masks, is_written) in [(own.clone(), true), (masks, false), (own, true)] {
            all.masks = masks;
            let written = all.write(Format::Index, &out2, &|_| true).unwrap();
            assert_eq!(written.is_ok(), is_written, "{written:?}");
        }
        // Nor is a mask that another program has corrected since.
        let corrected = image::GrayImage::from_pixel(3, 2, image::Luma([1]));
        corrected.save(out2.join("a.png")).unwrap();
        let error = all.write(Format::Index, &out2, &|_| true).unwrap();
        assert!(error.unwrap_err().contains("1 of these files"));
        assert_eq!(data::read_labels(out2.join("a.png")).unwrap().2, [1; 6]);
        // Photos with the same name have masks with two.
        all.masks = vec![photo("c.png"), photo("c.bmp")];
        all.open = None;
        assert_eq!(all.write(Format::Index, &out, &|_| true), Some(Ok(())));
        assert_eq!(read("c-2.png"), labels);
        // A photo that is gone or has changed fails alone.
        all.masks = ["e.png", "f.png", "g.png"].map(photo).to_vec();
        std::fs::remove_file(path("e.png")).unwrap();
        let changed = RgbImage::from_pixel(3, 2, image::Rgb([9, 9, 9]));
        changed.save(path("f.png")).unwrap();
        let error = all.write(Format::Overlay, &out, &|_| true).unwrap();
        let error = error.unwrap_err();
        assert!(
            error.contains("2 of 3 masks") && error.contains("those of e.png, f.png; "),
            "{error}"
        );
        let written = ["e", "f", "g"].map(|name| out.join(format!("{name}.overlay.png")).exists());
        assert_eq!(written, [false, false, true]);
        // After a file that cannot be written, no other is tried.
        let gone = path("gone");
        std::fs::create_dir(&gone).unwrap();
        let begun = std::cell::Cell::new(0);
        let report = |_: f32| {
            begun.set(begun.get() + 1);
            let _ = std::fs::remove_dir_all(&gone);
            true
        };
        let error = all.write(Format::Index, &gone, &report).unwrap();
        let error = error.unwrap_err();
        assert!(error.starts_with("3 of 3 masks"), "{error}");
        assert_eq!(begun.get(), 1);
        // Photos that could not be read before that are named all the same.
        std::fs::create_dir(&gone).unwrap();
        let error = all.write(Format::Overlay, &gone, &report).unwrap();
        let error = error.unwrap_err();
        assert!(
            error.starts_with("3 of 3 masks") && error.contains("those of e.png, f.png; "),
            "{error}"
        );
    }
}
