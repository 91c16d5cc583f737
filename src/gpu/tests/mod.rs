//! Compares the canvas's shaders with the CPU, pixel by pixel, on whatever adapter is available,
//! such as Mesa's software one.

mod driver;
mod fitted;

use super::canvas::{DOUBT_COLOURS, Layer, PaneView, Pipelines, Sources, Values};
use super::draw::pass_on;
use super::field;
use crate::encoding::Centroids;
use crate::labels::{IGNORE, bilinear};
use image::RgbImage;
use std::sync::Arc;

const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;
/// Height and width of the states, and of the photo.
const SIZE: [usize; 2] = [16, 24];
const PHOTO: [u32; 2] = [64, 96];

fn device() -> (wgpu::Device, wgpu::Queue) {
    field::tests::device()
}

/// Three classes in stripes, moving from a grey picture to their centroids.
struct Example {
    centroids: Centroids,
    before: Vec<f32>,
    after: Vec<f32>,
    photo: RgbImage,
    truth: Vec<u16>,
}

fn example(classes: usize) -> Example {
    example_in(classes, 3)
}

fn example_in(classes: usize, dims: usize) -> Example {
    let centroids = Centroids::kronecker_in(classes, dims);
    let pixels = SIZE[0] * SIZE[1];
    let labels: Vec<u16> = (0..pixels)
        .map(|p| ((p % SIZE[1]) * classes / SIZE[1]) as u16)
        .collect();
    let after = centroids.encode(&labels);
    let before = (0..dims * pixels)
        .map(|i| 0.8 * (i as f32 * 0.37).sin())
        .collect();
    let photo = RgbImage::from_fn(PHOTO[1], PHOTO[0], |x, y| {
        image::Rgb([(2 * x) as u8, (3 * y) as u8, (x * y % 256) as u8])
    });
    let truth = (0..PHOTO[0] * PHOTO[1])
        .map(|p| match p % 7 {
            0 => IGNORE,
            k => (k as usize % classes) as u16,
        })
        .collect();
    Example {
        centroids,
        before,
        after,
        photo,
        truth,
    }
}

fn between(e: &Example, share: f32) -> Vec<f32> {
    let pairs = e.before.iter().zip(&e.after);
    pairs.map(|(a, b)| a + (b - a) * share).collect()
}

/// A texture of one u32 per pixel.
fn read_back(device: &wgpu::Device, queue: &wgpu::Queue, source: &wgpu::Texture) -> Vec<u32> {
    // Copies need rows of a multiple of 256 bytes.
    let row = (4 * source.width()).next_multiple_of(256);
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(row * source.height()),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    encoder.copy_texture_to_buffer(
        source.as_image_copy(),
        wgpu::TexelCopyBufferInfo {
            buffer: &staging,
            layout: wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(row),
                rows_per_image: None,
            },
        },
        source.size(),
    );
    queue.submit([encoder.finish()]);
    let bytes = map(device, &staging);
    let rows = bytes.chunks(row as usize);
    rows.flat_map(|row| {
        bytemuck::pod_collect_to_vec::<u8, u32>(&row[..4 * source.width() as usize])
    })
    .collect()
}

fn map(device: &wgpu::Device, staging: &wgpu::Buffer) -> Vec<u8> {
    staging.map_async(wgpu::MapMode::Read, .., |_| ());
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    staging.get_mapped_range(..).unwrap().to_vec()
}

/// A corrected mask, and the labels that replace a part of it.
struct Corrected {
    labels: Vec<u16>,
    columns_and_rows: (std::ops::Range<usize>, std::ops::Range<usize>),
    part: Vec<u16>,
}

/// Draws at one framebuffer pixel a photo pixel.
fn draw(e: &Example, layer: Layer, share: f32, fine: bool, hidden: Option<usize>) -> Vec<u8> {
    draw_with(e, layer, share, fine, hidden, |_, _| ())
}

/// The same with a corrected mask of the photo's size, a part of which is replaced afterwards.
fn draw_corrected(
    e: &Example,
    layer: Layer,
    share: f32,
    fine: bool,
    hidden: Option<usize>,
    mask: &Corrected,
) -> Vec<u8> {
    draw_with(e, layer, share, fine, hidden, |pipelines, sources| {
        let map = pipelines.labels(PHOTO.map(|side| side as usize), &mask.labels);
        let map = map.unwrap();
        let (x, y) = mask.columns_and_rows.clone();
        pipelines.replace_labels(&map, x, y, &mask.part).unwrap();
        sources.corrected = Some(Arc::new(map));
    })
}

/// The same from sources that `add` adds to.
fn draw_with(
    e: &Example,
    layer: Layer,
    share: f32,
    fine: bool,
    hidden: Option<usize>,
    add: impl FnOnce(&Pipelines, &mut Sources),
) -> Vec<u8> {
    let (device, queue) = device();
    let pipelines = Pipelines::new(&device, &queue, FORMAT).unwrap();
    let colours: Vec<[u8; 3]> = (0..e.centroids.len())
        .map(|k| e.centroids.colour(k))
        .collect();
    let shown = |k| Some(k) != hidden;
    let classes = pipelines.classes(&e.centroids, &colours, shown).unwrap();
    let [before, after] = [&e.before, &e.after].map(|x| Arc::new(pipelines.state(x).unwrap()));
    let labels = pipelines
        .decode(&classes, SIZE, &before, &after, share)
        .unwrap();
    let truth = pipelines
        .labels([PHOTO[0] as usize, PHOTO[1] as usize], &e.truth)
        .unwrap();
    let mut sources = Sources {
        photo: Arc::new(pipelines.photo(&e.photo).unwrap()),
        truth: Some(Arc::new(truth)),
        corrected: None,
        size: SIZE,
        before,
        after,
        share,
        labels: Arc::new(labels),
        doubt: None,
        second: None,
    };
    add(&pipelines, &mut sources);
    let view = PaneView {
        layer,
        origin: [0.0, 0.0],
        extent: [PHOTO[1] as f32, PHOTO[0] as f32],
        fine,
        opacity: 0.5,
        lit: None,
    };
    let pane = pipelines.pane(&classes, &sources, &view).unwrap();
    pixels_of(&device, &queue, PHOTO, |pass| pipelines.draw(pass, &pane))
}

/// What is drawn on a picture of a height and width: RGB.
fn pixels_of(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    [height, width]: [u32; 2],
    draw: impl FnOnce(&mut wgpu::RenderPass<'_>),
) -> Vec<u8> {
    // Rows of a copied texture are multiples of 256 bytes long.
    let row = width.next_multiple_of(64);
    let target = device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d {
            width: row,
            height,
            depth_or_array_layers: 1,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: FORMAT,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(4 * row * height),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    let view = target.create_view(&Default::default());
    draw(&mut pass_on(&mut encoder, &view));
    encoder.copy_texture_to_buffer(
        target.as_image_copy(),
        wgpu::TexelCopyBufferInfo {
            buffer: &staging,
            layout: wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(4 * row),
                rows_per_image: None,
            },
        },
        target.size(),
    );
    queue.submit([encoder.finish()]);
    let bytes = map(device, &staging);
    bytes
        .chunks(4 * row as usize)
        .flat_map(|row| {
            row[..4 * width as usize]
                .chunks(4)
                .flat_map(|p| [p[0], p[1], p[2]])
        })
        .collect()
}

/// Asserts that no channel differs by more than rounding.
#[track_caller]
fn same(drawn: &[u8], expected: &[u8]) {
    assert_eq!(drawn.len(), expected.len());
    for (i, (a, b)) in drawn.iter().zip(expected).enumerate() {
        assert!(a.abs_diff(*b) <= 1, "byte {i}: {a}, expected {b}");
    }
}

#[test]
fn states_decode_as_on_the_cpu() {
    let (device, queue) = device();
    let pipelines = Pipelines::new(&device, &queue, FORMAT).unwrap();
    for (classes, dims) in [
        (2, 3),
        (11, 3),
        (171, 3),
        (11, 4),
        (11, 5),
        (59, 8),
        (20, 9),
        (11, 13),
        (11, 16),
        (1500, 11),
    ] {
        let e = example_in(classes, dims);
        let colours = vec![[0; 3]; classes];
        let table = pipelines.classes(&e.centroids, &colours, |_| true).unwrap();
        let [before, after] = [&e.before, &e.after].map(|x| pipelines.state(x).unwrap());
        for share in [0.0, 0.4, 1.0] {
            let labels = pipelines
                .decode(&table, SIZE, &before, &after, share)
                .unwrap();
            let drawn: Vec<u16> = read_back(&device, &queue, labels.view.texture())
                .iter()
                .map(|&label| label as u16)
                .collect();
            assert_eq!(drawn, e.centroids.decode(&between(&e, share)));
        }
    }
}

/// More groups than one dimension of a dispatch has.
#[test]
fn large_states_decode_as_small_ones() {
    let (device, queue) = device();
    let pipelines = Pipelines::new(&device, &queue, FORMAT).unwrap();
    let size = [2100, 2000];
    let pixels = size[0] * size[1];
    assert!(pixels > 65_535 * 64);
    let centroids = Centroids::kronecker(2);
    let class = |pixel: usize| u16::from(pixel % 1009 < 300);
    let state = (0..3 * pixels).map(|i| {
        let point = centroids.points()[usize::from(class(i % pixels))];
        point[i / pixels] as f32
    });
    let state = pipelines.state(&state.collect::<Vec<_>>()).unwrap();
    let table = pipelines
        .classes(&centroids, &[[0; 3]; 2], |_| true)
        .unwrap();
    let labels = pipelines.decode(&table, size, &state, &state, 0.0).unwrap();
    let drawn = read_back(&device, &queue, labels.view.texture());
    let mut found = drawn.iter().enumerate();
    assert!(found.all(|(pixel, label)| *label == u32::from(class(pixel))));
}

#[test]
fn the_photo_and_the_raw_state_are_drawn_as_they_are() {
    let e = example(5);
    same(&draw(&e, Layer::Photo, 0.0, true, None), e.photo.as_raw());
    let share = 0.3;
    let x = between(&e, share);
    let pixels = SIZE[0] * SIZE[1];
    let block = PHOTO[0] as usize / SIZE[0];
    let expected: Vec<u8> = (0..(PHOTO[0] * PHOTO[1]) as usize)
        .flat_map(|p| {
            let (row, column) = (p / PHOTO[1] as usize, p % PHOTO[1] as usize);
            let cell = row / block * SIZE[1] + column / block;
            [0, 1, 2].map(|c| crate::encoding::to_byte(x[c * pixels + cell]))
        })
        .collect();
    same(&draw(&e, Layer::Raw, share, true, None), &expected);
}

/// At the photo's size the map is the label map scaled by shares. It differs from an exported mask,
/// which is decided by votes, only along outlines. Hidden classes are grey.
#[test]
fn maps_and_overlays_are_the_scaled_label_map() {
    let e = example(5);
    let small = e.centroids.decode(&between(&e, 0.8));
    let to = [PHOTO[0] as usize, PHOTO[1] as usize];
    let fine = bilinear(&small, SIZE, to);
    let block = to[0] / SIZE[0];
    let coarse: Vec<u16> = (0..to[0] * to[1])
        .map(|p| small[p / to[1] / block * SIZE[1] + p % to[1] / block])
        .collect();
    let colour = |class: &u16| e.centroids.colour(usize::from(*class));
    for (labels, smooth) in [(&fine, true), (&coarse, false)] {
        let expected: Vec<u8> = labels.iter().flat_map(colour).collect();
        same(&draw(&e, Layer::Map, 0.8, smooth, None), &expected);
    }
    let grey = |class: &u16| if *class == 2 { [51; 3] } else { colour(class) };
    let expected: Vec<u8> = fine.iter().flat_map(grey).collect();
    same(&draw(&e, Layer::Map, 0.8, true, Some(2)), &expected);
    let mixed: Vec<u8> = fine
        .iter()
        .zip(e.photo.pixels())
        .flat_map(|(class, photo)| {
            let class = colour(class);
            [0, 1, 2].map(|c| ((u16::from(class[c]) + u16::from(photo[c])) / 2) as u8)
        })
        .collect();
    same(&draw(&e, Layer::Overlay, 0.8, true, None), &mixed);
}

/// The mask that a person corrected is drawn instead of the network's, down to the pixel.
#[test]
fn a_corrected_mask_is_drawn_instead_of_the_state() {
    let e = example(3);
    let width = PHOTO[1] as usize;
    let mut labels: Vec<u16> = (0..PHOTO[0] as usize * width)
        .map(|p| ((p / 5) % 3) as u16)
        .collect();
    let (columns, rows) = (31..44, 7..20);
    let part = vec![1u16; columns.len() * rows.len()];
    let corrected = Corrected {
        labels: labels.clone(),
        columns_and_rows: (columns.clone(), rows.clone()),
        part,
    };
    for row in rows {
        labels[row * width + columns.start..row * width + columns.end].fill(1);
    }
    let expected: Vec<u8> = labels
        .iter()
        .flat_map(|&class| e.centroids.colour(usize::from(class)))
        .collect();
    for fine in [true, false] {
        let drawn = draw_corrected(&e, Layer::Map, 0.3, fine, None, &corrected);
        same(&drawn, &expected);
    }
}

#[test]
fn truth_and_error_tell_right_wrong_and_ignored_apart() {
    let e = example(5);
    let drawn = draw(&e, Layer::Truth, 1.0, false, None);
    let error = draw(&e, Layer::Error, 1.0, false, None);
    let block = PHOTO[0] as usize / SIZE[0];
    let small = e.centroids.decode(&e.after);
    for (p, &truth) in e.truth.iter().enumerate() {
        let (row, column) = (p / PHOTO[1] as usize, p % PHOTO[1] as usize);
        let shown = &drawn[3 * p..3 * p + 3];
        let marked = error[3 * p] > error[3 * p + 1];
        if truth == IGNORE {
            assert!(shown[0] == shown[1] && !marked);
        } else {
            same(shown, &e.centroids.colour(usize::from(truth)));
            let right = small[row / block * SIZE[1] + column / block] == truth;
            assert_eq!(marked, !right, "pixel {p}");
        }
    }
}

/// The grey of a photo's pixel, 0 to 255.
fn grey(photo: &RgbImage, pixel: usize) -> f32 {
    let [r, g, b] = photo.as_raw()[3 * pixel..][..3] else {
        unreachable!("a photo has three channels")
    };
    0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)
}

/// Each measure has its place in the buffer and colours that run from certain to open.
#[test]
fn doubt_is_drawn_over_the_grey_photo() {
    let e = example(5);
    let pixels = SIZE[0] * SIZE[1];
    let values: Vec<f32> = (0..3 * pixels)
        .map(|i| ((i * 7) % 101) as f32 / 100.0)
        .collect();
    let block = PHOTO[0] as usize / SIZE[0];
    let measures = [Layer::Probability, Layer::Margin, Layer::Entropy];
    for (measure, layer) in measures.into_iter().enumerate() {
        let drawn = draw_with(&e, layer, 1.0, false, None, |pipelines, sources| {
            sources.doubt = Some(Arc::new(pipelines.doubt(&values).unwrap()));
        });
        let expected: Vec<u8> = (0..(PHOTO[0] * PHOTO[1]) as usize)
            .flat_map(|p| {
                let (row, column) = (p / PHOTO[1] as usize, p % PHOTO[1] as usize);
                let cell = row / block * SIZE[1] + column / block;
                let value = values[measure * pixels + cell];
                let doubt = if layer == Layer::Entropy {
                    value
                } else {
                    1.0 - value
                };
                let at = 7.0 * doubt;
                let low = (at as usize).min(6);
                let [a, b] = [0, 1].map(|end| DOUBT_COLOURS[low + end].map(f32::from));
                let grey = grey(&e.photo, p);
                [0, 1, 2].map(|c| {
                    let colour = a[c] + (b[c] - a[c]) * (at - low as f32);
                    (0.5 * (colour + grey)).round() as u8
                })
            })
            .collect();
        same(&drawn, &expected);
        // Before it is computed the photo shows, in grey.
        let waiting = draw(&e, layer, 1.0, false, None);
        assert!(waiting.chunks(3).all(|p| p[0] == p[1] && p[1] == p[2]));
    }
}

/// A second result of another size is drawn in its own colours, and red where it differs.
#[test]
fn a_second_result_is_drawn_and_compared() {
    let e = example(3);
    let first = e.centroids.decode(&e.after);
    let size = [SIZE[0] / 2, SIZE[1] / 2];
    let second: Vec<u16> = (0..size[0] * size[1]).map(|p| (p % 4) as u16).collect();
    let colours = [[9, 8, 7], [200, 10, 30], [40, 220, 90], [120, 130, 255]];
    let with = |layer| {
        draw_with(&e, layer, 1.0, false, None, |pipelines, sources| {
            let second = pipelines.second(&second, size, &colours, |k| k != 1);
            sources.second = Some(Arc::new(second.unwrap()));
        })
    };
    let (drawn, differing) = (with(Layer::Second), with(Layer::Disagreement));
    let block = PHOTO[0] as usize / SIZE[0];
    for p in 0..(PHOTO[0] * PHOTO[1]) as usize {
        let (row, column) = (p / PHOTO[1] as usize, p % PHOTO[1] as usize);
        let of_second = second[row / (2 * block) * size[1] + column / (2 * block)];
        let of_first = first[row / block * SIZE[1] + column / block];
        let photo = &e.photo.as_raw()[3 * p..][..3];
        let colour = colours[usize::from(of_second)];
        let expected: Vec<u8> = (0..3)
            .map(|c| match of_second {
                1 => photo[c],
                _ => ((u16::from(colour[c]) + u16::from(photo[c])) / 2) as u8,
            })
            .collect();
        same(&drawn[3 * p..][..3], &expected);
        let marked = differing[3 * p] > differing[3 * p + 1];
        assert_eq!(marked, of_first != of_second, "pixel {p}");
    }
    // Without a second result nothing is marked.
    let none = draw(&e, Layer::Disagreement, 1.0, false, None);
    assert!(none.chunks(3).all(|p| p[0] == p[1] && p[1] == p[2]));
}

/// A tensor on the shared device is used in place: its buffer holds its values.
#[test]
fn a_resident_tensor_has_its_values_at_its_offset() {
    use crate::device::{Choice, open_for_window};
    use burn::tensor::Tensor;
    let (opened, graphics) = pollster::block_on(open_for_window(Choice::Wgpu(None))).unwrap();
    let ones = Tensor::<1>::ones([5000], &opened.device);
    let x = ones.clone() * 3.0 + ones;
    let resident = super::resident::Resident::of(x).unwrap();
    let (buffer, offset) = resident.location();
    let staging = graphics.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 4 * 5000,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = graphics.device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, 4 * 5000);
    graphics.queue.submit([encoder.finish()]);
    let bytes = map(&graphics.device, &staging);
    let values: &[f32] = bytemuck::cast_slice(&bytes);
    assert!(values.iter().all(|&v| v == 4.0));
    let _kept = Values::Resident(resident);
}
