//! Images, and the patches and grids that they are cut into: sizes are computed in the graph.

use super::builder::{Builder, Extent, Value};
use super::proto::Attribute;

/// Height and width of an image, each `[1]`.
#[derive(Clone)]
pub(super) struct Size {
    pub height: Value,
    pub width: Value,
}

impl Size {
    /// That of an image `[1, C, H, W]`.
    pub(super) fn of(g: &mut Builder, image: &Value) -> Self {
        Self {
            height: g.length(image, 2),
            width: g.length(image, 3),
        }
    }

    /// Both sides after a change.
    pub(super) fn map(&self, mut change: impl FnMut(&Value) -> Value) -> Self {
        Self {
            height: change(&self.height),
            width: change(&self.width),
        }
    }

    /// Sides divided by a number.
    pub(super) fn divided(&self, g: &mut Builder, by: usize) -> Self {
        let by = g.ints(&[by as i64]);
        self.map(|side| g.div(side, &by))
    }

    /// Sides times a number.
    pub(super) fn times(&self, g: &mut Builder, factor: usize) -> Self {
        let factor = g.ints(&[factor as i64]);
        self.map(|side| g.mul(side, &factor))
    }
}

/// How an image is cut into patches of a side p. The image's sides are multiples of it.
#[derive(Clone)]
pub(super) struct Cut {
    pub size: Size,
    /// Rows and columns of patches; L in all.
    pub grid: Size,
    pub side: usize,
}

impl Cut {
    pub(super) fn new(g: &mut Builder, size: &Size, side: usize) -> Self {
        let grid = size.divided(g, side);
        let size = size.clone();
        Self { size, grid, side }
    }

    /// `[1, C, H, W]` to `[L, C, p p]`.
    pub(super) fn cut(&self, g: &mut Builder, image: &Value, channels: usize) -> Value {
        let (p, channels) = (self.side as i64, channels as i64);
        let parts = [
            Extent::Of(channels),
            Extent::In(&self.grid.height),
            Extent::Of(p),
            Extent::In(&self.grid.width),
            Extent::Of(p),
        ];
        let parts = g.reshape(image, &parts);
        let patches = g.transpose(&parts, &[1, 3, 0, 2, 4]);
        g.reshape(&patches, &[-1, channels, p * p].map(Extent::Of))
    }

    /// Patches of pixels `[L, p p, C]` back to `[1, C, H, W]`.
    pub(super) fn image(&self, g: &mut Builder, pixels: &Value, channels: usize) -> Value {
        let (p, channels) = (Extent::Of(self.side as i64), Extent::Of(channels as i64));
        let (rows, columns) = (Extent::In(&self.grid.height), Extent::In(&self.grid.width));
        let parts = g.reshape(pixels, &[rows, columns, p, p, channels]);
        let planes = g.transpose(&parts, &[4, 0, 2, 1, 3]);
        let (height, width) = (Extent::In(&self.size.height), Extent::In(&self.size.width));
        g.reshape(&planes, &[Extent::Of(1), channels, height, width])
    }

    /// Values of the tokens, `[L, N]`, between the middles of their patches: `[L, p p, N]`, as
    /// products of every patch's `shares: [p p, 9]` with the values of its neighbours.
    pub(super) fn to_pixels(
        &self,
        g: &mut Builder,
        values: &Value,
        n: usize,
        shares: &Value,
    ) -> Value {
        let (rows, columns) = (Extent::In(&self.grid.height), Extent::In(&self.grid.width));
        let n = Extent::Of(n as i64);
        let grid = g.reshape(values, &[rows, columns, n]);
        let pads = g.ints(&[1, 1, 0, 1, 1, 0]);
        let wide = g.pad_edge(&grid, &pads);
        let around: Vec<Value> = neighbours(g, &wide, [0, 1])
            .iter()
            .map(|shifted| g.unsqueeze(shifted, 2))
            .collect();
        let around = g.concat(&around.iter().collect::<Vec<_>>(), 2);
        let around = g.reshape(&around, &[Extent::Of(-1), Extent::Of(9), n]);
        g.matmul(shares, &around)
    }
}

/// The nine shifts by one row and one column of what is padded by one of each, row by row.
fn neighbours(g: &mut Builder, wide: &Value, [rows, columns]: [i64; 2]) -> Vec<Value> {
    const ENDS: [i64; 3] = [-2, -1, i64::MAX];
    let mut shifted = Vec::with_capacity(9);
    for (row, row_end) in (0..).zip(ENDS) {
        let strip = g.slice(wide, rows, row, row_end);
        for (column, column_end) in (0..).zip(ENDS) {
            shifted.push(g.slice(&strip, columns, column, column_end));
        }
    }
    shifted
}

/// How values between samples are found; see [`crate::model::resize::Filter`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    Linear,
    Cubic,
    CubicAntialiased,
}

/// Planes `[1, C, H, W]` at another size. ONNX's half-pixel coordinates are those of the program.
pub(super) fn resize(
    g: &mut Builder,
    planes: &Value,
    channels: usize,
    to: &Size,
    filter: Filter,
) -> Value {
    let leading = g.ints(&[1, channels as i64]);
    let sizes = g.concat(&[&leading, &to.height, &to.width], 0);
    let mut attributes = vec![
        (
            "coordinate_transformation_mode",
            Attribute::Text("half_pixel"),
        ),
        (
            "mode",
            Attribute::Text(if filter == Filter::Linear {
                "linear"
            } else {
                "cubic"
            }),
        ),
    ];
    match filter {
        Filter::Linear => {}
        Filter::Cubic => attributes.push(("cubic_coeff_a", Attribute::Float(-0.75))),
        Filter::CubicAntialiased => attributes.extend([
            ("cubic_coeff_a", Attribute::Float(-0.5)),
            ("antialias", Attribute::Int(1)),
            ("exclude_outside", Attribute::Int(1)),
        ]),
    }
    let none = Value::none();
    g.node("Resize", &[planes, &none, &none, &sizes], &attributes)
}
