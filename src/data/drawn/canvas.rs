//! Rasterises outlines and run lengths.
//!
//! Polygons have exactly the pixels of pycocotools: corners are rounded to a fifth of a pixel, and
//! pixels whose centres are inside by the even-odd rule are filled. pycocotools walks along every side;
//! here the crossings of a side with the column centres are computed, so that the cost of a side is
//! bounded by the picture's width.

use super::super::decode::RawLabels;
use crate::labels::IGNORE;

/// The raw label of pixels without a shape; the data set's mapping gives it a meaning.
pub(in super::super) const UNANNOTATED: u16 = IGNORE - 2;

/// Parts per pixel that corners are rounded to.
const PARTS: i64 = 5;
/// The last coordinate of a column, in fifths, before its centre.
const CENTRE: i64 = 2;
/// Limit on the work for one photo's shapes, in pixels, and the addition per photo pixel: seconds, and
/// many times what crowded photos need.
const MOST_WORK: [u64; 2] = [1 << 31, 64];
/// Cost of a side crossing a column, in pixels.
const CROSSING: u64 = 16;

/// Rounds a coordinate in pixels to fifths of a pixel.
pub(super) fn fixed(coordinate: f64) -> i32 {
    (PARTS as f64 * coordinate + 0.5) as i32
}

/// The shapes of one photo cross and overlap so often that drawing them would take minutes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuchWork;

impl TooMuchWork {
    /// The message, to follow a file name.
    pub(super) const REASON: &str =
        "its shapes cross and overlap too often to be drawn: draw simpler ones";
}

/// A label map in which later shapes cover earlier ones.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    labels: Vec<u16>,
    work: u64,
    /// Changes between outside and inside in a polygon's bounding box; reused for the next polygon.
    turns: Vec<u8>,
    /// The parity of every column of the box in the current row.
    inside: Vec<u8>,
}

impl Canvas {
    /// An empty map. The caller has checked the size.
    pub(super) fn new((width, height): (usize, usize)) -> Self {
        Self {
            width,
            height,
            labels: vec![UNANNOTATED; width * height],
            work: 0,
            turns: Vec::new(),
            inside: Vec::new(),
        }
    }

    /// Width and height.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    pub(super) fn into_labels(self) -> RawLabels {
        RawLabels::of_classes([self.width, self.height], self.labels)
    }

    /// Fills a polygon, `x y x y ...` in fifths of a pixel. Fewer than three corners fill nothing.
    ///
    /// # Errors
    /// Too much work for one photo.
    pub(super) fn polygon(&mut self, points: &[i32], label: u16) -> Result<(), TooMuchWork> {
        let Some(bounds) = Bounds::of(points, self.width, self.height) else {
            return Ok(());
        };
        let [columns, rows] = [bounds.columns.len(), bounds.rows.len()];
        self.spend((columns * rows) as u64)?;
        let mut turns = std::mem::take(&mut self.turns);
        turns.clear();
        turns.resize(columns * rows, 0);
        for side in sides(points) {
            let crossed = side.columns(&bounds);
            self.spend(1 + CROSSING * crossed.len() as u64)?;
            for column in crossed {
                let row = side.row(column as i64, self.height);
                if let Some(row) = row.checked_sub(bounds.rows.start).filter(|row| *row < rows) {
                    turns[row * columns + column - bounds.columns.start] ^= 1;
                }
            }
        }
        self.inside.clear();
        self.inside.resize(columns, 0);
        for (row, turns) in bounds.rows.clone().zip(turns.chunks_exact(columns)) {
            let start = row * self.width;
            let labels = &mut self.labels[start + bounds.columns.start..start + bounds.columns.end];
            for ((inside, turn), own) in self.inside.iter_mut().zip(turns).zip(labels) {
                *inside ^= turn;
                *own = if *inside == 1 { label } else { *own };
            }
        }
        self.turns = turns;
        Ok(())
    }

    /// Fills run lengths, which go down the columns from the top left, alternating outside and inside.
    /// Runs past the last pixel are clipped.
    ///
    /// # Errors
    /// Too much work for one photo.
    pub(super) fn runs(
        &mut self,
        runs: impl IntoIterator<Item = u32>,
        label: u16,
    ) -> Result<(), TooMuchWork> {
        let (height, pixels) = (self.height, self.labels.len());
        let mut at = 0usize;
        for (turn, run) in runs.into_iter().enumerate() {
            let end = at.saturating_add(run as usize).min(pixels);
            if turn % 2 == 1 {
                self.spend(1 + (end - at) as u64)?;
                for pixel in at..end {
                    self.labels[pixel % height * self.width + pixel / height] = label;
                }
            }
            at = end;
        }
        Ok(())
    }

    /// Labels the pixels of a box for which `inside(column, row)`, relative to the box, is true,
    /// clipped to the map.
    pub(super) fn stencil(
        &mut self,
        [left, top]: [i64; 2],
        [width, height]: [usize; 2],
        inside: impl Fn(usize, usize) -> bool,
        label: u16,
    ) {
        let place = |first: i64, offset: usize, most: usize| {
            let at = usize::try_from(first.checked_add(offset as i64)?).ok()?;
            (at < most).then_some(at)
        };
        for row in 0..height {
            let Some(y) = place(top, row, self.height) else {
                continue;
            };
            for column in 0..width {
                if let Some(x) = place(left, column, self.width)
                    && inside(column, row)
                {
                    self.labels[y * self.width + x] = label;
                }
            }
        }
    }

    fn spend(&mut self, work: u64) -> Result<(), TooMuchWork> {
        self.work += work;
        let [least, each] = MOST_WORK;
        if self.work > least + each * self.labels.len() as u64 {
            return Err(TooMuchWork);
        }
        Ok(())
    }
}

/// Twice the area of a polygon, in squares of a fifth of a pixel.
pub(super) fn double_area(points: &[i32]) -> u64 {
    let cross = |side: Side| {
        let [[x0, y0], [x1, y1]] = [side.from, side.to].map(|point| point.map(i128::from));
        x0 * y1 - x1 * y0
    };
    let sum: i128 = sides(points).map(cross).sum();
    u64::try_from(sum.unsigned_abs()).unwrap_or(u64::MAX)
}

/// The bounding box of a polygon, in pixels.
struct Bounds {
    columns: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
}

impl Bounds {
    /// `None` if the polygon covers no pixel.
    fn of(points: &[i32], width: usize, height: usize) -> Option<Self> {
        if points.len() < 6 {
            return None;
        }
        let span = |axis: usize| {
            let values = points.chunks_exact(2).map(|point| i64::from(point[axis]));
            Some((values.clone().min()?, values.max()?))
        };
        let (left, right) = span(0)?;
        let (top, bottom) = span(1)?;
        let columns = columns(left, right, 0..width);
        let rows = row(top, height)..row(bottom, height);
        (!columns.is_empty() && !rows.is_empty()).then_some(Self { columns, rows })
    }
}

/// The columns of a range whose centres lie between two coordinates in fifths of a pixel.
fn columns(left: i64, right: i64, within: std::ops::Range<usize>) -> std::ops::Range<usize> {
    // Column c is crossed if its parts `CENTRE` and `CENTRE + 1` are both on the way.
    let first = (left - CENTRE).max(0).div_euclid(PARTS)
        + i64::from((left - CENTRE).max(0).rem_euclid(PARTS) > 0);
    let end = (right - 1 - CENTRE).div_euclid(PARTS) + 1;
    let clipped = |at: i64| at.clamp(within.start as i64, within.end as i64) as usize;
    let (first, end) = (clipped(first), clipped(end));
    first..end.max(first)
}

/// The first row whose centre is not above a coordinate in fifths of a pixel.
fn row(place: i64, height: usize) -> usize {
    let row = (place as f64 + 0.5) / PARTS as f64 - 0.5;
    row.clamp(0.0, height as f64).ceil() as usize
}

/// A side of a polygon.
#[derive(Clone, Copy)]
struct Side {
    from: [i64; 2],
    to: [i64; 2],
}

/// The sides of a polygon, the closing one last.
fn sides(points: &[i32]) -> impl Iterator<Item = Side> + '_ {
    let corner = |at: usize| [i64::from(points[2 * at]), i64::from(points[2 * at + 1])];
    let count = points.len() / 2;
    (0..count).map(move |at| Side {
        from: corner(at),
        to: corner((at + 1) % count),
    })
}

impl Side {
    /// The columns whose centres the side crosses.
    fn columns(self, bounds: &Bounds) -> std::ops::Range<usize> {
        let [a, b] = [self.from[0], self.to[0]];
        columns(a.min(b), a.max(b), bounds.columns.clone())
    }

    /// The row from which the crossing with a column's centre toggles inside and outside. The
    /// arithmetic, including rounding, is that of pycocotools.
    fn row(self, column: i64, height: usize) -> usize {
        let part = PARTS * column + CENTRE;
        let (dx, dy) = (
            (self.to[0] - self.from[0]).abs(),
            (self.to[1] - self.from[1]).abs(),
        );
        let flat = dx >= dy;
        let axis = usize::from(!flat);
        // From left to right, or steep ones from top to bottom.
        let (from, to) = if self.from[axis] > self.to[axis] {
            (self.to, self.from)
        } else {
            (self.from, self.to)
        };
        let across = 1 - axis;
        let slope = (to[across] - from[across]) as f64 / dx.max(dy).max(1) as f64;
        let walked = |t: i64| (from[across] as f64 + slope * t as f64 + 0.5) as i64;
        if flat {
            let t = part - from[0];
            return row(walked(t).min(walked(t + 1)), height);
        }
        // The step that passes the centre.
        let beyond = |t: i64| {
            if slope > 0.0 {
                walked(t) > part
            } else {
                walked(t) <= part
            }
        };
        let target = if slope > 0.0 { part + 1 } else { part };
        let guess = (target as f64 - from[0] as f64 - 0.5) / slope;
        let mut t = (guess as i64).clamp(1, dy);
        while t > 1 && beyond(t - 1) {
            t -= 1;
        }
        while t < dy && !beyond(t) {
            t += 1;
        }
        row(from[1] + t - 1, height)
    }
}
