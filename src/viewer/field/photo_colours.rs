//! The colours of the photo at the size of its flow's states.

use crate::data;
use crate::viewer::flow::Flow;
use image::RgbImage;
use std::sync::{Arc, Weak};

/// Caches the colours of the photo that was asked for last.
#[derive(Default)]
pub(super) struct PhotoColours {
    last: Option<Colours>,
}

struct Colours {
    /// No other photo has its address as long as this exists.
    photo: Weak<RgbImage>,
    /// `[height, width]`
    size: [usize; 2],
    values: Arc<Vec<f32>>,
}

impl PhotoColours {
    /// `[3, H, W]`, -1 to 1: the source of the flow if it starts at the photo.
    pub(super) fn of(&mut self, flow: &Flow) -> Arc<Vec<f32>> {
        let same = |known: &&Colours| {
            known.photo.as_ptr() == Arc::as_ptr(&flow.photo) && known.size == flow.size
        };
        if let Some(known) = self.last.as_ref().filter(same) {
            return known.values.clone();
        }
        let values = Arc::new(data::photo_to_chw(&flow.photo, flow.size));
        self.last = Some(Colours {
            photo: Arc::downgrade(&flow.photo),
            size: flow.size,
            values: values.clone(),
        });
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Centroids;
    use crate::viewer::flow::testing;

    #[test]
    fn the_photo_has_its_own_colours_whatever_its_flow_starts_at() {
        let centroids = Centroids::kronecker(3);
        // The photo is black; no state is.
        let flow = testing::flow(&centroids, &[[0u16, 1, 2, 1]], [2, 2]);
        let mut colours = PhotoColours::default();
        let of_photo = colours.of(&flow);
        assert_eq!(of_photo.len(), 12);
        assert!(of_photo.iter().all(|value| (value + 1.0).abs() < 1e-6));
        assert!(Arc::ptr_eq(&of_photo, &colours.of(&flow)));
        // Sampled again, it is the same photo.
        let mut again = testing::flow(&centroids, &[[0u16, 1, 2, 1]], [2, 2]);
        again.photo = flow.photo.clone();
        assert!(Arc::ptr_eq(&of_photo, &colours.of(&again)));
        again.size = [1, 2];
        assert_eq!(colours.of(&again).len(), 6);
    }
}
