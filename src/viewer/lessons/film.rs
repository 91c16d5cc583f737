//! The animation of a card: the window's own picture in one state after another, with a caption.

use crate::export::{self, Pictures};
use crate::texts::CardTexts;
use crate::viewer::exports::PictureKind;
use eframe::egui::{self, ColorImage, Rect};
use image::imageops::{self, FilterType};
use image::{GenericImageView, RgbImage};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// Unchanged frames before a picture is taken, so that layout and textures are complete.
const SETTLE: u8 = 3;
/// The most pixels across a picture: the pictures of an animation then take some 50 MB.
const WIDEST: u32 = 960;

/// An animation that is being made.
pub(super) struct Film {
    pub(super) kind: PictureKind,
    /// The number of pictures to take.
    pub(super) count: usize,
    pictures: Vec<RgbImage>,
    still: u8,
    coming: Option<Receiver<RgbImage>>,
}

/// What to do next.
pub(super) enum Step {
    Wait,
    /// Arranges the window for the picture with this number, from 0.
    Arrange(usize),
    Done,
}

impl Film {
    pub(super) fn new(kind: PictureKind, count: usize) -> Self {
        Self {
            kind,
            count,
            pictures: Vec::with_capacity(count),
            still: 0,
            coming: None,
        }
    }

    /// The number of pictures taken.
    pub(super) fn taken(&self) -> usize {
        self.pictures.len()
    }

    /// Takes the next picture, of the part `area` of the window, once it has been still for a while.
    /// Must be called every frame.
    pub(super) fn step(&mut self, context: &egui::Context, still: bool, area: Rect) -> Step {
        context.request_repaint();
        if let Some(coming) = &self.coming {
            let picture = match coming.try_recv() {
                Err(TryRecvError::Empty) => return Step::Wait,
                // There was nothing to take a picture of, such as in a window that was made smaller meanwhile.
                Err(TryRecvError::Disconnected) => None,
                Ok(picture) => Some(picture),
            };
            (self.coming, self.still) = (None, 0);
            return picture.map_or(Step::Wait, |picture| self.add(picture));
        }
        self.still = if still { self.still + 1 } else { 0 };
        if self.still >= SETTLE {
            let (sender, coming) = sync_channel(1);
            let scale = context.pixels_per_point();
            let wake = context.clone();
            context.request_screenshot(move |window| {
                if let Some(picture) = part(&window, area * scale) {
                    // Without a receiver, the animation was given up.
                    let _ = sender.send(picture);
                }
                wake.request_repaint();
            });
            self.coming = Some(coming);
        }
        Step::Wait
    }

    /// Adds the next picture. All pictures of an animation have one size, so they are taken anew if the window has
    /// another one now.
    fn add(&mut self, picture: RgbImage) -> Step {
        let first = self.pictures.first();
        if first.is_some_and(|first| first.dimensions() != picture.dimensions()) {
            self.pictures.clear();
            return Step::Arrange(0);
        }
        self.pictures.push(picture);
        match self.pictures.len() {
            taken if taken < self.count => Step::Arrange(taken),
            _ => Step::Done,
        }
    }

    /// The pictures with the text of their card below, to be written.
    pub(super) fn captioned(self, card: &'static CardTexts) -> Captioned {
        Captioned {
            pictures: self.pictures,
            card,
        }
    }
}

/// The pictures of an animation, whose captions are drawn when they are written.
pub(super) struct Captioned {
    pictures: Vec<RgbImage>,
    card: &'static CardTexts,
}

impl Pictures for Captioned {
    fn count(&self) -> usize {
        self.pictures.len()
    }

    fn picture(&self, at: usize) -> RgbImage {
        export::with_caption(&self.pictures[at], &self.card.title, &self.card.text)
    }
}

/// A part of the window, in pixels, at most [`WIDEST`] across; `None` if it is empty.
fn part(window: &ColorImage, area: Rect) -> Option<RgbImage> {
    let [width, height] = window.size.map(|side| side as u32);
    let pixels = window.pixels.iter();
    let rgb = pixels.flat_map(|p| [p.r(), p.g(), p.b()]).collect();
    let window = RgbImage::from_raw(width, height, rgb)?;
    let inside = |at: f32, side: u32| (at.max(0.0).round() as u32).min(side);
    let [left, right] = [area.min.x, area.max.x].map(|x| inside(x, width));
    let [top, bottom] = [area.min.y, area.max.y].map(|y| inside(y, height));
    if left >= right || top >= bottom {
        return None;
    }
    let part = window
        .view(left, top, right - left, bottom - top)
        .to_image();
    if part.width() <= WIDEST {
        return Some(part);
    }
    let height = (part.height() * WIDEST / part.width()).max(1);
    Some(imageops::resize(
        &part,
        WIDEST,
        height,
        FilterType::Triangle,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{Color32, pos2};

    /// What follows from a picture of these sides, or from none.
    fn taken(film: &mut Film, picture: Option<[u32; 2]>) -> Step {
        let (sender, coming) = sync_channel(1);
        if let Some([width, height]) = picture {
            sender.send(RgbImage::new(width, height)).unwrap();
        }
        drop(sender);
        film.coming = Some(coming);
        film.step(&egui::Context::default(), true, Rect::EVERYTHING)
    }

    #[test]
    fn a_picture_that_does_not_come_is_taken_again() {
        let mut film = Film::new(PictureKind::Gif, 2);
        film.still = SETTLE;
        assert!(matches!(taken(&mut film, None), Step::Wait));
        assert!(film.coming.is_none() && film.still == 0);
        assert!(matches!(taken(&mut film, Some([4, 3])), Step::Arrange(1)));
        assert!(matches!(taken(&mut film, Some([4, 3])), Step::Done));
    }

    #[test]
    fn an_animation_in_a_window_of_another_size_begins_anew() {
        let mut film = Film::new(PictureKind::Gif, 2);
        for (size, arranged) in [([4, 3], 1), ([5, 3], 0), ([5, 3], 1)] {
            let step = taken(&mut film, Some(size));
            assert!(matches!(step, Step::Arrange(at) if at == arranged));
        }
        assert!(matches!(taken(&mut film, Some([5, 3])), Step::Done));
        assert_eq!(film.taken(), 2);
    }

    #[test]
    fn a_part_of_the_window_is_cut_out_and_made_smaller() {
        let mut window = ColorImage::filled([2000, 40], Color32::BLACK);
        window.pixels[5 * 2000 + 7] = Color32::RED;
        let area = |from: [f32; 2], to: [f32; 2]| Rect::from_min_max(from.into(), to.into());
        let cut = part(&window, area([7.0, 5.0], [27.0, 15.0])).unwrap();
        assert_eq!(cut.dimensions(), (20, 10));
        assert_eq!(cut.get_pixel(0, 0).0, [255, 0, 0]);
        let wide = part(&window, area([-5.0, 0.0], [9000.0, 40.0])).unwrap();
        assert_eq!(wide.dimensions(), (WIDEST, 19));
        assert!(part(&window, Rect::from_min_max(pos2(9.0, 9.0), pos2(9.0, 20.0))).is_none());
    }
}
