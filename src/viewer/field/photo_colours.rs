//! The colours of the photo at the size of its flow's states.

use crate::data;
use crate::viewer::flow::Flow;
use std::sync::Arc;

/// Caches the colours of the flow that was asked for last.
#[derive(Default)]
pub(super) struct PhotoColours {
    last: Option<(u64, Arc<Vec<f32>>)>,
}

impl PhotoColours {
    /// `[3, H, W]`, -1 to 1: the source of the flow if it starts at the photo.
    pub(super) fn of(&mut self, flow: &Flow) -> Arc<Vec<f32>> {
        if let Some((_, colours)) = self.last.as_ref().filter(|(id, _)| *id == flow.id) {
            return colours.clone();
        }
        let colours = Arc::new(data::photo_to_chw(&flow.photo, flow.size));
        self.last = Some((flow.id, colours.clone()));
        colours
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
    }
}
