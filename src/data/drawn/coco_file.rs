//! What COCO's JSON files hold, as far as it is used.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;

use super::geometry::Geometry;
use super::json::Whole;
use super::places;

/// The expected kind of file, for errors.
pub(super) const WHAT: &str = "a COCO file";

/// The id of an image or a category: a number or a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Id {
    Number(i64),
    Text(String),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{:?}", text),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Category {
    pub id: Id,
    pub name: String,
    /// A name; other programs may write anything here.
    supercategory: Option<Value>,
}

impl Category {
    /// The name of the category that it is below.
    pub(super) fn above(&self) -> Option<&str> {
        self.supercategory.as_ref()?.as_str()
    }
}

/// The classes of a file; its annotations are skipped.
#[derive(Deserialize)]
pub(super) struct Head {
    pub categories: Vec<Category>,
    #[serde(default)]
    pub annotations: FirstOf,
}

/// Whether the first annotation is a panoptic one.
#[derive(Default)]
pub(super) struct FirstOf {
    pub panoptic: bool,
}

#[derive(Deserialize)]
pub(super) struct File {
    pub images: Vec<Image>,
    #[serde(default)]
    pub annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
pub(super) struct Image {
    pub id: Id,
    pub file_name: String,
    pub width: Option<Whole<u64>>,
    pub height: Option<Whole<u64>>,
}

#[derive(Deserialize)]
pub(super) struct Annotation {
    pub id: Option<Id>,
    pub image_id: Id,
    pub category_id: Option<Id>,
    #[serde(default)]
    pub iscrowd: Flag,
    #[serde(default)]
    pub segmentation: Geometry,
    pub segments_info: Option<Vec<Segment>>,
    pub file_name: Option<String>,
    /// `[left, top, width, height]` in pixels; `None` if it is not of this form.
    #[serde(default, rename = "bbox", deserialize_with = "four_numbers")]
    pub rectangle: Option<[f64; 4]>,
    /// Whether the attribute `occluded` is there, which CVAT gives to every annotation.
    #[serde(default, rename = "attributes", deserialize_with = "has_occluded")]
    pub is_by_cvat: bool,
}

#[derive(Deserialize)]
pub(super) struct Segment {
    pub id: Whole<u32>,
    pub category_id: Id,
    #[serde(default)]
    pub iscrowd: Flag,
}

impl Image {
    /// Where its photo lies in the folder of photos; `None` for a path that leads out of it.
    pub(super) fn place(&self) -> Option<PathBuf> {
        places::inside(Path::new(""), &places::slashed(&self.file_name))
    }
}

/// 0 or 1, or as some programs write it, false or true.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flag(pub bool);

fn four_numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[f64; 4]>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

fn has_occluded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.get("occluded").is_some())
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a number or a text as an id")]
        enum Either {
            Number(Whole<i64>),
            Text(String),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Number(Whole(number)) => Self::Number(number),
            Either::Text(text) => Self::Text(text),
        })
    }
}

impl<'de> Deserialize<'de> for FirstOf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct First {
            segments_info: Option<IgnoredAny>,
        }
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = FirstOf;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of annotations")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FirstOf, A::Error> {
                let first: Option<First> = list.next_element()?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(FirstOf {
                    panoptic: first.is_some_and(|first| first.segments_info.is_some()),
                })
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("0 or 1")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(flag))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Flag, E> {
                Ok(Flag(number != 0))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Flag, E> {
                Ok(Flag(number != 0))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Flag, E> {
                Ok(Flag(number != 0.0))
            }

            fn visit_unit<E: Error>(self) -> Result<Flag, E> {
                Ok(Flag(false))
            }
        }
        deserializer.deserialize_any(Number)
    }
}
