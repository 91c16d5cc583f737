//! Photos: the first byte selects the ending of the name, the rest is the file.
#![no_main]

use flowseg::data;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

const ENDINGS: [&str; 12] = [
    "jpg", "png", "webp", "heic", "bmp", "gif", "tif", "pnm", "tga", "ppm", "avif", "txt",
];

fuzz_target!(|bytes: &[u8]| {
    if let [first, file @ ..] = bytes {
        let ending = ENDINGS[usize::from(*first) % ENDINGS.len()];
        let name = format!("photo.{ending}");
        let _ = data::decode_photo(Path::new(&name), file.to_vec());
    }
});
