//! The fonts installed on the system and the characters that they cover.

use ab_glyph::{Font, FontRef};
use fontdb::{Database, FaceInfo, ID, Stretch, Style};
use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Fonts that map every character to a box or to nothing.
const PLACEHOLDERS: [&str; 3] = ["lastresort", "adobe blank", "adobe notdef"];

/// A font in memory, which stays loaded until the program ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemFont {
    pub name: &'static str,
    pub bytes: &'static [u8],
    /// Its index in a font collection.
    pub index: u32,
}

/// The characters that fonts have.
#[derive(Default)]
pub(super) struct Coverage(Vec<RangeInclusive<u32>>);

impl Coverage {
    /// All characters that the fonts, each with its index in a collection, map to a glyph.
    pub(super) fn of<'a>(fonts: impl IntoIterator<Item = (&'a [u8], u32)>) -> Self {
        let fonts = fonts.into_iter();
        let mut points: Vec<u32> = fonts
            .filter_map(|(bytes, index)| FontRef::try_from_slice_and_index(bytes, index).ok())
            .flat_map(|font| {
                let glyphs = font.codepoint_ids().filter(|(glyph, _)| glyph.0 != 0);
                glyphs.map(|(_, c)| u32::from(c)).collect::<Vec<_>>()
            })
            .collect();
        points.sort_unstable();
        points.dedup();
        let runs = points.chunk_by(|a, b| *b == a + 1);
        Self(runs.map(|run| run[0]..=run[run.len() - 1]).collect())
    }

    pub(super) fn has(&self, character: char) -> bool {
        let point = u32::from(character);
        let at = self.0.partition_point(|range| *range.end() < point);
        self.0.get(at).is_some_and(|range| range.contains(&point))
    }
}

/// The regular face of a family.
struct Face {
    id: ID,
    coverage: Coverage,
}

pub(super) struct System {
    database: Database,
    /// One face per family, the most suitable first.
    faces: Vec<Face>,
    loaded: Mutex<HashMap<ID, SystemFont>>,
}

impl System {
    /// The fonts of this machine. The first call reads the tables of all fonts.
    pub(super) fn installed() -> &'static Self {
        static INSTALLED: OnceLock<System> = OnceLock::new();
        INSTALLED.get_or_init(|| {
            let mut database = Database::new();
            database.load_system_fonts();
            System::new(database)
        })
    }

    pub(super) fn new(database: Database) -> Self {
        let mut faces: Vec<&FaceInfo> = database.faces().collect();
        faces.sort_by_cached_key(|face| rank(face));
        let mut families = HashSet::new();
        faces.retain(|face| {
            let family = family(face).to_lowercase();
            !PLACEHOLDERS.iter().any(|name| family.contains(name)) && families.insert(family)
        });
        let coverage = |id| {
            let covered = |bytes: &[u8], index| Coverage::of([(bytes, index)]);
            database.with_face_data(id, covered).unwrap_or_default()
        };
        let faces = faces.iter().map(|face| Face {
            id: face.id,
            coverage: coverage(face.id),
        });
        Self {
            faces: faces.collect(),
            loaded: Mutex::default(),
            database,
        }
    }

    /// The most suitable font that can draw a character.
    pub(super) fn find(&self, character: char) -> Option<SystemFont> {
        let faces = self.faces.iter();
        let mut faces = faces.filter(|face| face.coverage.has(character));
        faces.find_map(|face| self.load(face.id, character))
    }

    /// Loads a font if it has an outline of a character. Fonts of bitmaps or colour layers have
    /// none.
    fn load(&self, id: ID, character: char) -> Option<SystemFont> {
        let outlined = self.database.with_face_data(id, |bytes, index| {
            let font = FontRef::try_from_slice_and_index(bytes, index).ok()?;
            let outline = font.outline(font.glyph_id(character));
            (outline.is_some() || character.is_whitespace()).then_some(())
        });
        outlined??;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(font) = loaded.get(&id) {
            return Some(*font);
        }
        let name = self.database.face(id)?.post_script_name.clone();
        let (bytes, index) = self
            .database
            .with_face_data(id, |bytes, index| (bytes.to_vec(), index))?;
        // Every text that uses the font refers to it, so it is never freed.
        let font = SystemFont {
            name: Box::leak(format!("system {name} {id}").into_boxed_str()),
            bytes: Box::leak(bytes.into_boxed_slice()),
            index,
        };
        loaded.insert(id, font);
        Some(font)
    }
}

fn family(face: &FaceInfo) -> &str {
    face.families.first().map_or("", |(name, _)| name)
}

/// Lower is more suitable next to the built-in sans-serif font.
fn rank(face: &FaceInfo) -> impl Ord + use<> {
    let family = family(face).to_lowercase();
    (
        face.style != Style::Normal,
        face.stretch != Stretch::Normal,
        face.monospaced,
        family.contains("serif") && !family.contains("sans"),
        face.weight.0.abs_diff(400),
        family,
    )
}
