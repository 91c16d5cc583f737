//! The photo beside its points. Pixels brushed in it are highlighted in the cube.

use super::interface::FieldInput;
use super::style::{backdrop, pin_colour};
use crate::encoding::to_byte;
use crate::gpu::field::Cloud;
use crate::viewer::brush::{self, Brush, count, region};
use crate::viewer::brush_mask::BrushMask;
use crate::viewer::commands::{Action, keys_of};
use crate::viewer::theme::GRID;
use eframe::egui::{
    self, Align2, Color32, ColorImage, FontId, Pos2, Rect, Sense, TextureHandle, TextureOptions,
    Ui, Vec2, vec2,
};

/// Maximum longer side of the photo, in points, and maximum fraction of the view along each axis.
const LONGEST: f32 = 200.0;
const SHARE: f32 = 0.34;

/// A photo and where its colours are: in the first frame of its pixels, those of a flow from noise are not
/// known yet.
type ColoursKey = (u64, *const f32);

/// The photo in the corner, with the state of a drag over it.
#[derive(Default)]
pub(super) struct Inset {
    photo: Option<(ColoursKey, TextureHandle)>,
    mask: BrushMask,
    /// The point of the photo where the current brush began.
    brush_from: Option<Vec2>,
}

impl Inset {
    /// Draws the photo at the lower right, above `bars`. Returns the pixels that were brushed.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        area: Rect,
        bars: Rect,
        input: &FieldInput<'_>,
    ) -> Option<Brush> {
        let cloud = input.cloud.as_ref().filter(|cloud| cloud.is_whole())?;
        let place = place(area, bars, cloud);
        let response = ui.interact(place, ui.scope_id().with("photo"), Sense::click_and_drag());
        response.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::Image, true, "the photo, to be brushed")
        });
        let painter = ui.painter();
        let text = match count(input.brushed) {
            Some(count) => format!("{count} pixels brushed, Escape clears"),
            None => "drag here to brush pixels".to_owned(),
        };
        let font = FontId::proportional(11.0);
        let galley = painter.layout_no_wrap(text, font, ui.visuals().text_color());
        let above = place.right_top() - vec2(0.0, 3.0);
        let words = Align2::RIGHT_BOTTOM.anchor_size(above, galley.size());
        let behind = place.union(words).expand(0.5 * GRID);
        painter.rect_filled(behind, 4.0, backdrop(ui.visuals()));
        painter.galley(words.min, galley, ui.visuals().text_color());
        let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
        let photo = texture(&mut self.photo, ui.ctx(), cloud);
        painter.image(photo, place, whole, Color32::WHITE);
        if let Some(mask) = self.mask.texture(ui.ctx(), cloud.size, input.brushed) {
            painter.image(mask, place, whole, Color32::WHITE);
        }
        pins(painter, place, cloud.size, input);
        let brush = self.brush(ui, &response, cloud.size, input);
        let undo = keys_of(ui.ctx(), Action::Undo);
        response
            .on_hover_cursor(egui::CursorIcon::Crosshair)
            .on_hover_text(format!(
                "Drag to brush a region: its points are highlighted in the cube. Shift-drag in the \
             cube to brush points. A click here or Escape clears the brush, {undo} brings it back.",
            ));
        brush
    }

    fn brush(
        &mut self,
        ui: &Ui,
        response: &egui::Response,
        size: [usize; 2],
        input: &FieldInput<'_>,
    ) -> Option<Brush> {
        let place = response.rect;
        let within = |at: Pos2| brush::within(place, at);
        let mut brush = None;
        let begins = response.drag_started();
        if begins {
            self.brush_from = ui.input(|i| i.pointer.press_origin()).map(within);
        }
        if let (Some(from), Some(to)) = (self.brush_from, response.interact_pointer_pos()) {
            let pixels = region(size, from, within(to));
            brush = Some(Brush { pixels, begins });
        }
        if !response.dragged() {
            self.brush_from = None;
        }
        if response.clicked() && !input.brushed.is_empty() {
            let (pixels, begins) = (Vec::new(), true);
            brush = Some(Brush { pixels, begins });
        }
        brush
    }
}

fn place(area: Rect, bars: Rect, cloud: &Cloud<'_>) -> Rect {
    let [height, width] = cloud.size;
    let photo = vec2(width as f32, height as f32);
    let room = (area.size() * SHARE).min(Vec2::splat(LONGEST));
    let size = photo * (room / photo).min_elem();
    let below = if bars.is_positive() {
        bars.top()
    } else {
        area.bottom()
    };
    let corner = Pos2::new(area.right() - 1.5 * GRID, below - 1.5 * GRID);
    Rect::from_min_max(corner - size, corner)
}

fn pins(painter: &egui::Painter, place: Rect, [height, width]: [usize; 2], input: &FieldInput<'_>) {
    for (i, pin) in input.pins.iter().enumerate() {
        let at = vec2(
            (pin.pixel % width) as f32 + 0.5,
            (pin.pixel / width) as f32 + 0.5,
        );
        let [r, g, b] = pin_colour(i);
        let centre = place.min + at / vec2(width as f32, height as f32) * place.size();
        let edge = egui::Stroke::new(1.5, Color32::BLACK);
        painter.circle(centre, 4.0, Color32::from_rgb(r, g, b), edge);
    }
}

fn texture(
    kept: &mut Option<(ColoursKey, TextureHandle)>,
    context: &egui::Context,
    cloud: &Cloud<'_>,
) -> egui::TextureId {
    let key = (cloud.photo, cloud.colours.as_ptr());
    if let Some((known, texture)) = kept
        && *known == key
    {
        return texture.id();
    }
    let pixels = cloud.pixels();
    let colour = |p: usize| {
        let [r, g, b] = [0, 1, 2].map(|c| to_byte(cloud.colours[c * pixels + p]));
        Color32::from_rgb(r, g, b)
    };
    let [height, width] = cloud.size;
    let image = ColorImage::new([width, height], (0..pixels).map(colour).collect());
    let texture = context.load_texture("photo of the cloud", image, TextureOptions::LINEAR);
    let id = texture.id();
    *kept = Some((key, texture));
    id
}
