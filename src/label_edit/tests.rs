use super::*;
use proptest::prelude::*;
use std::time::Instant;

fn edit(size: [usize; 2], label: impl Fn(usize, usize) -> u16) -> LabelEdit {
    let [height, width] = size;
    let labels = (0..height * width).map(|i| label(i % width, i / width));
    LabelEdit::new(size, Arc::new(labels.collect())).unwrap()
}

/// Two classes side by side, `[4, 6]`.
fn halves() -> LabelEdit {
    edit([4, 6], |x, _| u16::from(x >= 3))
}

#[test]
fn a_brush_of_one_pixel_paints_one_and_lines_have_no_gaps() {
    let mut mask = edit([20, 20], |_, _| 0);
    mask.stroke([3.2, 4.9], [3.2, 4.9], 1.0, Paint::Class(1), None);
    let painted = |mask: &LabelEdit| mask.labels().iter().filter(|label| **label == 1).count();
    assert_eq!((painted(&mask), mask.label([3, 4])), (1, 1));
    mask.stroke([0.5, 0.5], [19.5, 7.5], 1.0, Paint::Class(2), None);
    let columns = (0..20).all(|x| (0..20).any(|y| mask.label([x, y]) == 2));
    assert!(columns);
}

#[test]
fn a_stroke_covers_what_its_discs_cover() {
    // Exactly the pixels whose centres are within the radius of the path.
    let (from, to, diameter) = ([4.3, 17.0], [31.7, 6.2], 9.0);
    let mut mask = edit([24, 40], |_, _| 0);
    mask.stroke(from, to, diameter, Paint::Class(1), None);
    let along = [to[0] - from[0], to[1] - from[1]];
    for (y, x) in (0..24).flat_map(|y| (0..40).map(move |x| (y, x))) {
        let at = [x as f32 + 0.5 - from[0], y as f32 + 0.5 - from[1]];
        let square = along[0] * along[0] + along[1] * along[1];
        let share = ((at[0] * along[0] + at[1] * along[1]) / square).clamp(0.0, 1.0);
        let distance = (at[0] - share * along[0]).hypot(at[1] - share * along[1]);
        if (distance - diameter / 2.0).abs() > 1e-3 {
            let expected = u16::from(distance < diameter / 2.0);
            assert_eq!(mask.label([x, y]), expected, "{x}, {y}");
        }
    }
}

#[test]
fn strokes_outside_and_numbers_that_are_none_change_nothing() {
    let mut mask = halves();
    for (from, to) in [
        ([-9.0, -9.0], [-5.0, -5.0]),
        ([90.0, 2.0], [95.0, 3.0]),
        ([f32::NAN, 1.0], [1.0, 1.0]),
        ([f32::INFINITY, 1.0], [1.0, 1.0]),
    ] {
        mask.stroke(from, to, 2.0, Paint::Class(1), None);
    }
    assert!(!mask.is_corrected() && mask.can_undo() == [false; 2]);
    assert_eq!(mask.take_dirty(), None);
    assert_eq!(mask.label([99, 0]), IGNORE);
    assert_eq!(mask.region([99, 0]).pixels(), 0);
}

#[test]
fn erasing_returns_to_the_network() {
    let mut mask = halves();
    mask.stroke([0.0, 0.0], [6.0, 4.0], 20.0, Paint::Class(IGNORE), None);
    assert!(mask.labels().iter().all(|label| *label == IGNORE));
    mask.stroke([0.0, 0.0], [6.0, 4.0], 20.0, Paint::Erase, None);
    assert_eq!(&mask.labels(), &**mask.network());
    assert!(!mask.is_corrected());
    mask.undo();
    assert!(mask.is_corrected());
}

#[test]
fn a_fill_takes_the_connected_region_and_no_other() {
    // A ring of class 1 around a disc of class 0, in a field of class 0.
    let ring = |x: usize, y: usize| {
        let (x, y) = (x.abs_diff(4), y.abs_diff(4));
        u16::from(x.max(y) == 2)
    };
    let mut mask = edit([9, 9], ring);
    let inside = mask.region([4, 4]);
    assert_eq!(inside.pixels(), 9);
    mask.fill(&inside, Paint::Class(5));
    assert_eq!((mask.label([4, 4]), mask.label([0, 0])), (5, 0));
    assert_eq!(mask.region([2, 2]).pixels(), 16);
    // Pixels that touch only at a corner are not connected.
    let mut board = edit([2, 2], |x, y| u16::from(x == y));
    let corner = board.region([0, 0]);
    assert_eq!(corner.pixels(), 1);
    board.fill(&corner, Paint::Class(3));
    assert_eq!(board.labels(), [3, 0, 0, 1]);
}

#[test]
fn a_limited_stroke_stays_within_the_networks_region() {
    let mut mask = halves();
    let left = mask.network_region([0, 0]);
    mask.stroke([0.5, 1.5], [5.5, 1.5], 3.0, Paint::Class(7), Some(&left));
    for y in 0..3 {
        let row: Vec<u16> = (0..6).map(|x| mask.label([x, y])).collect();
        assert_eq!(row, [7, 7, 7, 1, 1, 1]);
    }
    // The network's outline applies whatever is painted over it.
    assert_eq!(mask.network_region([0, 0]).pixels(), 12);
    assert_eq!(mask.region([0, 3]).pixels(), 3);
}

#[test]
fn changes_are_undone_in_order_and_their_states_come_back() {
    let mut mask = halves();
    let mut pictures = vec![(mask.state(), mask.labels())];
    for class in 2..6 {
        mask.begin();
        let x = f32::from(class);
        mask.stroke([x, 0.0], [x, 2.0], 2.0, Paint::Class(class), None);
        mask.stroke([x, 2.0], [x, 4.0], 2.0, Paint::Class(class), None);
        mask.finish();
        pictures.push((mask.state(), mask.labels()));
    }
    for picture in pictures.iter().rev().skip(1) {
        mask.undo();
        assert_eq!(*picture, (mask.state(), mask.labels()));
    }
    mask.undo();
    assert_eq!(mask.can_undo(), [false, true]);
    for picture in &pictures[1..] {
        mask.redo();
        assert_eq!(*picture, (mask.state(), mask.labels()));
    }
    mask.undo();
    mask.stroke([0.0, 0.0], [0.0, 0.0], 1.0, Paint::Class(9), None);
    assert_eq!(mask.can_undo(), [true, false]);
    assert!(pictures.iter().all(|(state, _)| *state != mask.state()));
}

#[test]
fn only_what_changed_is_dirty() {
    let mut mask = edit([300, 400], |_, _| 0);
    mask.stroke([100.0, 50.0], [110.0, 50.0], 10.0, Paint::Class(1), None);
    let dirty = mask.take_dirty().unwrap();
    assert_eq!(
        dirty,
        Area {
            x: 95..115,
            y: 45..55
        }
    );
    let part = mask.labels_in(&dirty);
    assert_eq!(part.len(), dirty.pixels());
    assert_eq!(part.iter().filter(|label| **label == 1).count(), {
        let all = mask.labels();
        all.iter().filter(|label| **label == 1).count()
    });
    assert_eq!(mask.take_dirty(), None);
    mask.undo();
    assert!(mask.take_dirty().unwrap().pixels() <= 200);
}

#[test]
fn what_was_painted_can_be_painted_again() {
    let mut mask = edit([70, 90], |x, y| (x / 30 + y / 30) as u16);
    mask.stroke([5.0, 60.0], [80.0, 10.0], 12.0, Paint::Class(4), None);
    mask.stroke([60.0, 60.0], [60.0, 60.0], 15.0, Paint::Class(IGNORE), None);
    let painted = mask.painted_runs();
    let mut other = edit([70, 90], |_, _| 8);
    assert!(other.paint_runs(&painted));
    for (mine, theirs) in mask.labels().into_iter().zip(other.labels()) {
        assert!(mine == theirs || theirs == 8);
    }
    assert_eq!(other.painted_runs(), painted);
    other.undo();
    assert!(!other.is_corrected());
    assert!(!edit([2, 2], |_, _| 0).paint_runs(&painted));
    // What is not painted in the runs does not stay either.
    let mut saved = edit([70, 90], |_, _| 8);
    saved.paint_labels(&vec![1; 70 * 90]);
    assert!(saved.paint_runs(&painted));
    assert_eq!(saved.painted_runs(), painted);
}

proptest! {
    #[test]
    fn undoing_everything_restores_the_mask(
        strokes in prop::collection::vec((0f32..150.0, 0f32..100.0, 0f32..150.0, 0f32..100.0, 1f32..60.0, 0u16..6), 1..12)
    ) {
        let mut mask = edit([100, 150], |x, y| (x / 40 + y / 40) as u16);
        let before = mask.labels();
        for &(a, b, c, d, diameter, class) in &strokes {
            let paint = if class == 0 { Paint::Erase } else { Paint::Class(class) };
            mask.stroke([a, b], [c, d], diameter, paint, None);
        }
        let after = mask.labels();
        while mask.can_undo()[0] {
            mask.undo();
        }
        prop_assert_eq!(mask.labels(), before);
        prop_assert!(!mask.is_corrected());
        while mask.can_undo()[1] {
            mask.redo();
        }
        prop_assert_eq!(mask.labels(), after);
    }
}

/// The cost of painting depends on the area under the brush, not on the size of the photo. The limit of
/// 16 ms is one frame at 60 frames/s, many times the measured cost.
#[test]
fn strokes_are_fast_and_undo_is_small_on_large_photos() {
    for size in [[768usize, 1024], [3000, 4000]] {
        let mut mask = edit(size, |x, y| ((x / 97 + y / 89) % 7) as u16);
        let region = mask.network_region([size[1] / 2, size[0] / 2]);
        let diameter = 100.0;
        let events = 600;
        let way = |i: usize| {
            let angle = i as f32 * 0.05;
            let [height, width] = size.map(|side| side as f32);
            let x = 0.5 + 0.4 * angle.cos();
            let y = 0.5 + 0.4 * (1.3 * angle).sin();
            [x * width, y * height]
        };
        let begin = Instant::now();
        let mut uploaded = 0;
        mask.begin();
        for i in 0..events {
            let within = (i % 2 == 0).then_some(&region);
            mask.stroke(way(i), way(i + 1), diameter, Paint::Class(3), within);
            if let Some(dirty) = mask.take_dirty() {
                uploaded += mask.labels_in(&dirty).len();
            }
        }
        let event = begin.elapsed() / events as u32;
        let begin = Instant::now();
        mask.finish();
        let finish = begin.elapsed();
        let (height, width) = (size[0], size[1]);
        let begin = Instant::now();
        let all = mask.network_region([width / 3, height / 3]);
        mask.fill(&all, Paint::Class(1));
        let fill = begin.elapsed();
        let begin = Instant::now();
        mask.undo();
        mask.undo();
        let undo = begin.elapsed();
        println!(
            "{width} x {height}: {event:?} per stroke event, {} pixels uploaded; end of the stroke \
             {finish:?}, fill {fill:?}, two undos {undo:?}, {} bytes of undo",
            uploaded / events,
            mask.history_bytes(),
        );
        assert!(event.as_millis() < 16, "{event:?}");
        assert!(mask.history_bytes() < 2 * size[0] * size[1]);
    }
    // A region that covers a whole large photo.
    let mut whole = edit([3000, 4000], |_, _| 0);
    let begin = Instant::now();
    let region = whole.region([7, 7]);
    whole.fill(&region, Paint::Class(1));
    let fill = begin.elapsed();
    let begin = Instant::now();
    whole.undo();
    println!(
        "12 megapixels: fill of all {fill:?}, undo {:?}",
        begin.elapsed()
    );
    assert_eq!(region.pixels(), 12_000_000);
    assert!(whole.history_bytes() < 1 << 20);
}
