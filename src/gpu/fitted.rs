//! Photos and masks at the size of their pictures on the screen. A software adapter takes longer to filter the photo, and
//! to find the outlines between the network's pixels, than for the rest of a pane, and would do so for every frame.

use super::canvas::{Classes, Layer, PaneView, Pipelines, Sources, lock};
use super::draw::pass_on;
use super::textures::{Fitted, Photo, texture};
use super::{GpuError, guarded};
use crate::labels::bilinear;
use std::sync::{Arc, Mutex};

/// Pixels of the largest picture that photos and masks are fitted to. Larger ones are more often those of a magnified
/// photo, of which a pane shows a part, and take too long for every frame of zooming, which makes them anew.
const MOST_PIXELS: u32 = 3 << 19;

/// Fitted photos, and masks, that are kept: as many as there are panes.
const KEPT: usize = 4;

/// The format of fitted photos.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

impl Pipelines {
    /// The same sources with a photo and a mask of the size of the picture, where these take less time to draw, and the
    /// view with the picture on whole pixels, each of which is then one of theirs.
    ///
    /// # Errors
    /// If the driver reports an error.
    pub(super) fn fitted(
        &self,
        classes: &Classes,
        sources: &Sources,
        view: &PaneView,
    ) -> Result<(Sources, PaneView), GpuError> {
        forget_closed(&self.photos);
        forget_closed(&self.masks);
        let (mut fitted, mut on_pixels) = (sources.clone(), *view);
        let size = view.extent.map(|side| side.round() as u32);
        let [width, height] = size;
        let longest = width.max(height);
        if !(1..=MOST_PIXELS).contains(&width.saturating_mul(height))
            || longest > self.longest_side()
        {
            return Ok((fitted, on_pixels));
        }
        on_pixels.origin = view.origin.map(f32::round);
        on_pixels.extent = size.map(|side| side as f32);
        let shows_photo = !matches!(view.layer, Layer::Raw | Layer::Map | Layer::Truth);
        if shows_photo && sources.photo.level(on_pixels.extent) > 0.0 {
            let draw = || self.reduced_photo(classes, sources, size);
            fitted.photo = kept(&self.photos, &sources.photo, size, draw)?;
        }
        let shows_outlines = match view.layer {
            Layer::Map | Layer::Overlay | Layer::Error | Layer::Disagreement => view.fine,
            _ => false,
        };
        if shows_outlines
            && sources.corrected.is_none()
            && let Some(labels) = &sources.labels.host
        {
            let rows_and_columns = |[width, height]: [u32; 2]| [height as usize, width as usize];
            let scale = || {
                let size = rows_and_columns(size);
                let scaled = bilinear(labels, rows_and_columns(sources.labels.size), size);
                self.labels(size, &scaled)
            };
            fitted.corrected = Some(kept(&self.masks, &sources.labels, size, scale)?);
        }
        Ok((fitted, on_pixels))
    }

    /// Draws the photo at a width and height.
    fn reduced_photo(
        &self,
        classes: &Classes,
        sources: &Sources,
        size: [u32; 2],
    ) -> Result<Photo, GpuError> {
        let whole = PaneView {
            layer: Layer::Photo,
            origin: [0.0; 2],
            extent: size.map(|side| side as f32),
            fine: false,
            opacity: 1.0,
            lit: None,
        };
        let pane = self.pane_on(FORMAT, classes, sources, &whole, false)?;
        guarded(&self.device, "reducing the photo", || {
            let usage =
                wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING;
            let texture = texture(&self.device, "reduced photo", size, 1, FORMAT, usage);
            let view = texture.create_view(&Default::default());
            let mut encoder = self.device.create_command_encoder(&Default::default());
            self.draw(&mut pass_on(&mut encoder, &view), &pane);
            self.queue.submit([encoder.finish()]);
            Photo { view, size }
        })
    }
}

/// What was made of the original for this size before, or is made now.
fn kept<T>(
    all: &Mutex<Vec<Fitted<T>>>,
    original: &Arc<T>,
    size: [u32; 2],
    make: impl FnOnce() -> Result<T, GpuError>,
) -> Result<Arc<T>, GpuError> {
    let mut all = lock(all);
    let of_original = Arc::downgrade(original);
    let is_it = |kept: &Fitted<T>| kept.original.ptr_eq(&of_original) && kept.size == size;
    let fitted = match all.iter().position(is_it) {
        // The one that was used last is the last.
        Some(at) => all.remove(at).fitted,
        None => Arc::new(make()?),
    };
    let surplus = (all.len() + 1).saturating_sub(KEPT);
    all.drain(..surplus);
    all.push(Fitted {
        original: of_original,
        size,
        fitted: fitted.clone(),
    });
    Ok(fitted)
}

/// Drops what was made of photos and masks that are shown no more.
fn forget_closed<T>(all: &Mutex<Vec<Fitted<T>>>) {
    lock(all).retain(|kept| kept.original.strong_count() > 0);
}
