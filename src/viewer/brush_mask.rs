//! Darkening of the pixels that are not brushed.

use eframe::egui::{self, Color32, ColorImage, TextureHandle, TextureOptions};
use std::sync::Arc;

/// The opacity over a pixel that is not brushed, 0 to 255.
const DARKNESS: u8 = 190;

/// A texture that darkens every pixel that is not brushed.
#[derive(Default)]
pub(super) struct BrushMask {
    made: Option<(Arc<Vec<bool>>, TextureHandle)>,
}

impl BrushMask {
    /// The mask over a picture `[height, width]`, or `None` if nothing is brushed.
    pub(super) fn texture(
        &mut self,
        context: &egui::Context,
        [height, width]: [usize; 2],
        brushed: &Arc<Vec<bool>>,
    ) -> Option<egui::TextureId> {
        if brushed.len() != height * width || brushed.is_empty() {
            self.made = None;
            return None;
        }
        if let Some((of, texture)) = &self.made
            && Arc::ptr_eq(of, brushed)
        {
            return Some(texture.id());
        }
        let colour = |lit: &bool| Color32::from_black_alpha(if *lit { 0 } else { DARKNESS });
        let image = ColorImage::new([width, height], brushed.iter().map(colour).collect());
        let texture = context.load_texture("brush", image, TextureOptions::NEAREST);
        let id = texture.id();
        self.made = Some((brushed.clone(), texture));
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_made_once_per_brush_and_never_for_another_size() {
        let context = egui::Context::default();
        let mut mask = BrushMask::default();
        let brushed = Arc::new(vec![true, false, false, false]);
        let first = mask.texture(&context, [2, 2], &brushed).unwrap();
        assert_eq!(mask.texture(&context, [2, 2], &brushed), Some(first));
        let other = Arc::new(vec![false, true, false, false]);
        assert_ne!(mask.texture(&context, [2, 2], &other), Some(first));
        assert_eq!(mask.texture(&context, [3, 3], &other), None);
        assert_eq!(mask.texture(&context, [2, 2], &Arc::default()), None);
    }
}
