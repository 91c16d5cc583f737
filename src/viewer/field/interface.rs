//! Input and output of the panel.

use super::settings::FieldSettings;
use crate::encoding::{COLOUR_AXES, Centroids};
use crate::flow::Source;
use crate::fonts;
use crate::gpu::field::Cloud;
use crate::vector_field::FieldKind;
use crate::viewer::brush::Brush;
use crate::viewer::exports::NewFile;
use std::sync::Arc;

/// The input of the panel.
pub(crate) struct FieldInput<'a> {
    pub(crate) centroids: &'a Centroids,
    /// Their classes' names, in the same order.
    pub(crate) classes: &'a [String],
    /// Their classes' colours, in the same order; empty for those of the centroids.
    pub(crate) colours: &'a [[u8; 3]],
    /// The open photo's pixels at the playhead, if there is a photo.
    pub(crate) cloud: Option<Cloud<'a>>,
    /// Where the flow of that photo starts.
    pub(crate) source: Source,
    /// For each pixel, whether it is brushed; empty if none is.
    pub(crate) brushed: &'a Arc<Vec<bool>>,
    pub(crate) pins: &'a [Pin<'a>],
}

pub(crate) struct Pin<'a> {
    /// Its index in row-major order.
    pub(crate) pixel: usize,
    pub(crate) label: String,
    /// Its states, beginning at t = 0.
    pub(crate) trajectory: &'a [[f32; 3]],
}

/// The output of one frame.
#[derive(Default)]
pub(crate) struct FieldOutput {
    /// Pixels brushed as points of the cube or in the photo beside it; an empty brush clears the
    /// selection.
    pub(crate) brushed: Option<Brush>,
    /// A file to save.
    pub(crate) export: Option<NewFile>,
    /// An error in one line.
    pub(crate) error: Option<String>,
}

/// A class's name: the model's, or its number if the centroids are not the model's.
pub(super) fn class_name(settings: &FieldSettings, input: &FieldInput<'_>, class: usize) -> String {
    match input.classes.get(class) {
        Some(name) if settings.models_table => name.clone(),
        _ => format!("class {class}"),
    }
}

/// [`class_name`] with the letters that the fonts have.
pub(super) fn drawn_name(settings: &FieldSettings, input: &FieldInput<'_>, class: usize) -> String {
    fonts::in_visual_order(&class_name(settings, input, class)).into_owned()
}

/// What the numbers are about if the centroids have more axes than are drawn: the field that the points
/// would have without the hidden axes.
pub(super) fn projected(settings: &FieldSettings, input: &FieldInput<'_>) -> Option<String> {
    let dims = settings.dims(input.centroids.dims());
    (dims > COLOUR_AXES).then(|| format!("points projected on {COLOUR_AXES} of {dims} axes"))
}

/// A field's name with its formula, as in "reshaped: μ − x − t grad Φ (t = 0.50)".
pub(super) fn kind_name(settings: &FieldSettings, kind: FieldKind) -> String {
    let [gradient, time] = [settings.gradient().to_owned(), settings.at_time()];
    match kind {
        FieldKind::Reconstructive => "vanilla: μ − x".to_owned(),
        FieldKind::Correction => format!("correction: −{gradient}{time}"),
        FieldKind::Reshaped => format!("reshaped: μ − x − {gradient}{time}"),
        FieldKind::Network => "network's velocity, mean of the step".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_annealed_fields_state_their_time() {
        let mut settings = FieldSettings::default();
        let names = |settings: &FieldSettings| FieldKind::ALL.map(|kind| kind_name(settings, kind));
        let [vanilla, correction, reshaped, network] = names(&settings);
        assert_eq!(correction, "correction: −grad Φ");
        assert_eq!(reshaped, "reshaped: μ − x − grad Φ");
        (settings.annealed, settings.time) = (true, 0.25);
        assert_eq!(
            names(&settings),
            [
                vanilla,
                "correction: −t grad Φ (t = 0.25)".to_owned(),
                "reshaped: μ − x − t grad Φ (t = 0.25)".to_owned(),
                network,
            ]
        );
    }
}
