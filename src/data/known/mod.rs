//! The data sets that everybody knows, a file each: the names of the classes, the label values that
//! stand for them, the colours that they were published with, and how the files lie.

pub(super) mod ade20k;
pub(super) mod camvid;
pub(super) mod cityscapes;
pub(super) mod coco_stuff;
pub(super) mod voc;

/// The colours that a data set with these classes was published with, in their order; `None` where
/// it is not known or was published without. Without one a class's colour is its centroid.
pub fn published_colours(classes: &[String]) -> Option<Vec<[u8; 3]>> {
    let colour: fn(&str) -> Option<[u8; 3]> = match classes.len() {
        camvid::COUNT => camvid::colour,
        cityscapes::COUNT => cityscapes::colour,
        voc::COUNT => voc::colour,
        _ => return None,
    };
    classes.iter().map(|class| colour(class)).collect()
}
