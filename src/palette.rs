//! Colours that data sets were published with, for those who know their masks by them. Without one
//! a class's colour is its centroid.

type Entry = (&'static str, [u8; 3]);

/// CamVid's eleven classes, as the SegNet tutorial colours them.
const CAMVID: [Entry; 11] = [
    ("sky", [128, 128, 128]),
    ("building", [128, 0, 0]),
    ("pole", [192, 192, 128]),
    ("road", [128, 64, 128]),
    ("pavement", [60, 40, 222]),
    ("tree", [128, 128, 0]),
    ("sign", [192, 128, 128]),
    ("fence", [64, 64, 128]),
    ("car", [64, 0, 128]),
    ("pedestrian", [64, 64, 0]),
    ("bicyclist", [0, 128, 192]),
];

/// Cityscapes' nineteen classes, as its scripts colour them (`labels.py`).
const CITYSCAPES: [Entry; 19] = [
    ("road", [128, 64, 128]),
    ("sidewalk", [244, 35, 232]),
    ("building", [70, 70, 70]),
    ("wall", [102, 102, 156]),
    ("fence", [190, 153, 153]),
    ("pole", [153, 153, 153]),
    ("traffic light", [250, 170, 30]),
    ("traffic sign", [220, 220, 0]),
    ("vegetation", [107, 142, 35]),
    ("terrain", [152, 251, 152]),
    ("sky", [70, 130, 180]),
    ("person", [220, 20, 60]),
    ("rider", [255, 0, 0]),
    ("car", [0, 0, 142]),
    ("truck", [0, 0, 70]),
    ("bus", [0, 60, 100]),
    ("train", [0, 80, 100]),
    ("motorcycle", [0, 0, 230]),
    ("bicycle", [119, 11, 32]),
];

/// The published colours of a data set with these classes, in their order; none where it is not
/// known or was published without.
pub fn published(classes: &[String]) -> Option<Vec<[u8; 3]>> {
    let is = |table: &[Entry]| {
        classes.len() == table.len() && classes.iter().all(|class| colour(table, class).is_some())
    };
    let table = [&CAMVID[..], &CITYSCAPES]
        .into_iter()
        .find(|table| is(table));
    match table {
        Some(table) => classes.iter().map(|class| colour(table, class)).collect(),
        None if classes.len() == 21 && classes[1] == "aeroplane" => {
            Some((0..classes.len()).map(voc).collect())
        }
        None => None,
    }
}

fn colour(table: &[Entry], class: &str) -> Option<[u8; 3]> {
    let found = table.iter().find(|(name, _)| *name == class);
    found.map(|(_, colour)| *colour)
}

/// Pascal VOC's rule: the bits of the index, three at a time, from the highest of each channel down.
fn voc(class: usize) -> [u8; 3] {
    let mut colour = [0u8; 3];
    for place in 0..8 {
        for (channel, value) in colour.iter_mut().enumerate() {
            let bit = class >> (3 * place + channel) & 1;
            *value |= (bit as u8) << (7 - place);
        }
    }
    colour
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_names_and_unknown_classes_have_none() {
        let mut names: Vec<String> = CAMVID.iter().map(|(name, _)| (*name).into()).collect();
        names.reverse();
        assert_eq!(published(&names).unwrap()[10], [128, 128, 128]);
        names.pop();
        assert!(published(&names).is_none());
    }

    #[test]
    fn the_rule_of_pascal_voc() {
        // Background, aeroplane, bicycle, person and monitor of the published palette.
        let known = [
            (0, [0, 0, 0]),
            (1, [128, 0, 0]),
            (2, [0, 128, 0]),
            (15, [192, 128, 128]),
            (20, [0, 64, 128]),
        ];
        for (class, colour) in known {
            assert_eq!(voc(class), colour);
        }
    }
}
