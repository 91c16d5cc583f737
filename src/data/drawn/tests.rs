//! Shapes as pixels.

use super::canvas::{Canvas, TooMuchWork, UNANNOTATED, double_area, fixed};

/// The pixels that a polygon covers, one row per line.
fn filled(points: &[f64], size: (usize, usize)) -> String {
    let mut canvas = Canvas::new(size);
    let points: Vec<i32> = points.iter().copied().map(fixed).collect();
    canvas.polygon(&points, 1).unwrap();
    rows(canvas)
}

fn rows(canvas: Canvas) -> String {
    let labels = canvas.into_labels();
    let row = |row: &[u16]| -> String {
        let drawn = row.iter().map(|label| match *label {
            UNANNOTATED => '.',
            label => char::from(b'0' + label as u8),
        });
        drawn.collect()
    };
    let rows: Vec<String> = labels.data.chunks(labels.width).map(row).collect();
    rows.join("\n")
}

#[test]
fn polygons_are_filled_as_pycocotools_fills_them() {
    // pycocotools.mask.decode(frPyObjects([polygon], 12, 17)) of a polygon whose sides cross.
    let expected = "\
..............1..
.......1111111...
.1111111111111...
1111111111111....
1111111111111....
111111111111.....
1.....111111.....
......11111......
.....11111.......
.....11111.......
....11111........
....11...........";
    let polygon = [
        1.3, 2.2, 14.9, 0.4, 9.1, 10.8, 3.3, 11.9, 6.6, 5.5, -2.0, 7.0,
    ];
    assert_eq!(filled(&polygon, (17, 12)), expected);
    // A polygon along pixel edges covers exactly these pixels.
    assert_eq!(
        filled(&[1.0, 0.0, 3.0, 0.0, 3.0, 2.0, 1.0, 2.0], (4, 3)),
        ".11.\n.11.\n...."
    );
    // A line without area, and corners beyond every edge.
    assert_eq!(filled(&[0.0, 0.0, 3.0, 3.0], (2, 2)), "..\n..");
    let around = [-1e9, -1e9, 1e9, -1e9, 1e9, 1e9, -1e9, 1e9];
    assert_eq!(filled(&around, (3, 2)), "111\n111");
}

#[test]
fn areas_are_those_of_the_pixels() {
    let square: Vec<i32> = [0.0, 0.0, 4.0, 0.0, 4.0, 3.0, 0.0, 3.0].map(fixed).to_vec();
    assert_eq!(double_area(&square), 50 * 12);
    assert_eq!(double_area(&[]), 0);
    assert!(double_area(&[i32::MIN, i32::MIN, i32::MAX, i32::MIN, i32::MAX, i32::MAX]) > 1 << 60);
}

#[test]
fn later_shapes_cover_earlier_ones_and_runs_go_down_the_columns() {
    let mut canvas = Canvas::new((3, 2));
    canvas.runs([0, 3], 2).unwrap();
    canvas.runs([1, 1, 2, 9], 3).unwrap();
    canvas.stencil([2, -1], [2, 2], |x, y| x == 0 && y == 1, 4);
    assert_eq!(rows(canvas), "224\n3.3");
}

#[test]
fn a_polygon_that_crosses_itself_without_end_is_given_up() {
    let mut canvas = Canvas::new((60_000, 2));
    let zigzag: Vec<i32> = (0..1_000_000)
        .map(|i| if i % 4 < 2 { 0 } else { 300_000 })
        .collect();
    assert_eq!(canvas.polygon(&zigzag, 1), Err(TooMuchWork));
}
