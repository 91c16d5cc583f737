//! FlowSeg: generative segmentation by flow matching, after ["Rethinking Vector Field Learning for
//! Generative Segmentation"](https://arxiv.org/abs/2603.19218) (Wang et al.).
//!
//! A photo flows into its mask: an ordinary differential equation (ODE) moves every pixel from its own
//! colour to the colour of its class, its *centroid*, along a velocity field that a network has
//! learnt. This page says where each equation of the paper is implemented, how a photo becomes a mask
//! and a label a loss, and what the terms mean.
//!
//! # Where the paper's ideas are
//!
//! | equation | idea | module |
//! |---|---|---|
//! | 1, 2 | path `x_t = (1 - t) x0 + t x1` and its velocity `x1 - x0` | [`flow`] |
//! | 3 | plain flow matching, the `vanilla` objective | [`train::objective`] |
//! | 4 | predicted target `x1_hat = x_t + (1 - t) v` | [`flow`] |
//! | 5, 6 | the loss and its gradient as a field over predictions (Figure 1) | [`vector_field`], drawn by [`gpu`] |
//! | 7, 8 | Kronecker encoding of classes as centroids, and decoding | [`encoding`] |
//! | 7, 8, beyond the paper | the same centroids in another order, against third cells | [`assignment`] |
//! | 9, for whole images | soft votes for the classes, scaled and added up; measures of uncertainty | [`votes`] |
//! | 9 to 11 | potential, its operators `T`, temperature and gradient | [`potential`] |
//! | 11, for whole images | the same gradient on the CPU and as a GPU kernel | [`kernels`] |
//! | 12, 13 | reshaped target `v - grad Phi` and the loss, without a gradient through the target | [`train::objective`] |
//! | section 4.3 | transformer that generates a pixel neural field for every patch | [`model`] |
//! | section 4.3 | its fused forward and backward passes | [`kernels`] |
//! | section 5.1 | start from PixNerd weights | [`model::warm_start`] |
//! | section 5.1 | two stages, REPA, AdamW | [`train`] |
//! | section 5.3 | annealed target | [`train::objective`] |
//! | Table 3 | Euler's method, and two other solvers | [`sampler`] |
//! | mIoU | one confusion matrix over a data set | [`eval`] |
//! | Figures 4 and 5, Tables 2 and 3 | tables of training runs (`assets/presets/ablate-*.toml`) | [`ablate`] |
//!
//! Equations 14 to 16 analyse the gradient and need no code. Functions that compute an equation quote
//! it with its number.
//!
//! # From a photo to its mask
//!
//! 1. [`data`] decodes the file to upright 8-bit RGB.
//! 2. [`inference`] scales the photo to the model's training area, or stretches it to the training
//!    size if the card says so, in whole patches, and maps it to `[-1, 1]`: this is `x0`. Large photos
//!    are cut into overlapping tiles (`--tiles`), each of which goes through steps 3 and 4.
//! 3. [`model`] runs the image encoder once, if the model has one.
//! 4. [`sampler`] solves `dx/dt = v(x, t)` from t = 0 to 1; each evaluation of `v` is a forward pass of
//!    the network ([`model`], on the operations of [`kernels`]).
//! 5. [`votes`] computes the probability of every class for every pixel of the last state (equation 9),
//!    adds up several passes over a photo (`--scales`, `--flip`), blends tiles, filters the result along
//!    the colours of the photo, so that outlines run along its edges (`--outlines`), scales it to the
//!    photo's size and takes the most probable class. For states in the window, [`encoding`] takes the
//!    nearest centroid.
//! 6. [`export`] writes masks, overlays, measures of uncertainty, animations and tables.
//!
//! [`cli`] does this for `flowseg segment`. In the window, [`job`] does it on a worker thread, and
//! [`viewer`] draws the states through [`gpu`]. [`compare`] compares two results for the same photo,
//! and [`label_edit`] holds manual corrections of a mask.
//!
//! # From a label to the loss
//!
//! 1. [`data`] detects the layout of the data folder, maps the values of a label file to class indices
//!    (everything else is ignored), crops and flips photo and labels together, and batches them.
//! 2. [`train`] draws a time for every sample, encodes the labels as the centroid image `x1`
//!    ([`encoding`]) and computes the state `x_t` ([`flow`]).
//! 3. [`model`] predicts the velocity at `x_t`.
//! 4. [`train::objective`] computes the target velocity, for the reshaped objective with `grad Phi` at
//!    the predicted target ([`potential`], [`kernels`]), and averages the squared difference over the
//!    labelled pixels.
//! 5. [`train::trainer`] takes the optimiser step.
//!
//! The batch, times and noise of a step are functions of the seed and the step's number alone, so a
//! resumed run continues as an uninterrupted one would have.
//!
//! # The modules
//!
//! Imports run one way, in the order of the table in `tests/architecture.rs`, which is checked; the groups
//! below are by subject.
//!
//! | group | modules |
//! |---|---|
//! | shared helpers | [`files`], [`text_file`], [`csv`], [`fonts`], [`random`], `format`, `run_format`, `spelling`, `terminal`, `version`, `system_report`, `panics`, [`protobuf`], [`simd`]: vectorised elementary functions; [`allocator`]: settings of the allocator; `own_png`, `own_gif`: pictures that say that this program wrote them; `crash`: the log of a crash; `page`: the page in a browser; [`texts`]: texts in several languages |
//! | method: plain numbers | [`encoding`], [`assignment`], [`labels`], [`potential`], [`vector_field`], [`votes`], [`trajectory`] |
//! | data: no tensors | [`data`]; [`label_edit`]: strokes, fills and undo; [`pictures`]: composed pictures |
//! | network | [`device`], [`kernels`], [`patches`], [`flow`], [`sampler`], [`model`]; [`models`]: models by name |
//! | inference | [`inference`]: passes ([`Look`](inference::Look)), tiles ([`Tiles`](inference::Tiles)) and [`segment`](inference::segment()); [`inspect`]: attention, components and agreement |
//! | training and scoring | [`train`], [`eval`], [`compare`], [`ablate`], [`verify`], [`race`] |
//! | output | [`export`]: host data to files; [`onnx`]: models as ONNX graphs; [`gpu`]: wgpu pipelines for `shaders/*.wgsl` |
//! | background work | [`job`]: segmentation on a worker thread; [`runs`]: follows training runs |
//! | interface | [`viewer`]: the window; [`cli`]: the commands; [`server`]: masks over HTTP |
//!
//! # Commands
//!
//! `flowseg --help` lists them, and `--help` after a command its options.
//!
//! | command | purpose |
//! |---|---|
//! | `view`, or none | opens the window |
//! | `segment` | writes masks of photos, folders, patterns and animations |
//! | `train` | trains, resumes or fine-tunes a model |
//! | `eval` | scores a model on a data set |
//! | `compare` | compares two models, or two ways of sampling one, on the same photos |
//! | `ablate` | trains and scores a table of configurations |
//! | `race` | trains two small networks side by side that differ in their objective only |
//! | `data` | reports the contents and problems of a data folder, or converts it to the plain layout |
//! | `models`, `import`, `export-onnx` | lists models or edits a card; imports a PixNerd checkpoint; writes a model as an ONNX graph |
//! | `devices`, `selftest` | lists devices; checks one |
//! | `serve` | segments photos sent over HTTP, or lends this machine's device to another machine |
//! | `completions`, `man` | prints shell completions and manual pages |
//!
//! # Formats
//!
//! - **Masks** (`--format`, [`export::Format`]): class indices as PNG, palette PNG, one binary PNG per
//!   class, COCO, Labelme, YOLO, NumPy and TIFF.
//! - **Pictures**: cut-outs, outlines, overlays, and masks in class colours.
//! - **Uncertainty** ([`votes::Doubt`]): probability, margin and entropy, as grey PNGs or float32 arrays.
//! - **Data sets** ([`data::Layout`]): plain folders, ADE20K, COCO-Stuff, CamVid, Cityscapes, Pascal
//!   VOC, COCO JSON, Labelme and YOLO are detected; `dataset.toml` describes others.
//!
//! # The leak
//!
//! For t > 0 the state mixes the photo and the answer. A network that also sees the photo can solve for
//! the answer, `x1 = (x_t - (1 - t) x0) / t`, without recognising anything. Uniform times teach it to
//! subtract; only times near 0 teach it to segment. Training therefore puts a share of the samples at
//! exactly t = 0 (`flow.time_zero`) and concentrates the others near it (`flow.time_exponent`). This
//! improves the first solver step, but does not make later steps useful: they confirm whatever the
//! state already shows. Deliberately wrong states (`flow.states`), with regions of other classes or the
//! network's own decision, teach later steps to correct errors ([`train::wrong_states`]): given its own
//! mask mirrored, an early `street` repeated it in 91 % of the pixels at t = 0.1, `street` after part 5
//! of its training in 31 %, which is what the two masks have in common (`eval --agreement`).
//!
//! # Third cells
//!
//! A network trained by regression predicts averages. If it is undecided between two classes, it
//! predicts a point between their centroids, where a third class's centroid may be nearest. This
//! happens at the midpoint of `mu_A` and `mu_B` if their angle at some `mu_C` is obtuse. In three
//! dimensions, at most five points avoid it altogether. Of the Kronecker points of 11, 59 and 150
//! classes, 62 %, 90 % and 94 % of all pairs have the midpoint in a third cell. The results are thin
//! bands of an unrelated class along outlines, and small objects that are labelled as something else.
//! Objectives with an output for every class (`cross-entropy`, `variational`) do not have the problem.
//! Two options reduce it for the others: centroids of more than three dimensions, whose first three
//! are still the paper's colours (`model.code_dims`), and a better choice of which class gets which
//! centroid (`model.order`, [`assignment`]).
//!
//! # Training
//!
//! A run has one configuration, whose settings `flowseg train --help` lists; `[[stages]]` override any
//! of them for a part of the run.
//!
//! - **Objectives.** `reshaped` is the paper's, `annealed` and `vanilla` are its baselines.
//!   `cross-entropy` trains the discriminative twin. `variational` learns the posterior over the
//!   classes at every time, and its flow leads to the centroid of the most probable class; it is meant
//!   for data sets of many classes.
//! - **Starting points.** `model.init` loads a public PixNerd checkpoint or a model file and reports
//!   which tensors it used; `--init` also takes the network's settings from its card. `model.encoder`
//!   adds the first blocks of a DINOv2, whose tokens are added to the network's own;
//!   `model.encoder_rate` scales their learning rate, and 0 freezes them. `repa.teacher` aligns a block
//!   of the network with a frozen DINOv2.
//! - **Several data sets** are joined by class name ([`data::DataList`]), with `data.weights` and
//!   `data.further_classes`.
//! - **Memory.** `--dry-run` estimates it for every stage, `--dry-run --measure N` measures N steps. A
//!   run that does not fit is refused, with a suggested setting. `train.accumulate` and
//!   `train.checkpointing` save memory without changing the gradient.
//! - **Rare classes.** `data.balance` crops around them; `loss.class_balance` gives their pixels more
//!   weight.
//! - **Interrupts.** Ctrl-C, SIGTERM and a closed terminal save the run, whose exit status is then 130,
//!   143 or 129; a second Ctrl-C, at least a second later, exits at once. A run under `nohup` continues
//!   without its terminal. `--resume` works from any folder and takes the newest checkpoint that can be
//!   read; if there is no run, it is an error. A run folder belongs to one process at a time.
//! - **Fit.** Photos are resized in training as in segmentation later: crops (`data.crop`) keep the
//!   aspect ratio, whole photos are stretched to the training size, and the model's card says which.
//! - **Bad steps.** A step whose gradient is not finite is skipped and reported.
//! - **The run folder** (`src/run_format.rs`) holds `config.toml` (every setting and the run's starting
//!   point), `metrics.jsonl`, `samples/`, `tensorboard/`, the last checkpoints, `best.safetensors` and,
//!   at the end, `model.safetensors`. A longer run keeps that of its earlier end as
//!   `model-step-N.safetensors`.
//!
//! # The window
//!
//! The panels of [`viewer`]:
//!
//! - **Flow**: photo, state, mask, overlay, uncertainty and, for a photo of a data set with classes of the
//!   model, ground truth and errors, in one to four views that pan and zoom together. Masks can be corrected
//!   by brush and fill, saved as labels, and fine-tuned on.
//! - **Timeline**: every state; between two states the picture is interpolated, which is exact for
//!   Euler's method.
//! - **Photos**: the open photos, whose masks are computed in the background.
//! - **Compare**: a second result for the open photo, and where the two differ.
//! - **Classes** and **Charts**: the share of every class, and shares, settled pixels and speed over t.
//! - **Pixel**: state, velocity, predicted target and nearest centroids of one pixel, over time.
//! - **Field**: Figure 1, interactively: arrows, slices, streamlines, particles and the open photo's
//!   pixels in the colour cube. Pixels brushed in the photo are highlighted in the cube.
//! - **Train live**: two small networks that train side by side ([`race`]).
//! - **Network**: what the network attends to in the open photo, components of its tokens, and how far
//!   its prediction agrees with the mask in the state ([`inspect`]).
//! - **Runs**: curves and samples of training runs, while they are written.
//! - **Model**: the card of the open model, and the scale of its input.
//! - **Lessons**: six cards that drive the window.
//!
//! # In a browser
//!
//! The window also runs in a page, on WebGPU (`.ci/web`). `job` then takes turns with the window on the
//! page's only thread and reads states back without blocking; files are those that the page has fetched
//! or the user has opened, and what is written becomes a download (`files`, `page`). The constant
//! `DESKTOP` in `viewer/platform` leaves out what needs folders, processes or threads.
//!
//! # Photos
//!
//! Photos are JPEG, PNG, WebP, HEIC, BMP, GIF, TIFF, PNM or TGA files of up to 250 megapixels (in a
//! page, 80) and 65,535 pixels per side. They are converted to upright sRGB on white: EXIF orientation,
//! transparency and embedded colour profiles are applied. Every frame of an animation gets a mask.
//! Integer samples of 10, 12 or 14 bits in 16-bit files and floating-point samples are scaled by the
//! range in use, with a warning. A photo with missing pixels is an error, and so are AVIF, JPEG XL, raw
//! files and others, with a program that converts them. Decoding a baseline JPEG takes 5 to 6 bytes of
//! memory per pixel, a progressive one 8 to 12, and PNG, WebP, BMP and 16-bit TIFF 4 to 10.
//!
//! # Files and terminals
//!
//! Before its work, every command checks that it can write its outputs. No output replaces an input,
//! not even through links or other spellings of a name, and no two outputs of a command share a file; only
//! `models --edit X -o X` changes its input, where a person has said so.
//! Files are written atomically, also after Ctrl-C or on a full disk, with the permissions given by the
//! umask; a replaced file keeps its own. Symbolic links are written through; devices and pipes are
//! written to and never replaced (`--json /dev/stdout`, `NUL` on Windows). In JSON, bytes of a name that are not
//! UTF-8 become U+FFFD, and classes with the same name are numbered (`car`, `car (2)`). In CSV, a name that a
//! spreadsheet would run as a formula gets a leading apostrophe. Class colours are exact in PNGs and in
//! GIFs of maps; other GIFs show the nearest of 256 colours.
//!
//! Colours and redrawn lines appear only on a terminal, and not with `TERM=dumb`; `NO_COLOR` turns
//! colours off. A reader that closes its pipe (`| head -1`) ends the output but not the work. Control
//! characters in names of files and classes are escaped, as in `\u001b`.
//!
//! # Exit status
//!
//! 0: success. 1: failure, with one line that says what failed, in which file, and what to do. 2: wrong
//! usage. 130, 143 or 129: stopped by Ctrl-C, SIGTERM or a hang-up before its end.
//!
//! # Devices
//!
//! Commands that compute take `--device`. `auto` is the best hardware GPU, or the CPU if there is none
//! that works. `cpu` is Burn's CPU backend with this crate's fused operations; `wgpu:N` is an adapter
//! that `flowseg devices` lists. Builds with the feature `cuda` also have `cuda:N`.
//! Builds with the feature `remote` have `remote:ws://HOST:PORT`, a device lent by `flowseg serve` on
//! another machine; the server listens on loopback only, unless both sides have `FLOWSEG_TOKEN`, and
//! the connection is not encrypted, so use a trusted network or a tunnel.
//!
//! Training takes several devices (`cuda:0,cuda:1`), splits every batch between them and sums the
//! gradients. Two CPU devices give bit for bit the result of one with `train.accumulate = 2`. Sums over
//! several CUDA devices (NCCL) compile but have never been run.
//!
//! On a GPU the window and the network share one wgpu device, and states are drawn from the tensors'
//! own buffers. If there is only a software adapter, the network runs on the CPU and each state is
//! uploaded once.
//!
//! # Glossary
//!
//! One word has one meaning, here and in the code:
//!
//! | word | meaning |
//! |---|---|
//! | flow | the ODE from photo to mask; nothing else is called a flow |
//! | step | a *training step* updates the weights; a *solver step* advances the ODE |
//! | state, `x_t` | a point of the flow: an image `[d, H, W]`, about in `[-1, 1]`, d = 3 in the paper; sampling yields all states from t = 0 to 1 |
//! | source, `x0` | the first state: the photo, or noise for the stochastic baseline |
//! | centroid, `mu_k` | the point of class k in the cube `[-1, 1]^d`; its first three axes are the class's colour |
//! | centroid image, `x1` | a label map with each label replaced by its centroid: the end of the path |
//! | predicted target, `x1_hat` | where the predicted velocity leads if followed to t = 1 |
//! | target velocity | what the predicted velocity is trained towards |
//! | neural field | the small network, generated for a patch, that maps a pixel to its velocity |
//! | vector field | velocity as a function over the colour cube, as in Figure 1 |
//! | label map | a class index for every pixel, in memory; a *mask* is a label map written as a picture |
//! | ignored pixel | a pixel without a class, which counts neither in the loss nor in a score |
//! | pass, `Look` | one segmentation of a photo, at one scale and mirrored or not; the votes of all passes are added up (test-time augmentation) |
//! | tile | an overlapping part of a large photo, seen at the training size; a `window` in the code of [`inference`], while elsewhere *window* means the GUI |
//! | votes | class probabilities per pixel |
//! | uncertainty | how uncertain the votes of a pixel are: `doubt` in the code, in tables and in `--worst-by` |
//! | objective | what training minimises: `reshaped`, `annealed`, `vanilla`, `cross-entropy`, `variational` |
//! | twin | the discriminative model on the same backbone, trained by cross-entropy |
//! | encoder | DINOv2 blocks that see the photo once, before the flow; frozen or trained further |
//! | teacher | the frozen DINOv2 whose tokens REPA aligns the network's with |
//! | model file, card | weights as safetensors; the card is the JSON in its metadata; a built-in model's *notes* are `assets/models/NAME.md` |
//! | run | one training run and its folder; a *stage* is a part of it with its own settings |
//! | checkpoint | everything that a run needs to resume |
//! | crop | the augmented part of a photo that training sees, a `view` in the code |
//! | layout | how a data set arranges its files; a *split* is its training, validation or test part |
//! | panel | a part of the window that owns its state |
//! | command | a subcommand of `flowseg`; in the window, an entry of the table that keys, menus and buttons run |
//! | worker | a named thread that computes in the background |
//! | device, rank | hardware that computes; the number of a device among those that share a batch |

#![cfg_attr(not(test), warn(clippy::unwrap_used))]
// They panic if a stream cannot be written to: use `terminal`.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]
// A page in a browser has no folders, processes or threads, so much of the library is unused there.
#![cfg_attr(
    target_arch = "wasm32",
    allow(dead_code, unreachable_pub, unused_imports)
)]

#[cfg(not(target_arch = "wasm32"))]
pub mod ablate;
#[cfg(not(target_arch = "wasm32"))]
pub mod allocator;
pub mod assignment;
#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
pub mod compare;
#[cfg(not(target_arch = "wasm32"))]
mod crash;
pub mod csv;
pub mod data;
pub mod device;
pub mod encoding;
pub mod eval;
pub mod export;
pub mod files;
pub mod flow;
pub mod fonts;
mod format;
pub mod gpu;
pub mod inference;
pub mod inspect;
pub mod job;
pub mod kernels;
pub mod label_edit;
pub mod labels;
pub mod model;
pub mod models;
#[cfg(not(target_arch = "wasm32"))]
pub mod onnx;
mod own_digest;
mod own_gif;
mod own_png;
#[cfg(target_arch = "wasm32")]
mod page;
mod panics;
pub mod patches;
pub mod pictures;
pub mod potential;
pub mod protobuf;
pub mod race;
pub mod random;
mod run_format;
pub mod runs;
pub mod sampler;
#[cfg(not(target_arch = "wasm32"))]
pub mod server;
pub mod simd;
mod spelling;
mod system_report;
#[cfg(not(target_arch = "wasm32"))]
mod terminal;
pub mod text_file;
pub mod texts;
pub mod train;
pub mod trajectory;
pub mod vector_field;
#[cfg(not(target_arch = "wasm32"))]
pub mod verify;
mod version;
pub mod viewer;
pub mod votes;
