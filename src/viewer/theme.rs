//! Colours, sizes and common widgets: neutral greys, one accent, an 8-point grid, and two text sizes
//! and a heading. The only other colours are those of classes.

use crate::fonts;
use eframe::egui::{self, Color32, CornerRadius, FontId, Stroke, TextStyle, Visuals};
use egui_material_icons::MaterialIcon;
use std::sync::Arc;

pub(super) const ACCENT: Color32 = Color32::from_rgb(72, 140, 240);
pub(super) const ERROR: Color32 = Color32::from_rgb(224, 82, 74);
/// One step of the grid, in points.
pub(super) const GRID: f32 = 8.0;
/// Height of a row in a list.
pub(super) const ROW: f32 = 3.0 * GRID;

/// The greys of a theme, from the background up.
struct Greys {
    background: u8,
    panel: u8,
    /// Windows, menus and tooltips.
    raised: u8,
    /// Buttons at rest, under the pointer and pressed.
    button: [u8; 3],
    /// Empty checkboxes and the rails of sliders, at rest and under the pointer.
    field: [u8; 2],
    line: u8,
    text: [u8; 3],
}

const DARK: Greys = Greys {
    background: 15,
    panel: 24,
    raised: 32,
    button: [42, 54, 66],
    field: [101, 115],
    line: 44,
    text: [134, 200, 240],
};

const LIGHT: Greys = Greys {
    background: 226,
    panel: 246,
    raised: 252,
    button: [230, 220, 206],
    field: [143, 128],
    line: 208,
    text: [112, 52, 16],
};

/// Sets up both themes, the icons, fallback fonts for missing letters, and what shows the keyboard's focus.
pub(super) fn apply(context: &egui::Context) {
    egui_material_icons::initialize(context);
    context.add_font_provider(fonts::provider());
    context.add_glyph_rasterizer(fonts::rasterizer());
    context.on_end_pass("focus", Arc::new(show_focus));
    for (theme, visuals, greys) in [
        (egui::Theme::Dark, Visuals::dark(), DARK),
        (egui::Theme::Light, Visuals::light(), LIGHT),
    ] {
        context.set_visuals_of(theme, coloured(visuals, &greys));
        context.style_mut_of(theme, |style| {
            style.spacing.item_spacing = egui::vec2(GRID, GRID / 2.0);
            style.spacing.button_padding = egui::vec2(GRID, GRID / 2.0);
            style.spacing.interact_size.y = ROW;
            style.spacing.slider_width = 16.0 * GRID;
            style.spacing.menu_margin = egui::Margin::same(GRID as i8 / 2);
            style.spacing.scroll.floating = true;
            style.interaction.tooltip_delay = 0.4;
            style.text_styles = [
                (TextStyle::Heading, FontId::proportional(17.0)),
                (TextStyle::Body, FontId::proportional(13.5)),
                (TextStyle::Button, FontId::proportional(13.5)),
                (TextStyle::Monospace, FontId::monospace(12.0)),
                (TextStyle::Small, FontId::proportional(12.0)),
            ]
            .into();
        });
    }
}

/// Draws a ring around what has the keyboard's focus: nothing else tells it from others on tabs and on what is
/// chosen. A text field has a frame of its own.
fn show_focus(ui: &mut egui::Ui) {
    let context = ui.ctx();
    let focused = context.memory(|memory| memory.focused());
    let focused = focused.filter(|_| !context.text_edit_focused());
    let Some(widget) = focused.and_then(|id| context.read_response(id)) else {
        return;
    };
    let stroke = Stroke::new(2.0, ui.visuals().strong_text_color());
    let painter = context.layer_painter(widget.layer_id);
    // Around the part that is not scrolled out of view.
    painter.rect_stroke(widget.interact_rect, 4.0, stroke, egui::StrokeKind::Inside);
}

fn coloured(mut visuals: Visuals, greys: &Greys) -> Visuals {
    let grey = Color32::from_gray;
    visuals.panel_fill = grey(greys.panel);
    visuals.window_fill = grey(greys.raised);
    visuals.extreme_bg_color = grey(greys.background);
    visuals.faint_bg_color = grey(greys.raised);
    visuals.window_stroke = Stroke::new(1.0, grey(greys.line));
    visuals.weak_text_color = Some(grey(greys.text[0]));
    visuals.selection.bg_fill = ACCENT.gamma_multiply(0.55);
    visuals.selection.stroke = Stroke::new(1.0, grey(greys.text[2]));
    visuals.hyperlink_color = ACCENT;
    visuals.slider_trailing_fill = true;
    visuals.window_shadow.blur = 16;
    visuals.popup_shadow.blur = 12;
    let [rest, hovered, pressed] = greys.button;
    let [_, plain, strong] = greys.text;
    let widgets = &mut visuals.widgets;
    for (widget, fill, text) in [
        (&mut widgets.noninteractive, greys.panel, plain),
        (&mut widgets.inactive, rest, plain),
        (&mut widgets.hovered, hovered, strong),
        (&mut widgets.active, pressed, strong),
        (&mut widgets.open, hovered, strong),
    ] {
        widget.corner_radius = CornerRadius::same(4);
        widget.bg_fill = grey(fill);
        widget.weak_bg_fill = grey(fill);
        widget.fg_stroke = Stroke::new(1.0, grey(text));
        widget.bg_stroke = Stroke::NONE;
        widget.expansion = 0.0;
    }
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, grey(greys.line));
    for (widget, fill) in [
        (&mut widgets.inactive, greys.field[0]),
        (&mut widgets.hovered, greys.field[1]),
    ] {
        widget.bg_fill = grey(fill);
    }
    visuals
}

/// Draws checkboxes and radio buttons as outlines: filled like sliders' rails, empty ones look chosen.
pub(super) fn outlined<R>(ui: &mut egui::Ui, add: impl FnOnce(&mut egui::Ui) -> R) -> R {
    let before = ui.style().clone();
    let widgets = &mut ui.visuals_mut().widgets;
    for widget in [&mut widgets.inactive, &mut widgets.hovered] {
        widget.bg_stroke = Stroke::new(1.0, widget.bg_fill);
        widget.bg_fill = Color32::TRANSPARENT;
    }
    let added = add(ui);
    ui.set_style(before);
    added
}

/// A checkbox.
pub(super) fn checkbox(
    ui: &mut egui::Ui,
    on: &mut bool,
    text: impl Into<egui::WidgetText>,
) -> egui::Response {
    let text = text.into();
    outlined(ui, |ui| ui.checkbox(on, text))
}

/// A radio button.
pub(super) fn radio(
    ui: &mut egui::Ui,
    on: bool,
    text: impl Into<egui::WidgetText>,
) -> egui::Response {
    let text = text.into();
    outlined(ui, |ui| ui.radio(on, text))
}

/// Width of a button's icon, in points.
pub(super) const ICON: f32 = 18.0;

/// An icon at the size of a button.
pub(super) fn icon(icon: MaterialIcon) -> egui::RichText {
    icon.rich_text().size(ICON)
}

/// An icon button; its tooltip is also its name for screen readers.
pub(super) fn icon_button(ui: &mut egui::Ui, picture: MaterialIcon, name: &str) -> egui::Response {
    icon_button_if(ui, true, picture, name)
}

/// The same, grey and without an effect unless it is `enabled`.
pub(super) fn icon_button_if(
    ui: &mut egui::Ui,
    enabled: bool,
    picture: MaterialIcon,
    name: &str,
) -> egui::Response {
    let size = egui::Vec2::splat(3.5 * GRID);
    let button = egui::Button::new(icon(picture)).frame_when_inactive(false);
    let added = ui.add_sized(size, |ui: &mut egui::Ui| ui.add_enabled(enabled, button));
    named(added, name, name)
}

/// An icon button that looks pressed while `on`.
pub(super) fn icon_toggle(
    ui: &mut egui::Ui,
    on: bool,
    picture: MaterialIcon,
    name: &str,
) -> egui::Response {
    icon_toggle_if(ui, true, on, picture, name)
}

/// The same, grey and without an effect unless it is `enabled`.
pub(super) fn icon_toggle_if(
    ui: &mut egui::Ui,
    enabled: bool,
    on: bool,
    picture: MaterialIcon,
    name: &str,
) -> egui::Response {
    let size = egui::Vec2::splat(3.5 * GRID);
    let button = egui::Button::selectable(on, icon(picture)).frame_when_inactive(on);
    let added = ui.add_sized(size, |ui: &mut egui::Ui| ui.add_enabled(enabled, button));
    named(added, name, name)
}

/// Gives a control a name for screen readers and a tooltip.
pub(super) fn named(response: egui::Response, name: &str, help: &str) -> egui::Response {
    let enabled = response.enabled();
    let spoken = name.to_owned();
    response
        .widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, enabled, spoken.as_str()));
    response.on_hover_text(help).on_disabled_hover_text(help)
}

/// The heading of a section within a panel.
pub(super) fn section(ui: &mut egui::Ui, title: &str) {
    ui.add_space(GRID / 2.0);
    ui.label(egui::RichText::new(title).strong());
}

/// The swatch of a class: a square of `side` points in its colour.
pub(super) fn swatch(ui: &mut egui::Ui, [r, g, b]: [u8; 3], side: f32) {
    let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(side), egui::Sense::hover());
    paint_swatch(ui.painter(), ui.visuals(), rect, [r, g, b]);
}

/// Paints the swatch of a class, with an edge so that it shows on any background.
pub(super) fn paint_swatch(
    painter: &egui::Painter,
    visuals: &Visuals,
    rect: egui::Rect,
    [r, g, b]: [u8; 3],
) {
    let edge = Stroke::new(1.0, visuals.weak_text_color().gamma_multiply(0.6));
    painter.rect(
        rect,
        3.0,
        Color32::from_rgb(r, g, b),
        edge,
        egui::StrokeKind::Inside,
    );
}

/// Paints a short label over a picture; returns its rectangle.
pub(super) fn badge(
    ui: &egui::Ui,
    at: egui::Pos2,
    align: egui::Align2,
    text: &str,
    active: bool,
) -> egui::Rect {
    let font = TextStyle::Small.resolve(ui.style());
    let galley = ui
        .painter()
        .layout_no_wrap(text.to_owned(), font, Color32::WHITE);
    let size = galley.size() + egui::vec2(2.0 * GRID, GRID);
    let rect = align.anchor_size(at, size);
    let fill = if active {
        ACCENT
    } else {
        Color32::from_black_alpha(170)
    };
    ui.painter().rect_filled(rect, 4.0, fill);
    let inner = rect.center() - galley.size() / 2.0;
    ui.painter().galley(inner, galley, Color32::WHITE);
    rect
}

/// The rectangle of a picture of a size within `frame`, which keeps its shape unless that is too narrow to
/// be seen.
pub(super) fn fitted(frame: egui::Rect, size: egui::Vec2) -> egui::Rect {
    let scale = (frame.size() / size).min_elem();
    let least = egui::Vec2::splat(4.0).min(frame.size());
    egui::Rect::from_center_size(frame.center(), (size * scale).max(least))
}

/// The radius of a small picture's corners: round ones would take most of a narrow one.
pub(super) fn picture_corner(rect: egui::Rect) -> f32 {
    if rect.size().min_elem() < GRID {
        0.0
    } else {
        2.0
    }
}

/// A strip of colours from left to right.
pub(super) fn gradient(rect: egui::Rect, ramp: &[Color32]) -> egui::Mesh {
    let mut mesh = egui::Mesh::default();
    for (i, &colour) in ramp.iter().enumerate() {
        let x = egui::lerp(rect.x_range(), i as f32 / (ramp.len() - 1) as f32);
        mesh.colored_vertex(egui::pos2(x, rect.top()), colour);
        mesh.colored_vertex(egui::pos2(x, rect.bottom()), colour);
        if i > 0 {
            let first = 2 * (i as u32 - 1);
            mesh.add_triangle(first, first + 1, first + 2);
            mesh.add_triangle(first + 1, first + 2, first + 3);
        }
    }
    mesh
}

/// The text of an empty panel: what it is for and what to do next.
pub(super) fn empty(ui: &mut egui::Ui, text: &str) {
    ui.vertical_centered(|ui| {
        ui.add_space((4.0 * GRID).min(0.25 * ui.available_height()));
        // Longer lines are hard to read.
        ui.set_max_width((72.0 * GRID).min(ui.available_width()));
        ui.weak(text);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{Rect, Vec2, pos2, vec2};

    #[test]
    fn pictures_keep_their_shape_and_narrow_ones_stay_visible() {
        let frame = Rect::from_min_size(pos2(10.0, 20.0), vec2(44.0, 32.0));
        for (picture, expected) in [
            (vec2(88.0, 32.0), vec2(44.0, 16.0)),
            (vec2(6000.0, 20.0), vec2(44.0, 4.0)),
            (vec2(1.0, 2800.0), vec2(4.0, 32.0)),
        ] {
            let place = fitted(frame, picture);
            let off: Vec2 = place.size() - expected;
            assert!(off.length() < 1e-3, "{picture:?}: {place:?}");
            assert!(place.center().distance(frame.center()) < 1e-3);
        }
        assert_eq!(picture_corner(fitted(frame, vec2(6000.0, 20.0))), 0.0);
        assert_eq!(picture_corner(frame), 2.0);
    }

    #[test]
    fn the_focus_is_seen_on_what_is_chosen() {
        let context = egui::Context::default();
        apply(&context);
        for theme in [egui::Theme::Dark, egui::Theme::Light] {
            context.set_theme(theme);
            let rings = |focused: bool| {
                let mut place = Rect::NOTHING;
                let mut frame = || {
                    let mut output = context.run_ui(egui::RawInput::default(), |ui| {
                        let chosen = ui.selectable_label(true, "Mask");
                        if focused {
                            chosen.request_focus();
                        } else {
                            chosen.surrender_focus();
                        }
                        place = chosen.rect;
                    });
                    output.textures_delta.clear();
                    output.shapes
                };
                frame();
                let shapes = frame();
                let rings = shapes.iter().filter(|shape| match &shape.shape {
                    egui::Shape::Rect(shape) => shape.rect == place && shape.stroke.width > 1.5,
                    _ => false,
                });
                rings.count()
            };
            assert_eq!([rings(false), rings(true)], [0, 1], "{theme:?}");
        }
    }

    /// The contrast of two greys as in WCAG, 1 to 21.
    fn contrast(a: u8, b: u8) -> f32 {
        let light = |grey: u8| egui::Rgba::from(Color32::from_gray(grey)).r() + 0.05;
        light(a.max(b)) / light(a.min(b))
    }

    #[test]
    fn empty_checkboxes_are_seen_on_every_background() {
        for greys in [DARK, LIGHT] {
            for background in [greys.panel, greys.raised] {
                for fill in greys.field {
                    let contrast = contrast(fill, background);
                    assert!(contrast >= 2.6, "{fill} on {background}: {contrast}");
                }
            }
        }
    }
}
