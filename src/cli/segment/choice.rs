//! The formats of masks and the classes they show.

use crate::cli::arguments::any_whole;
use crate::export::{Format, Merge, Selection, Shapes};
use anyhow::bail;
use serde_json::Value;

#[derive(clap::Args)]
pub(super) struct Choice {
    /// Formats of the masks, separated by commas
    #[arg(
        long = "format",
        value_name = "FORMAT,...",
        value_enum,
        value_delimiter = ',',
        default_value = "index"
    )]
    formats: Vec<Format>,
    /// Encoding of regions in COCO annotations, by default rle; with both, the first named is in
    /// annotations.json and the second in a file of its own, such as annotations.polygons.json
    #[arg(long, value_name = "SHAPES,...", value_enum, value_delimiter = ',')]
    coco: Vec<Shapes>,
    /// The classes that a cut-out shows, by name or index
    #[arg(long, value_name = "CLASS,...", value_delimiter = ',')]
    class: Vec<String>,
    /// The classes that masks show, by name or index: pixels of all others are 255 (65535 in the
    /// 16-bit files of models with more than 255 classes) or left out
    #[arg(long, value_name = "CLASS,...", value_delimiter = ',')]
    classes: Vec<String>,
    /// Classes to merge into one, a class of the model or a new one; may be repeated
    #[arg(long, value_name = "CLASS,...=CLASS")]
    merge: Vec<Merge>,
    /// Replace connected regions of fewer pixels by the class around them, and fill such holes
    #[arg(long, value_name = "PIXELS", default_value_t = 0, value_parser = any_whole::<usize>)]
    min_area: usize,
    /// Also write OUT/NAME.contour.png: the photo with the outlines of the classes
    #[arg(long)]
    contour: bool,
    /// Also write OUT/NAME.overlay.png: the photo under half-transparent class colours
    #[arg(long)]
    overlay: bool,
    /// Also write OUT/NAME.colours.png: the mask in class colours, with a legend
    #[arg(long)]
    colours: bool,
}

impl Choice {
    /// The formats written for every photo, without repetitions.
    pub(super) fn formats(&self) -> Vec<Format> {
        let more = [
            (Format::Contour, self.contour),
            (Format::Overlay, self.overlay),
            (Format::Colours, self.colours),
        ];
        let more = more.into_iter().filter(|(_, wanted)| *wanted);
        let more = more.map(|(format, _)| format);
        distinct(self.formats.iter().copied().chain(more))
    }

    /// What masks show of the classes, by the names of the options.
    pub(super) fn of_masks(&self) -> [(&'static str, Value); 4] {
        let merge = self.merge.iter();
        let merge = merge.map(|merge| format!("{}={}", merge.from.join(","), merge.into));
        [
            ("min_area", self.min_area.into()),
            ("classes", self.classes.clone().into()),
            ("class", self.class.clone().into()),
            ("merge", merge.collect::<Vec<String>>().into()),
        ]
    }

    /// The encodings of regions in COCO annotations.
    pub(super) fn shapes(&self) -> Vec<Shapes> {
        if self.coco.is_empty() {
            return vec![Shapes::Rle];
        }
        distinct(self.coco.iter().copied())
    }

    /// Checks what does not depend on the model.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if !self.coco.is_empty() && !self.formats.contains(&Format::Coco) {
            bail!("--coco is for --format coco: add it to --format");
        }
        let cutout = self.formats.contains(&Format::Cutout);
        match (cutout, self.class.is_empty() && self.classes.is_empty()) {
            (true, true) => bail!("--format cutout needs a class: choose one with --class"),
            (false, _) if !self.class.is_empty() => {
                bail!(
                    "--class is for --format cutout; use --classes for masks of some classes only"
                )
            }
            _ => Ok(()),
        }
    }

    /// The selection for masks, and the indices for cut-outs, given the model's classes.
    pub(super) fn of_model(&self, classes: &[String]) -> anyhow::Result<(Selection, Vec<u16>)> {
        if let Some(format) = self
            .formats()
            .into_iter()
            .find(|format| classes.len() > format.most_classes())
        {
            bail!(
                "the {} holds up to {} classes and the model has {}: use --format index",
                format.noun(),
                format.most_classes(),
                classes.len()
            );
        }
        let mut selection = Selection::all(classes);
        for merge in &self.merge {
            let (from, into) = (merge.from.join(","), &merge.into);
            let is_new = selection.classes(std::slice::from_ref(into)).is_err();
            if is_new && into.contains(',') {
                bail!(
                    "{into:?} is not the name of one class: --merge takes the classes that become one \
                     first, then the name, such as '{into}={from}'"
                );
            }
            selection = selection.merge(merge)?;
        }
        if !self.classes.is_empty() {
            selection = selection.keep(&self.classes)?;
        }
        let kept = selection.kept();
        let cutout = if self.class.is_empty() {
            kept
        } else {
            let cutout = selection.classes(&self.class)?;
            if let Some(&other) = cutout.iter().find(|class| !kept.contains(class)) {
                let name = &selection.names()[usize::from(other)];
                bail!("{name:?} is not among the --classes");
            }
            cutout
        };
        Ok((selection.at_least(self.min_area), cutout))
    }
}

/// Removes repetitions and keeps the order.
fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for one in all {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    distinct
}
