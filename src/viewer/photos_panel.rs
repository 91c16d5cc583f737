//! The photos panel: the list of photos with the state of their masks.

use super::app_event::AppEvent;
use super::app_state::AppState;
use super::commands::{self, Command};
use super::mask_queue::MaskState;
use super::mask_store::StoredMask;
use super::panel::Panel;
use super::platform;
use super::theme::{self, GRID};
use eframe::egui::{self, Color32, ColorImage, Rect, Sense, TextureHandle, TextureOptions, vec2};
use egui_material_icons::icons;
use std::collections::HashMap;
use std::sync::Arc;

/// Height of a row, in points.
const ROW: f32 = 5.0 * GRID;
/// The most small pictures kept; more than any window has rows.
const PICTURES: usize = 128;

#[derive(Default)]
pub(super) struct PhotosPanel {
    /// Pictures of the masks of visible rows, by the place of the photo.
    pictures: HashMap<usize, (Arc<StoredMask>, TextureHandle)>,
    /// The photo shown in the last frame; `None` before the first frame of a list.
    shown: Option<usize>,
    /// The class colours of the pictures.
    colours: Vec<[u8; 3]>,
}

impl Panel for PhotosPanel {
    fn title(&self) -> &'static str {
        "Photos"
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        let (shown, count) = app.photos.place();
        if count == 0 {
            theme::empty(
                ui,
                "Drop a folder here, or open one, to segment all of its photos.",
            );
            return;
        }
        if platform::DESKTOP {
            head(app, ui, count, commands);
            ui.separator();
        }
        let mut area = egui::ScrollArea::vertical().auto_shrink(false);
        if self.shown != Some(shown) {
            // Scroll to a photo when it is shown. What the list was scrolled to earlier is remembered.
            let top = shown as f32 * ROW;
            let height = ui.available_height();
            area = area.vertical_scroll_offset((top - (height - ROW) / 2.0).max(0.0));
            self.shown = Some(shown);
        }
        ui.spacing_mut().item_spacing.y = 0.0;
        area.show_rows(ui, ROW, count, |ui, rows| {
            for at in rows {
                let picture = self.picture(app, ui.ctx(), at);
                if row(app, ui, at, at == shown, picture).clicked() {
                    commands.push(Command::ShowPhoto(at));
                }
            }
        });
    }

    fn on_event(&mut self, event: &AppEvent, _: &egui::Context) {
        if let AppEvent::PhotosShown = event {
            self.shown = None;
        }
    }
}

impl PhotosPanel {
    /// The picture of a photo's mask, once the mask is made.
    fn picture(
        &mut self,
        app: &AppState,
        context: &egui::Context,
        at: usize,
    ) -> Option<TextureHandle> {
        let (Some(mask), Some(model)) = (app.masks.mask(at), &app.model) else {
            return None;
        };
        if self.pictures.len() > PICTURES || self.colours != model.colours {
            self.pictures.clear();
            self.colours.clone_from(&model.colours);
        }
        if let Some((of, picture)) = self.pictures.get(&at)
            && Arc::ptr_eq(of, mask)
        {
            return Some(picture.clone());
        }
        let rgba = mask.small.rgba(&model.colours, |_| u8::MAX);
        let image = ColorImage::from_rgba_unmultiplied(mask.small.size, &rgba);
        let picture = context.load_texture("mask", image, TextureOptions::LINEAR);
        self.pictures.insert(at, (mask.clone(), picture.clone()));
        Some(picture)
    }
}

/// Draws the progress of the queue and its buttons.
fn head(app: &AppState, ui: &mut egui::Ui, count: usize, commands: &mut Vec<Command>) {
    let [done, failed, _] = app.masks.counts();
    if app.masks.is_running() {
        ui.horizontal(|ui| {
            let share = (done + failed) as f32 / count as f32;
            let width = ui.available_width() - 10.0 * GRID;
            ui.add(
                egui::ProgressBar::new(share)
                    .desired_width(width.max(4.0 * GRID))
                    .fill(theme::ACCENT)
                    .text(format!("{} of {count}", done + failed)),
            );
            if ui.button("Stop").clicked() {
                commands.push(Command::SegmentAll(false));
            }
        });
    } else {
        let waiting = done < count && !app.masks.is_full() && app.model.is_some();
        // In a narrow panel, the buttons are below each other.
        ui.horizontal_wrapped(|ui| start(app, ui, waiting, commands));
    }
    let tally = app.masks.tally();
    let failures = match tally.failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let full = if app.masks.is_full() {
        "; no more fit into memory: use flowseg segment for the others"
    } else {
        ""
    };
    let older = match tally.older {
        0 => String::new(),
        older => format!(", {older} of them with other settings"),
    };
    let made = tally.made;
    ui.weak(format!(
        "{made} of {count} masks made{older}{failures}{full}"
    ));
}

/// Draws the buttons that begin the queue, if photos are `waiting` for it or failed, and export its masks.
fn start(app: &AppState, ui: &mut egui::Ui, waiting: bool, commands: &mut Vec<Command>) {
    let mut button = |enabled, icon, name, help| {
        let label = (theme::icon(icon), name);
        let button = egui::Button::new(label).wrap_mode(egui::TextWrapMode::Extend);
        ui.add_enabled(enabled, button)
            .on_hover_text(help)
            .clicked()
    };
    let help = "Segment all photos in the list in the background, the current one first";
    if button(waiting, icons::ICON_PLAYLIST_PLAY, "Segment all", help) {
        commands.push(Command::SegmentAll(true));
    }
    let help = "Write the masks made so far, as corrected by hand, into a folder";
    let any = commands::exports_list(app);
    if button(any, icons::ICON_DOWNLOAD, "Export all", help) {
        commands.push(Command::OpenExportAll);
    }
}

fn row(
    app: &AppState,
    ui: &mut egui::Ui,
    at: usize,
    shown: bool,
    picture: Option<TextureHandle>,
) -> egui::Response {
    let name = app.photos.name(at);
    let size = vec2(ui.available_width(), ROW);
    let (rect, mut response) = ui.allocate_exact_size(size, Sense::click());
    let state = app.masks.state(at);
    let (icon, colour, word) = match state {
        _ if shown && app.correct.is_unsaved_unseen() => {
            (icons::ICON_EDIT, theme::ACCENT, "corrections not saved")
        }
        _ if app.masks.corrected(at).is_some() => {
            (icons::ICON_EDIT, theme::ACCENT, "mask corrected")
        }
        MaskState::Done(_) => (icons::ICON_CHECK, theme::ACCENT, "mask made"),
        _ if app.masks.is_older(at) => (
            icons::ICON_CHECK,
            ui.visuals().weak_text_color(),
            "mask made with other settings",
        ),
        MaskState::Failed(_) => (icons::ICON_ERROR, theme::ERROR, "failed"),
        // A page makes no masks of a list.
        MaskState::Waiting if !platform::DESKTOP => {
            (icons::ICON_SCHEDULE, Color32::TRANSPARENT, "")
        }
        MaskState::Waiting => (
            icons::ICON_SCHEDULE,
            ui.visuals().weak_text_color(),
            "no mask yet",
        ),
    };
    response.widget_info(|| {
        let text = if word.is_empty() {
            name.clone()
        } else {
            format!("{name}, {word}")
        };
        egui::WidgetInfo::selected(egui::Role::Button, true, shown, text)
    });
    let visuals = ui.visuals();
    let fill = match (shown, response.hovered()) {
        (true, _) => visuals.selection.bg_fill,
        (false, true) => visuals.widgets.hovered.weak_bg_fill,
        (false, false) => Color32::TRANSPARENT,
    };
    let painter = ui.painter();
    painter.rect_filled(rect, 4.0, fill);
    let frame = Rect::from_min_size(
        rect.min + vec2(GRID / 2.0, GRID / 2.0),
        vec2(5.5 * GRID, 4.0 * GRID),
    );
    painter.rect_filled(frame, 2.0, visuals.extreme_bg_color);
    if let Some(picture) = picture {
        let inner = theme::fitted(frame, picture.size_vec2());
        egui::Image::new(&picture)
            .corner_radius(theme::picture_corner(inner))
            .paint_at(ui, inner);
    }
    let font = egui::FontId::new(16.0, icon.font_family());
    let mark = rect.right_center() - vec2(1.5 * GRID, 0.0);
    // Red and blue are hard to see on the blue of the shown row.
    let colour = match colour {
        Color32::TRANSPARENT => colour,
        _ if shown => visuals.strong_text_color(),
        _ => colour,
    };
    painter.text(
        mark,
        egui::Align2::CENTER_CENTER,
        icon.codepoint,
        font,
        colour,
    );
    let text = Rect::from_min_max(
        frame.right_top() + vec2(GRID, 0.0),
        rect.right_bottom() - vec2(3.0 * GRID, 0.0),
    );
    let label = egui::Label::new(&name).truncate().selectable(false);
    let mut inside = ui.new_child(
        egui::UiBuilder::new()
            .max_rect(text)
            .layout(egui::Layout::left_to_right(egui::Align::Center)),
    );
    inside.add(label);
    let body = egui::TextStyle::Body.resolve(ui.style());
    let whole = ui
        .painter()
        .layout_no_wrap(name.clone(), body, Color32::WHITE);
    if whole.size().x > text.width() {
        response = response.on_hover_text(name);
    }
    if let MaskState::Failed(error) = state {
        response = response.on_hover_text(error);
    }
    response
}
