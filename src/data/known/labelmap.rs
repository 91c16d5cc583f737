//! `labelmap.txt`, which CVAT and Datumaro write beside data sets in Pascal VOC's form: a class per line,
//! `NAME:RED,GREEN,BLUE:PARTS:ACTIONS`. The colour of a pixel is its class; in grey label files its
//! value is, which counts the lines from 0. It may also stand beside the folders of the plain layout, also with a list of
//! classes that says which values grey files have, and then counts for coloured labels alone; of a palette file the
//! colours count if all that it uses are listed, else its indices. `label_colors.txt` beside data sets in CamVid's form
//! has the lines `RED GREEN BLUE NAME` instead.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::super::classes::ClassTable;
use super::super::contents::Contents;
use super::super::decode::{Painted, RawLabels, read_painted};
use super::super::drawing::{Draw, Drawing, Fit};
use super::super::error::DataError;
use super::super::mapping::LabelMapping;
use super::super::split::{Files, Scan, Scanner, Split, is_png};
use super::super::walk::visible_files;
use crate::labels::IGNORE;
use crate::text_file;

/// The file's name.
pub(in super::super) const FILE: &str = "labelmap.txt";
/// The colour of pixels without a class, unless a line has it.
const VOID: [u8; 3] = [224, 224, 192];
/// The name that such pixels may have.
const IGNORED: &str = "ignored";
/// The kinds of pixels in the header of a PNG, besides grey ones.
const RGB: u8 = 2;
const PALETTE: u8 = 3;
const GREY_ALPHA: u8 = 4;
const RGBA: u8 = 6;
/// The name of pixels without a class in CamVid's form, of any colour.
const CAMVID_IGNORED: &str = "void";

/// How the lines of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Lines {
    /// `NAME:RED,GREEN,BLUE:PARTS:ACTIONS`
    Voc,
    /// `RED GREEN BLUE NAME`
    CamVid,
}

impl Lines {
    /// The name on a line, and its colour or that of [`palette`] for a class of this number; `None` if the colour
    /// cannot be read.
    fn parse(self, line: &str, number: usize) -> Option<(String, [u8; 3])> {
        match self {
            Self::Voc => {
                let mut fields = line.split(':').map(str::trim);
                let name = fields.next().unwrap_or_default();
                let colour = match fields.next().unwrap_or_default() {
                    "" => palette(number),
                    text => colour(text.split(','))?,
                };
                Some((name.to_owned(), colour))
            }
            Self::CamVid => {
                let words: Vec<&str> = line.split_whitespace().collect();
                let (channels, name) = words.split_at_checked(3)?;
                Some((name.join(" "), colour(channels.iter().copied())?))
            }
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::Voc => "NAME:RED,GREEN,BLUE::",
            Self::CamVid => "RED GREEN BLUE NAME",
        }
    }

    /// Whether pixels of this name and colour have no class.
    fn ignores(self, name: &str, colour: [u8; 3]) -> bool {
        match self {
            Self::Voc => colour == VOID && name.eq_ignore_ascii_case(IGNORED),
            Self::CamVid => name.eq_ignore_ascii_case(CAMVID_IGNORED),
        }
    }
}

/// The class of every colour and of every line; [`IGNORE`] for pixels without a class.
#[derive(Debug)]
struct Colours {
    path: PathBuf,
    by_colour: HashMap<[u8; 3], u16>,
    /// `None` if a list of classes says which values the pixels of grey files have.
    by_line: Option<Vec<u16>>,
    /// Why there are no colours, in a file that cannot be used beside a list of classes.
    unusable: Option<String>,
}

/// Pascal VOC's colour of a label: its bits, three at a time, fill the channels from the highest bit down.
pub(super) fn palette(label: usize) -> [u8; 3] {
    let mut colour = [0u8; 3];
    for place in 0..8 {
        for (channel, value) in colour.iter_mut().enumerate() {
            let bit = label >> (3 * place + channel) & 1;
            *value |= (bit as u8) << (7 - place);
        }
    }
    colour
}

/// The kind of pixels of a PNG, as its header has it; `None` for another file, or if it cannot be read.
fn kind(path: &Path) -> Option<u8> {
    const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
    const PLACE: usize = 25;
    let mut head = [0; PLACE + 1];
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    head.starts_with(SIGNATURE).then_some(head[PLACE])
}

/// Whether one of the first label files of a split is a PNG of colours rather than of values or palette indices. This
/// is asked for every photo that is opened, and the files may be many.
pub(in super::super) fn is_coloured(split: &Split) -> bool {
    const LOOKED_AT: usize = 64;
    visible_files(&split.labels)
        .filter(|path| is_png(path))
        .take(LOOKED_AT)
        .any(|path| matches!(kind(&path), Some(RGB | RGBA)))
}

/// A data set with these splits whose label files may have the colours in the file at `path`, and whose classes it
/// lists.
///
/// # Errors
/// As for [`read`].
pub(in super::super) fn contents(
    path: &Path,
    lines: Lines,
    splits: Vec<Split>,
) -> Result<Contents, DataError> {
    let (classes, colours) = read(path, lines)?;
    Ok(Contents {
        name: None,
        mapping: LabelMapping::plain(classes.len()),
        classes,
        splits: coloured(splits, colours),
    })
}

/// These splits of a data set with a list of classes, where label files that are not grey may have the colours in the
/// file at `path`. Other programs write files of this name for themselves: one that cannot be used, as it may be
/// `refused` for a reason, is an error of label files of colours alone.
pub(in super::super) fn beside_a_list(
    path: &Path,
    listed: &ClassTable,
    splits: Vec<Split>,
    refused: Option<String>,
) -> Vec<Split> {
    let colours = match refused {
        Some(reason) => Err(DataError::description(path, reason)),
        None => of_list(path, listed),
    };
    let colours = colours.unwrap_or_else(|error| Colours {
        path: path.to_path_buf(),
        by_colour: HashMap::new(),
        by_line: None,
        unusable: Some(match error {
            DataError::Description { reason, .. } => reason,
            error => error.to_string(),
        }),
    });
    coloured(splits, colours)
}

/// The colours of the classes of a list.
///
/// # Errors
/// As for [`read`]; a class that is not listed.
fn of_list(path: &Path, listed: &ClassTable) -> Result<Colours, DataError> {
    let (classes, mut colours) = read(path, Lines::Voc)?;
    let index = |name: &String| {
        listed.find(name).ok_or_else(|| {
            let name = name.escape_debug();
            let reason = format!(
                "names the class \"{name}\", which the list of classes beside it lacks: give both the same names"
            );
            DataError::description(path, reason)
        })
    };
    let indices = classes
        .names
        .iter()
        .map(index)
        .collect::<Result<Vec<u16>, _>>()?;
    for class in colours.by_colour.values_mut() {
        *class = indices.get(usize::from(*class)).copied().unwrap_or(IGNORE);
    }
    colours.by_line = None;
    Ok(colours)
}

/// Reads the classes and their colours.
///
/// # Errors
/// The file cannot be read, names no class, or has a line without a name, with an unreadable colour or
/// with the colour of another.
fn read(path: &Path, lines: Lines) -> Result<(ClassTable, Colours), DataError> {
    let text = text_file::read(path)?;
    let mut names = Vec::new();
    let (mut by_colour, mut by_line) = (HashMap::new(), Vec::new());
    for (at, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong =
            |reason: &str| DataError::description(path, format!("line {} {reason}", at + 1));
        let (name, colour) = lines.parse(line, by_line.len()).ok_or_else(|| {
            let form = lines.form();
            wrong(&format!("has no colour that can be read: write {form}"))
        })?;
        let class = if lines.ignores(&name, colour) {
            IGNORE
        } else {
            names.push(name);
            u16::try_from(names.len() - 1).unwrap_or(IGNORE)
        };
        by_line.push(class);
        if by_colour.insert(colour, class).is_some() {
            return Err(wrong("has the colour of another: give every class its own"));
        }
    }
    by_colour.entry(VOID).or_insert(IGNORE);
    let colours = Colours {
        path: path.to_path_buf(),
        by_colour,
        by_line: Some(by_line),
        unusable: None,
    };
    Ok((ClassTable::checked(path, names)?, colours))
}

fn colour<'a>(channels: impl Iterator<Item = &'a str>) -> Option<[u8; 3]> {
    let parts = channels.map(|part| part.trim().parse::<u8>().ok());
    <[u8; 3]>::try_from(parts.collect::<Option<Vec<u8>>>()?).ok()
}

/// The same splits, of label files whose pixels may have these colours.
fn coloured(splits: Vec<Split>, colours: Colours) -> Vec<Split> {
    let colours = Arc::new(colours);
    let coloured = |split: Split| Split {
        scanner: Some(Scanner(Arc::new(Coloured {
            split: split.clone(),
            colours: colours.clone(),
        }))),
        ..split
    };
    splits.into_iter().map(coloured).collect()
}

#[derive(Debug)]
struct Coloured {
    split: Split,
    colours: Arc<Colours>,
}

impl Coloured {
    /// Whether the colours, or the lines without a list of classes, may say what the pixels of a label file mean.
    fn is_drawn(&self, labels: &Path) -> bool {
        if self.colours.by_line.is_some() {
            return true;
        }
        match kind(labels) {
            Some(RGB | RGBA | GREY_ALPHA) => true,
            Some(PALETTE) => self.colours.unusable.is_none(),
            _ => false,
        }
    }
}

impl Scan for Coloured {
    fn scan(&self) -> Result<Files, DataError> {
        let mut files = self.split.scan()?;
        let pairs = files.pairs.par_iter_mut();
        pairs.for_each(|pair| pair.drawing = self.drawing_of(&pair.labels));
        Ok(files)
    }

    fn is_by_name(&self) -> bool {
        true
    }

    fn drawing_of(&self, labels: &Path) -> Option<Drawing> {
        self.is_drawn(labels).then(|| {
            Drawing(Arc::new(LabelFile {
                png: labels.to_path_buf(),
                colours: self.colours.clone(),
            }))
        })
    }

    fn leaves_to_pixels(&self, value: u16) -> bool {
        let mut drawn = self.colours.by_colour.values();
        self.colours.by_line.is_none() && drawn.all(|class| *class != value)
    }
}

/// The label file of one photo.
#[derive(Debug)]
struct LabelFile {
    png: PathBuf,
    colours: Arc<Colours>,
}

impl Draw for LabelFile {
    fn draw(&self, fit: &mut Fit) -> Result<RawLabels, DataError> {
        let labels = match read_painted(&self.png)? {
            Painted::Values(raw) => self.of_values(raw)?,
            Painted::Palette(raw, palette) => self.of_palette(raw, &palette)?,
            Painted::Colours {
                width,
                height,
                data,
            } => RawLabels::of_classes([width, height], self.of_colours(&data)?),
        };
        fit(Some([labels.width as u64, labels.height as u64]))?;
        Ok(labels)
    }

    fn described_in(&self) -> Option<&Path> {
        Some(&self.colours.path)
    }
}

impl LabelFile {
    fn of_values(&self, raw: RawLabels) -> Result<RawLabels, DataError> {
        let Some(lines) = &self.colours.by_line else {
            return Ok(raw);
        };
        let class = |value: &u16| match lines.get(usize::from(*value)) {
            Some(class) => Ok(*class),
            None if *value == 255 || *value == IGNORE => Ok(IGNORE),
            None => Err(self.unlisted(&format!("label {value}"))),
        };
        let classes = raw.data.iter().map(class).collect::<Result<_, _>>()?;
        Ok(RawLabels::of_classes([raw.width, raw.height], classes))
    }

    /// The labels of a palette file, by its colours or by its indices.
    fn of_palette(&self, raw: RawLabels, palette: &[[u8; 3]]) -> Result<RawLabels, DataError> {
        let mut is_used = [false; 256];
        for index in &raw.data {
            if let Some(is_used) = is_used.get_mut(usize::from(*index)) {
                *is_used = true;
            }
        }
        let used = (0u16..).zip(is_used).filter(|(_, is_used)| *is_used);
        let used: Vec<u16> = used.map(|(index, _)| index).collect();
        let of_used = if self.colours.by_line.is_some() {
            let class = |index: &u16| self.of_index(*index, palette);
            used.iter().map(class).collect::<Result<Vec<u16>, _>>()?
        } else {
            match self.of_own_colours(&used, palette)? {
                Some(classes) => classes,
                None => return Ok(raw),
            }
        };
        let mut classes = [IGNORE; 256];
        for (index, class) in used.iter().zip(of_used) {
            classes[usize::from(*index)] = class;
        }
        let class = |index: &u16| classes.get(usize::from(*index)).copied();
        let data = raw.data.iter().map(|index| class(index).unwrap_or(IGNORE));
        let size = [raw.width, raw.height];
        Ok(RawLabels::of_classes(size, data.collect()))
    }

    /// The class of the colour of a palette index.
    fn of_index(&self, index: u16, palette: &[[u8; 3]]) -> Result<u16, DataError> {
        let Some(colour) = palette.get(usize::from(index)) else {
            let reason = format!("holds the palette index {index}, which its palette lacks");
            return Err(DataError::description(&self.png, reason));
        };
        self.of_colour(*colour, self.listed(*colour))
    }

    /// The classes of the colours of the used palette indices, if each has one that is listed and that no lower
    /// index has, as the unused end of a palette has; otherwise `None`: the indices are the labels.
    ///
    /// # Errors
    /// Only some of the colours are listed, and one for another class than its index.
    fn of_own_colours(
        &self,
        used: &[u16],
        palette: &[[u8; 3]],
    ) -> Result<Option<Vec<u16>>, DataError> {
        let class = |index: &u16| {
            let at = usize::from(*index);
            let colour = palette.get(at)?;
            let is_first = !palette[..at].contains(colour);
            is_first.then(|| self.listed(*colour)).flatten()
        };
        let classes: Vec<Option<u16>> = used.iter().map(class).collect();
        let Some(missing) = classes.iter().position(Option::is_none) else {
            return Ok(Some(classes.into_iter().flatten().collect()));
        };
        let is_other = |(index, class): &(&u16, &Option<u16>)| {
            let own = if **index == 255 { IGNORE } else { **index };
            class.is_some_and(|class| class != own)
        };
        let Some((index, _)) = used.iter().zip(&classes).find(is_other) else {
            return Ok(None);
        };
        let (file, missing) = (self.colours.path.display(), used[missing]);
        let colour = palette.get(usize::from(missing));
        let [which, mend] = if colour.is_some_and(|colour| self.listed(*colour).is_some()) {
            [
                "the same colour as a lower index",
                "give every index in use its own colour",
            ]
        } else {
            ["none of its colours", "list all colours there"]
        };
        let reason = format!(
            "has the palette index {index} in the colour of another class in {file}, but the index {missing} in \
             {which}: {mend}, or remove that file if the indices are the labels"
        );
        Err(DataError::description(&self.png, reason))
    }

    fn of_colours(&self, pixels: &[[u8; 3]]) -> Result<Vec<u16>, DataError> {
        let mut last = (VOID, self.listed(VOID));
        let class = |colour: &[u8; 3]| {
            if last.0 != *colour {
                last = (*colour, self.listed(*colour));
            }
            self.of_colour(*colour, last.1)
        };
        pixels.iter().map(class).collect()
    }

    fn listed(&self, colour: [u8; 3]) -> Option<u16> {
        self.colours.by_colour.get(&colour).copied()
    }

    fn of_colour(&self, colour: [u8; 3], class: Option<u16>) -> Result<u16, DataError> {
        let [red, green, blue] = colour;
        class.ok_or_else(|| self.unlisted(&format!("colour {red},{green},{blue}")))
    }

    fn unlisted(&self, what: &str) -> DataError {
        if let Some(reason) = &self.colours.unusable {
            return DataError::description(&self.colours.path, reason);
        }
        let reason = format!(
            "holds the {what}, which {} does not list: add its class there",
            self.colours.path.display()
        );
        DataError::description(&self.png, reason)
    }
}
