//! The `segmentation` of a COCO annotation: polygons, or run lengths as numbers or text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::canvas::{Canvas, TooMuchWork, double_area, fixed};
use super::json::Whole;
use super::runs;

/// The shape of an annotation.
#[derive(Debug, Default)]
pub(super) enum Geometry {
    /// No shape.
    #[default]
    Missing,
    /// Polygons, each `x y x y ...` in fifths of a pixel.
    Polygons(Vec<Box<[i32]>>),
    /// Run lengths in a picture of `[height, width]`.
    Runs { size: [u64; 2], runs: Runs },
}

/// Run lengths as written: text takes the least memory.
#[derive(Debug)]
pub(super) enum Runs {
    Text(Box<str>),
    Numbers(Box<[u32]>),
}

/// Why a shape cannot be drawn, to follow its name.
pub(super) type Reason = String;

impl Geometry {
    /// The shape of a rectangle of `[left, top, width, height]` in pixels; `None` if it has no area.
    pub(super) fn rectangle([left, top, width, height]: [f64; 4]) -> Option<Self> {
        if width <= 0.0 || height <= 0.0 {
            return None;
        }
        let (right, bottom) = (left + width, top + height);
        let corners = [left, top, right, top, right, bottom, left, bottom];
        Some(Self::Polygons(vec![Box::new(corners.map(fixed))]))
    }

    pub(super) fn is_outline(&self) -> bool {
        match self {
            Self::Missing => false,
            Self::Polygons(polygons) => polygons.iter().any(|polygon| polygon.len() >= 6),
            Self::Runs { .. } => true,
        }
    }

    /// Its area in pixels, which decides overlaps: the sum over all polygons.
    pub(super) fn area(&self) -> f64 {
        match self {
            Self::Missing => 0.0,
            Self::Polygons(polygons) => {
                let doubled = polygons.iter().map(|polygon| double_area(polygon) as f64);
                doubled.sum::<f64>() / 50.0
            }
            Self::Runs { runs, .. } => {
                let inside = runs.iter().skip(1).step_by(2);
                inside.map(f64::from).sum()
            }
        }
    }

    /// Draws the shape with a label.
    ///
    /// # Errors
    /// What is wrong with the shape.
    pub(super) fn draw(&self, canvas: &mut Canvas, label: u16) -> Result<(), Reason> {
        let laborious = |TooMuchWork| TooMuchWork::REASON.to_owned();
        match self {
            Self::Missing => Ok(()),
            Self::Polygons(polygons) => {
                if polygons.iter().any(|polygon| polygon.len() % 2 == 1) {
                    return Err("has a polygon with an odd number of coordinates".to_owned());
                }
                polygons
                    .iter()
                    .try_for_each(|polygon| canvas.polygon(polygon, label).map_err(laborious))
            }
            Self::Runs { size, runs } => {
                let (width, height) = canvas.size();
                if *size != [height as u64, width as u64] {
                    let [rows, columns] = size;
                    return Err(format!(
                        "has run lengths of {columns}x{rows} pixels, but its photo has {width}x{height}"
                    ));
                }
                let expanded = runs.expanded().ok_or("has damaged run lengths")?;
                let sum: u64 = expanded.iter().map(|run| u64::from(*run)).sum();
                if sum != (width * height) as u64 {
                    return Err(format!(
                        "has run lengths of {sum} pixels in all, but its photo has {}",
                        width * height
                    ));
                }
                canvas.runs(expanded, label).map_err(laborious)
            }
        }
    }
}

impl Runs {
    fn expanded(&self) -> Option<Vec<u32>> {
        match self {
            Self::Text(text) => runs::expanded(text),
            Self::Numbers(numbers) => Some(numbers.to_vec()),
        }
    }

    /// The runs; empty if they are damaged.
    fn iter(&self) -> impl Iterator<Item = u32> {
        self.expanded().unwrap_or_default().into_iter()
    }
}

impl<'de> Deserialize<'de> for Geometry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GeometryVisitor)
    }
}

struct GeometryVisitor;

impl<'de> Visitor<'de> for GeometryVisitor {
    type Value = Geometry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of polygons or an object with size and counts")
    }

    fn visit_unit<E: Error>(self) -> Result<Geometry, E> {
        Ok(Geometry::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Geometry, A::Error> {
        let mut polygons = Vec::new();
        // Some programs omit the outer list for a single polygon.
        let mut bare = Vec::new();
        while let Some(part) = list.next_element()? {
            match part {
                Part::Polygon(points) => polygons.push(points),
                Part::Coordinate(coordinate) => bare.push(coordinate),
            }
        }
        if !bare.is_empty() {
            polygons.push(bare.into_boxed_slice());
        }
        Ok(if polygons.is_empty() {
            Geometry::Missing
        } else {
            Geometry::Polygons(polygons)
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Geometry, A::Error> {
        let (mut size, mut runs): (Option<[Whole<u64>; 2]>, Option<Runs>) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "size" => size = map.next_value()?,
                "counts" => runs = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match (size, runs) {
            (Some(size), Some(runs)) => Ok(Geometry::Runs {
                size: size.map(|Whole(side)| side),
                runs,
            }),
            // Some programs write an empty object for an annotation without a shape.
            (None, None) => Ok(Geometry::Missing),
            (None, Some(_)) => Err(Error::missing_field("size")),
            (Some(_), None) => Err(Error::missing_field("counts")),
        }
    }
}

/// An element of the list: a polygon, or a coordinate of the only polygon.
enum Part {
    Polygon(Box<[i32]>),
    Coordinate(i32),
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a polygon as a list of numbers x, y, x, y, ...")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Part, E> {
        Ok(Part::Coordinate(fixed(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Part, E> {
        self.visit_f64(number as f64)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Part, E> {
        self.visit_f64(number as f64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Part, A::Error> {
        let mut points = Vec::new();
        while let Some(coordinate) = list.next_element::<f64>()? {
            points.push(fixed(coordinate));
        }
        Ok(Part::Polygon(points.into_boxed_slice()))
    }
}

impl<'de> Deserialize<'de> for Runs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RunsVisitor)
    }
}

struct RunsVisitor;

impl<'de> Visitor<'de> for RunsVisitor {
    type Value = Runs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("run lengths as a text or a list of numbers")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Runs, E> {
        Ok(Runs::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Runs, A::Error> {
        let mut runs = Vec::new();
        while let Some(Whole(run)) = list.next_element::<Whole<u32>>()? {
            runs.push(run);
        }
        Ok(Runs::Numbers(runs.into_boxed_slice()))
    }
}
