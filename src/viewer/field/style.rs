//! The colours of the view in each theme.

use crate::gpu::field::FieldStyle;
use eframe::egui;

/// The colours of a view in a theme.
pub(super) fn style(visuals: &egui::Visuals) -> FieldStyle {
    let opaque = |c: egui::Color32| [c.r(), c.g(), c.b()];
    let ramp = if visuals.dark_mode { DARK } else { LIGHT };
    FieldStyle {
        background: opaque(visuals.extreme_bg_color),
        ink: opaque(visuals.strong_text_color()),
        ramp: ramp.map(rgb),
    }
}

/// The background of text over the view.
pub(super) fn backdrop(visuals: &egui::Visuals) -> egui::Color32 {
    visuals.extreme_bg_color.gamma_multiply(0.78)
}

/// The colour of a pin and its trajectory.
pub(super) fn pin_colour(index: usize) -> [u8; 3] {
    const COLOURS: [u32; 6] = [0xf4b440, 0x588cec, 0xe26082, 0x5cbe8c, 0xaa78e2, 0xeb804a];
    rgb(COLOURS[index % COLOURS.len()])
}

/// From near the background to bright: dim violet, magenta, coral, pale yellow.
const DARK: [u32; 8] = [
    0x2c284a, 0x4a347c, 0x743e96, 0xa44898, 0xd05884, 0xee7a68, 0xfaac60, 0xfce490,
];

/// From near white to dark: the same hues in the opposite order of lightness.
const LIGHT: [u32; 8] = [
    0xe8e2f0, 0xfad6a8, 0xf8b280, 0xec8676, 0xce5e84, 0xa04490, 0x6a3284, 0x361e5c,
];

/// A colour from `0xrrggbb`.
fn rgb(hex: u32) -> [u8; 3] {
    let [_, r, g, b] = hex.to_be_bytes();
    [r, g, b]
}
