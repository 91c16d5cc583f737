//! The look: calm greys, one accent, an 8-point grid, two text sizes and a heading.

use eframe::egui::{self, Color32, CornerRadius, FontId, Stroke, TextStyle, Visuals};

/// The one accent.
pub const ACCENT: Color32 = Color32::from_rgb(88, 140, 236);
/// One step of the grid.
pub const GRID: f32 = 8.0;

/// Applies the look to both themes.
pub fn apply(context: &egui::Context) {
    for (theme, mut visuals) in [
        (egui::Theme::Dark, Visuals::dark()),
        (egui::Theme::Light, Visuals::light()),
    ] {
        let dark = theme == egui::Theme::Dark;
        let grey = |level: u8| Color32::from_gray(if dark { level } else { 255 - level / 3 });
        visuals.panel_fill = grey(27);
        visuals.window_fill = grey(32);
        visuals.extreme_bg_color = if dark {
            Color32::from_gray(18)
        } else {
            Color32::WHITE
        };
        visuals.selection.bg_fill = ACCENT.gamma_multiply(0.6);
        visuals.selection.stroke = Stroke::new(1.0, ACCENT);
        visuals.hyperlink_color = ACCENT;
        let corner = CornerRadius::same(4);
        for widget in [
            &mut visuals.widgets.noninteractive,
            &mut visuals.widgets.inactive,
            &mut visuals.widgets.hovered,
            &mut visuals.widgets.active,
            &mut visuals.widgets.open,
        ] {
            widget.corner_radius = corner;
        }
        context.set_visuals_of(theme, visuals);
        context.style_mut_of(theme, |style| {
            style.spacing.item_spacing = egui::vec2(GRID, GRID);
            style.spacing.button_padding = egui::vec2(GRID, GRID / 2.0);
            style.spacing.slider_width = 20.0 * GRID;
            style.text_styles = [
                (TextStyle::Heading, FontId::proportional(18.0)),
                (TextStyle::Body, FontId::proportional(14.0)),
                (TextStyle::Button, FontId::proportional(14.0)),
                (TextStyle::Monospace, FontId::monospace(12.0)),
                (TextStyle::Small, FontId::proportional(12.0)),
            ]
            .into();
        });
    }
}

/// Lets the user choose the theme; `System` follows the desktop.
pub fn choice(ui: &mut egui::Ui) {
    let mut chosen = ui.ctx().options(|options| options.theme_preference);
    let before = chosen;
    egui::ComboBox::from_id_salt("theme")
        .selected_text(format!("{chosen:?}"))
        .width(9.0 * GRID)
        .show_ui(ui, |ui| {
            use egui::ThemePreference::{Dark, Light, System};
            for theme in [System, Light, Dark] {
                ui.selectable_value(&mut chosen, theme, format!("{theme:?}"));
            }
        })
        .response
        .on_hover_text("Theme of the window");
    if chosen != before {
        ui.ctx().set_theme(chosen);
    }
}
