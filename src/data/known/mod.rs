//! Well-known data sets, one file each: class names, label values, published colours, and the layout of
//! the files.

pub(super) mod ade20k;
pub(super) mod camvid;
pub(super) mod cityscapes;
pub(super) mod coco_stuff;
pub(super) mod labelmap;
pub(super) mod voc;

/// The published colours of a data set with these classes, in their order; `None` if the data set is
/// unknown or has none. A class's colour is then its centroid.
pub fn published_colours(classes: &[String]) -> Option<Vec<[u8; 3]>> {
    let colour: fn(&str) -> Option<[u8; 3]> = match classes.len() {
        camvid::COUNT => camvid::colour,
        cityscapes::COUNT => cityscapes::colour,
        voc::COUNT => voc::colour,
        _ => return None,
    };
    classes.iter().map(|class| colour(class)).collect()
}
