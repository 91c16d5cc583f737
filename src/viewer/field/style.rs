//! The colours of the view in each theme.

use crate::gpu::field::Style;
use eframe::egui;

/// The colours of a view in a theme.
pub(super) fn style(visuals: &egui::Visuals) -> Style {
    let rgb = |c: egui::Color32| [c.r(), c.g(), c.b()];
    Style {
        background: rgb(visuals.extreme_bg_color),
        ink: rgb(visuals.strong_text_color()),
        ramp: if visuals.dark_mode { DARK } else { LIGHT },
    }
}

/// The background of text over the view.
pub(super) fn backdrop(visuals: &egui::Visuals) -> egui::Color32 {
    visuals.extreme_bg_color.gamma_multiply(0.78)
}

/// The colour of a pin and its trajectory.
pub(super) fn pin_colour(index: usize) -> [u8; 3] {
    const COLOURS: [[u8; 3]; 6] = [
        [244, 180, 64],
        [88, 140, 236],
        [226, 96, 130],
        [92, 190, 140],
        [170, 120, 226],
        [235, 128, 74],
    ];
    COLOURS[index % COLOURS.len()]
}

/// From near the background to bright: dim violet, through magenta and coral, to pale yellow.
const DARK: [[u8; 3]; 8] = [
    [44, 40, 74],
    [74, 52, 124],
    [116, 62, 150],
    [164, 72, 152],
    [208, 88, 132],
    [238, 122, 104],
    [250, 172, 96],
    [252, 228, 144],
];

/// From near white to dark: the same hues in the opposite order of lightness.
const LIGHT: [[u8; 3]; 8] = [
    [232, 226, 240],
    [250, 214, 168],
    [248, 178, 128],
    [236, 134, 118],
    [206, 94, 132],
    [160, 68, 144],
    [106, 50, 132],
    [54, 30, 92],
];
