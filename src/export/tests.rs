use super::*;
use crate::data;
use crate::encoding::Centroids;
use clap::ValueEnum;
use image::codecs::gif::{GifDecoder, GifEncoder};
use image::{AnimationDecoder, Delay, Frame, Rgb, RgbImage, RgbaImage};
use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::time::Duration;

/// A flow of three states of 2 x 4 pixels, whose right half changes its class once.
struct Flow {
    photo: RgbImage,
    centroids: Centroids,
    colours: Vec<[u8; 3]>,
    classes: Vec<String>,
    states: Vec<Vec<f32>>,
    labels: Vec<Vec<u16>>,
}

const LABELS: Artifact = Artifact::Mask(Format::Index);
const TIMES: [f32; 3] = [0.0, 0.5, 1.0];

impl Flow {
    fn new() -> Self {
        let centroids = Centroids::kronecker(4);
        let labels = vec![
            vec![1, 1, 0, 0, 1, 1, 0, 0],
            vec![1, 1, 3, 3, 1, 1, 0, 0],
            vec![1, 1, 3, 3, 1, 1, 3, 3],
        ];
        Self {
            photo: RgbImage::from_fn(16, 8, |x, y| Rgb([10 * x as u8, 20 * y as u8, 77])),
            states: labels.iter().map(|l| centroids.encode(l)).collect(),
            classes: ["sky", "a, \"b\"", "unseen", "straße"]
                .map(str::to_owned)
                .to_vec(),
            colours: centroids.colours(),
            centroids,
            labels,
        }
    }

    fn scene(&self, look: Look, opacity: f32) -> Scene<'_> {
        Scene {
            radius: 0,
            photo: &self.photo,
            trajectory: Trajectory {
                size: [2, 4],
                times: &TIMES,
                states: self.states.iter().map(Vec::as_slice).collect(),
                labels: self.labels.iter().map(Vec::as_slice).collect(),
            },
            centroids: &self.centroids,
            colours: &self.colours,
            classes: &self.classes,
            given: None,
            look,
            opacity,
        }
    }
}

impl Flow {
    fn overlay(&self, opacity: f32) -> RgbImage {
        let scene = self.scene(Look::Raw, opacity);
        overlay(&scene.mask(&scene.labels_of_photo().unwrap()), opacity)
    }
}

fn always(_: f32) -> bool {
    true
}

#[test]
fn a_label_map_has_the_photos_size() {
    let (flow, folder) = (Flow::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join(LABELS.file_name("a"));
    write(LABELS, &flow.scene(Look::Raw, 0.5), &path, &always).unwrap();
    let (width, height, labels) = data::read_labels(&path).unwrap();
    assert_eq!((width, height), (16, 8));
    assert!(
        labels
            .chunks(16)
            .all(|row| row[..8] == [1; 8] && row[8..] == [3; 8])
    );
}

#[test]
fn opacity_goes_from_the_photo_to_the_classes() {
    let flow = Flow::new();
    assert_eq!(flow.overlay(0.0), flow.photo);
    let full = flow.overlay(1.0);
    assert_eq!(full.get_pixel(15, 7).0, flow.centroids.colour(3));
    let half = flow.overlay(0.5).get_pixel(3, 5).0;
    let (photo, class) = ([30, 100, 77], flow.centroids.colour(1));
    for c in 0..3 {
        assert_eq!(u16::from(half[c]), (photo[c] + u16::from(class[c])) / 2);
    }
}

#[test]
fn the_legend_names_the_classes_that_are_there() {
    let flow = Flow::new();
    let scene = flow.scene(Look::Raw, 0.5);
    let labels = scene.labels_of_photo().unwrap();
    let sheet = colours(&scene.mask(&labels));
    // 16 x 8 pixels, magnified 32 times.
    assert!(
        sheet.width() == 512 && sheet.height() > 256 + 40,
        "{:?}",
        sheet.dimensions()
    );
    assert_eq!(sheet.get_pixel(0, 0).0, flow.centroids.colour(1));
    assert_eq!(sheet.get_pixel(511, 255).0, flow.centroids.colour(3));
    let below: HashSet<[u8; 3]> = (256..sheet.height())
        .flat_map(|y| (0..512).map(move |x| (x, y)))
        .map(|(x, y)| sheet.get_pixel(x, y).0)
        .collect();
    for (class, there) in [(0, false), (1, true), (2, false), (3, true)] {
        assert_eq!(
            below.contains(&flow.centroids.colour(class)),
            there,
            "{class}"
        );
    }
    // The text has ink, and nothing touches the margin.
    assert!(below.iter().any(|colour| colour.iter().all(|c| *c < 80)));
    assert!((0..512).all(|x| sheet.get_pixel(x, sheet.height() - 1).0 == [255; 3]));
}

/// The frames of an animation, as another program reads them.
fn frames_of(path: &Path) -> Vec<Frame> {
    let decoder = GifDecoder::new(BufReader::new(File::open(path).unwrap())).unwrap();
    decoder.into_frames().collect_frames().unwrap()
}

#[test]
fn an_animation_has_a_frame_a_state_in_exact_colours() {
    let (flow, folder) = (Flow::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("a.gif");
    write(Artifact::Gif, &flow.scene(Look::Map, 0.5), &path, &always).unwrap();
    let frames = frames_of(&path);
    assert_eq!(frames.len(), 3);
    for (frame, labels) in frames.iter().zip(&flow.labels) {
        let picture = frame.buffer();
        assert_eq!(picture.dimensions(), (512, 256));
        for (i, &label) in labels.iter().enumerate() {
            let (x, y) = ((i % 4) as u32 * 128 + 5, (i / 4) as u32 * 128 + 5);
            let [r, g, b] = flow.centroids.colour(usize::from(label));
            assert_eq!(picture.get_pixel(x, y).0, [r, g, b, 255]);
        }
    }
}

#[test]
fn every_pixel_of_an_animated_map_is_a_class_colour() {
    // 200 classes in no particular order, more than a palette of an animation would keep by chance.
    let folder = tempfile::tempdir().unwrap();
    let centroids = Centroids::kronecker(200);
    let colours = centroids.colours();
    let classes: Vec<String> = (0..200).map(|class| class.to_string()).collect();
    let labels: Vec<u16> = (0..20 * 30).map(|i| i * 77 % 200).collect();
    let state = centroids.encode(&labels);
    let photo = RgbImage::new(30, 20);
    let scene = Scene {
        radius: 0,
        photo: &photo,
        trajectory: Trajectory {
            size: [20, 30],
            times: &[0.0],
            states: vec![&state],
            labels: vec![&labels],
        },
        centroids: &centroids,
        colours: &colours,
        classes: &classes,
        given: None,
        look: Look::Map,
        opacity: 0.5,
    };
    let path = folder.path().join("a.gif");
    write(Artifact::Gif, &scene, &path, &always).unwrap();
    let frames = frames_of(&path);
    let picture = frames[0].buffer();
    // Magnified by a whole factor.
    let scale = picture.width() / 30;
    assert!(scale > 1 && picture.dimensions() == (30 * scale, 20 * scale));
    for (x, y, pixel) in picture.enumerate_pixels() {
        let label = labels[(y / scale * 30 + x / scale) as usize];
        let [r, g, b] = colours[usize::from(label)];
        assert_eq!(pixel.0, [r, g, b, 255], "at {x}, {y}");
    }
}

/// A state has many more colours than classes, and those of the classes are not mixed with the others.
#[test]
fn pixels_that_have_arrived_have_exact_colours_in_an_animation_of_states() {
    let (flow, folder) = (Flow::new(), tempfile::tempdir().unwrap());
    let labels: Vec<u16> = (0..64 * 64).map(|i| i % 64 / 16).collect();
    let mut state = flow.centroids.encode(&labels);
    // The upper half is still on its way.
    for (i, value) in state.iter_mut().enumerate() {
        if i % (64 * 64) < 32 * 64 {
            *value += (i * 7919 % 1009) as f32 / 5000.0 - 0.1;
        }
    }
    let scene = Scene {
        trajectory: Trajectory {
            size: [64, 64],
            times: &[1.0],
            states: vec![&state],
            labels: vec![&labels],
        },
        ..flow.scene(Look::Raw, 0.5)
    };
    let path = folder.path().join("a.gif");
    write(Artifact::Gif, &scene, &path, &always).unwrap();
    let frames = frames_of(&path);
    let picture = frames[0].buffer();
    let scale = picture.width() / 64;
    let mut all = HashSet::new();
    for (x, y, pixel) in picture.enumerate_pixels() {
        all.insert(pixel.0);
        if y >= 32 * scale {
            let [r, g, b] = flow.centroids.colour((x / scale / 16) as usize);
            assert_eq!(pixel.0, [r, g, b, 255], "at {x}, {y}");
        }
    }
    assert!(all.len() > 100, "{} colours", all.len());
}

#[test]
fn frames_fill_a_folder_of_their_own() {
    let (flow, folder) = (Flow::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join(Artifact::Frames.file_name("a"));
    let scene = flow.scene(Look::Overlay, 1.0);
    fs::create_dir(&path).unwrap();
    write(Artifact::Frames, &scene, &path, &always).unwrap();
    for (at, labels) in flow.labels.iter().enumerate() {
        let picture = image::open(path.join(format!("{at:04}.png")))
            .unwrap()
            .to_rgb8();
        let corner = flow.centroids.colour(usize::from(labels[7]));
        assert_eq!(picture.get_pixel(511, 255).0, corner);
    }
    assert_eq!(fs::read_dir(&path).unwrap().count(), 3);
    let error = write(Artifact::Frames, &scene, &path, &always).unwrap_err();
    assert!(error.to_string().contains("a.frames"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_trajectory_reads_back() {
    let (flow, folder) = (Flow::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("a.trajectory.safetensors");
    write(
        Artifact::Trajectory,
        &flow.scene(Look::Raw, 0.5),
        &path,
        &always,
    )
    .unwrap();
    let bytes = fs::read(&path).unwrap();
    let file = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let states = file.tensor("states").unwrap();
    assert_eq!(states.shape(), [3, 3, 2, 4]);
    let floats = |bytes: &[u8]| -> Vec<f32> {
        let quads = bytes.chunks_exact(4);
        quads
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    };
    assert_eq!(floats(states.data()), flow.states.concat());
    assert_eq!(floats(file.tensor("times").unwrap().data()), TIMES);
    let labels = file.tensor("labels").unwrap();
    assert_eq!(
        (labels.shape(), labels.data()[16 * 2 + 14]),
        (&[3, 2, 4][..], 3)
    );
    let (_, header) = ::safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let card = &header.metadata().as_ref().unwrap()["flowseg"];
    let card: serde_json::Value = serde_json::from_str(card).unwrap();
    assert_eq!(card["classes"][3], "straße");
    assert_eq!(card["centroids"][2][1], flow.centroids.points()[2][1]);
}

#[test]
fn numbers_are_a_row_a_state() {
    let flow = Flow::new();
    let text = String::from_utf8(numbers(&flow.scene(Look::Raw, 0.5))).unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    assert!(
        header.starts_with("step,t,settled,mean_speed,share_sky,\"share_a, \"\"b\"\"\","),
        "{header}"
    );
    let rows: Vec<Vec<String>> = lines
        .map(|row| row.split(',').map(str::to_owned).collect())
        .collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0][..3], ["0", "0", "0.5"]);
    assert_eq!(rows[1][..3], ["1", "0.5", "0.75"]);
    assert_eq!(rows[2][..4], ["2", "1", "1", ""]);
    assert_eq!(rows[1][4..], ["0.25", "0.5", "0", "0.25"]);
    // A quarter of the pixels moves from one centroid to another in half the time.
    let [a, b] = [0, 3].map(|class| flow.centroids.points()[class]);
    let distance: f64 = (0..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f64>().sqrt();
    let speed: f64 = rows[0][3].parse().unwrap();
    assert!((speed - 0.25 * distance / 0.5).abs() < 1e-6, "{speed}");
}

#[test]
fn a_cancelled_export_leaves_nothing() {
    let (flow, folder) = (Flow::new(), tempfile::tempdir().unwrap());
    let scene = flow.scene(Look::Raw, 0.5);
    for artifact in [Artifact::Gif, Artifact::Frames] {
        let calls = Cell::new(0);
        let twice = |done: f32| {
            assert!((0.0..=1.0).contains(&done));
            calls.set(calls.get() + 1);
            calls.get() < 2
        };
        let path = folder.path().join(artifact.file_name("a"));
        let error = write(artifact, &scene, &path, &twice).unwrap_err();
        assert!(matches!(error, ExportError::Cancelled), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// A mask of another size, as of a photo that was replaced by another one.
#[test]
fn how_sure_the_network_is_needs_no_mask() {
    let (flow, folder) = (Flow::new(), tempfile::tempdir().unwrap());
    let given = GivenMask {
        labels: vec![0; 3],
        origin: data::Origin::Unstated,
    };
    let scene = Scene {
        given: Some(&given),
        ..flow.scene(Look::Raw, 0.5)
    };
    for format in [Format::Index, Format::Margin, Format::EntropyNpy] {
        let artifact = Artifact::Mask(format);
        let path = folder.path().join(artifact.file_name("a"));
        let written = write(artifact, &scene, &path, &always);
        assert_eq!(written.is_ok(), !format.shows_mask(), "{written:?}");
        assert_eq!(path.exists(), !format.shows_mask());
    }
}

#[test]
fn votes_that_do_not_fit_into_memory_are_refused_where_they_are_needed() {
    let (flow, folder) = (Flow::new(), tempfile::tempdir().unwrap());
    // 2.04 GiB of votes.
    let (size, classes) = ([740, 740], 1000);
    let centroids = Centroids::kronecker(classes);
    let state = vec![0.0; centroids.dims() * size[0] * size[1]];
    let labels = vec![0; size[0] * size[1]];
    let scene = Scene {
        trajectory: Trajectory {
            size,
            times: &TIMES[..1],
            states: vec![&state],
            labels: vec![&labels],
        },
        centroids: &centroids,
        ..flow.scene(Look::Raw, 0.5)
    };
    let written = |scene: &Scene, format: Format| {
        let artifact = Artifact::Mask(format);
        let path = folder.path().join(artifact.file_name("a"));
        write(artifact, scene, &path, &always)
    };
    for format in [Format::Index, Format::Margin] {
        let error = written(&scene, format).unwrap_err();
        assert!(matches!(error, ExportError::Votes(_)), "{error}");
        assert!(error.to_string().contains("smaller scale"), "{error}");
    }
    assert!(scene.labels_of_photo().is_err());
    // A given mask is shown without them.
    let given = GivenMask {
        labels: vec![0; 16 * 8],
        origin: data::Origin::Unstated,
    };
    let given = Some(&given);
    let scene = Scene { given, ..scene };
    written(&scene, Format::Index).unwrap();
    assert!(written(&scene, Format::Margin).is_err());
}

#[test]
fn only_files_of_this_program_are_replaced() {
    let (flow, folder) = (Flow::new(), tempfile::tempdir().unwrap());
    let scene = flow.scene(Look::Raw, 0.5);
    let (votes, labels) = (scene.votes().unwrap(), scene.labels_of_photo().unwrap());
    let made_with = "{\"model\": \"Straße\"}";
    let details = Details {
        photo: Path::new("photo.jpg"),
        cutout: &[1],
        opacity: 0.5,
        votes: Some(&votes),
        origin: data::Origin::MadeWith(made_with),
    };
    let array = "{'descr': '|u1', 'fortran_order': False, 'shape': (8, 16), }";
    let array = format!("{array:117}\n");
    let array = [
        &b"\x93NUMPY\x01\x00\x76\x00"[..],
        array.as_bytes(),
        &[0; 8 * 16],
    ]
    .concat();
    for format in Format::value_variants() {
        let Some(suffix) = format.suffix() else {
            continue;
        };
        let path = folder.path().join(format!("a{suffix}"));
        format.keep_foreign(&path).unwrap();
        for _ in 0..2 {
            format.write(&scene.mask(&labels), &path, &details).unwrap();
            format.keep_foreign(&path).unwrap();
        }
        assert!(format.fits(&path, [16, 8]) && format.fits(&path, [8, 16]));
        let fits_any = !format.says_size();
        assert_eq!(format.fits(&path, [17, 8]), fits_any, "{format:?}");
        let says = matches!(format, Format::Index | Format::Palette);
        let said = says.then(|| made_with.to_owned());
        assert_eq!(format.made_with(&path), said, "{format:?}");
        let mine = if format.is_folder() {
            path.join("0-mine.png")
        } else {
            path.clone()
        };
        let ending = mine.extension().and_then(|ending| ending.to_str());
        let is_picture = matches!(ending, Some("png" | "tif"));
        fs::write(&mine, "mine").unwrap();
        if is_picture && !format.is_folder() {
            // Not a picture, whatever its name says.
            format.keep_foreign(&path).unwrap();
        } else {
            let error = format.keep_foreign(&path).unwrap_err().to_string();
            let name = mine.file_name().unwrap().to_str().unwrap();
            assert!(
                error.contains(name) && error.contains("not replaced"),
                "{error}"
            );
        }
        // As other programs write them.
        match ending {
            Some("png" | "tif") => image::GrayImage::new(16, 8).save(&mine).unwrap(),
            Some("npy") => fs::write(&mine, &array).unwrap(),
            _ => continue,
        }
        assert!(format.keep_foreign(&path).is_err(), "{}", mine.display());
    }
    for artifact in [Artifact::Gif, Artifact::Numbers] {
        let path = folder.path().join(artifact.file_name("a"));
        artifact.keep_foreign(&path).unwrap();
        write(artifact, &scene, &path, &always).unwrap();
        artifact.keep_foreign(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        assert!(artifact.keep_foreign(&path).is_err());
    }
    let path = folder.path().join("a.trajectory.gif");
    // One of an earlier version has no mark, but shows the first picture as long as it did.
    for (shown, is_own) in [(100, false), (1200, true)] {
        let mut gif = GifEncoder::new(File::create(&path).unwrap());
        let delay = Delay::from_saturating_duration(Duration::from_millis(shown));
        let picture = Frame::from_parts(RgbaImage::new(2, 2), 0, 0, delay);
        gif.encode_frame(picture).unwrap();
        drop(gif);
        assert_eq!(Artifact::Gif.keep_foreign(&path).is_ok(), is_own);
    }
    // Pictures that this program does not read.
    for (format, name) in [(Format::Tiff, "a.tif"), (Format::Overlay, "a.overlay.png")] {
        let path = folder.path().join(name);
        for start in [
            &b"II+\0\x08\0\0\0"[..],
            b"8BPS\0\x01",
            b"\0\0\0\x18ftypheic",
        ] {
            fs::write(&path, start).unwrap();
            let error = format.keep_foreign(&path).unwrap_err().to_string();
            assert!(
                error.contains(name) && error.contains("earlier version"),
                "{error}"
            );
        }
    }
}

#[test]
fn corrected_masks_say_so_and_are_kept() {
    let (flow, folder) = (Flow::new(), tempfile::tempdir().unwrap());
    let [path, photo] = ["a.png", "photo.png"].map(|name| folder.path().join(name));
    flow.photo.save(&photo).unwrap();
    let mut mask = GivenMask {
        labels: vec![1; 16 * 8],
        origin: data::Origin::Unstated,
    };
    // Neither the network's mask nor one of several passes is a person's.
    for given in [None, Some(&mask)] {
        let scene = Scene {
            given,
            ..flow.scene(Look::Raw, 0.5)
        };
        write(LABELS, &scene, &path, &always).unwrap();
        Format::Index.keep_foreign(&path).unwrap();
        let first = if given.is_some() {
            1
        } else {
            flow.labels[2][3]
        };
        assert_eq!(data::read_labels(&path).unwrap().2[15], first);
    }
    mask.origin = data::Origin::ByHand;
    let scene = Scene {
        given: Some(&mask),
        ..flow.scene(Look::Raw, 0.5)
    };
    // The window asks whether it replaces one.
    for _ in 0..2 {
        write(LABELS, &scene, &path, &always).unwrap();
    }
    for (format, name) in [(Format::Index, "a.png"), (Format::Palette, "a.palette.png")] {
        let path = folder.path().join(name);
        write_mask(format, &scene, &path).unwrap();
        let error = format.keep_foreign(&path).unwrap_err().to_string();
        assert!(
            error.contains(name) && error.contains("corrected by hand"),
            "{error}"
        );
        assert!(format.is_corrected(&path, &photo, 4));
    }
}

#[test]
fn failures_name_the_file() {
    let (flow, folder) = (Flow::new(), tempfile::tempdir().unwrap());
    let scene = flow.scene(Look::Raw, 0.5);
    // Parent folders that are files are refused even for users who may write anywhere.
    fs::write(folder.path().join("file"), "").unwrap();
    for artifact in Artifact::ALL {
        let name = artifact.file_name("a");
        let path = folder.path().join("file").join(&name);
        let error = write(artifact, &scene, &path, &always)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&name) && !error.contains('\n'), "{error}");
        assert!(error.contains("check"), "{error}");
        assert!(name.ends_with(artifact.extension()));
    }
    let mut empty = flow.scene(Look::Raw, 0.5);
    empty.trajectory.states.clear();
    let path = folder.path().join("a.gif");
    let error = write(Artifact::Gif, &empty, &path, &always)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a.gif") && error.contains("no state"),
        "{error}"
    );
    assert!(!path.exists());
}
