//! A network's tensors by name on the host, and the file formats for them.

use crate::device::unwind_if_lost;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// A tensor on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    pub shape: Vec<usize>,
    /// Row-major elements.
    pub data: Vec<f32>,
}

impl HostTensor {
    /// Whether no element is infinite or NaN.
    pub fn is_finite(&self) -> bool {
        self.data.iter().all(|value| value.is_finite())
    }
}

/// Tensors by name.
pub type Tensors = BTreeMap<String, HostTensor>;

/// The number format of stored tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// IEEE single.
    Single,
    /// IEEE half.
    Half,
    /// Matrices whose names start with this are stored as int8 with one scale per row, all others
    /// as half.
    BytesIn(&'static str),
}

/// What is wrong with a file of tensors.
#[derive(Debug, thiserror::Error)]
pub enum TensorsError {
    /// Not a safetensors file, or a damaged one.
    #[error("not a readable safetensors file ({0}): copy or download it again")]
    Safetensors(String),
    /// Not a PyTorch checkpoint, or a damaged one.
    #[error("not a readable PyTorch checkpoint ({0}): copy or download it again")]
    Pytorch(String),
    /// An unsupported element type.
    #[error("tensor {name} has type {dtype}; a floating-point type is expected")]
    Type { name: String, dtype: String },
    #[error(
        "the file lacks {count} tensors of this network (the first: {first}): it has a different architecture"
    )]
    Missing { count: usize, first: String },
    /// Tensors that the network does not have.
    #[error(
        "the file has {count} tensors that this network lacks (the first: {first}): it has a different architecture"
    )]
    Unexpected { count: usize, first: String },
    /// Weights that are infinite or NaN.
    #[error(
        "tensor {0} has values that are not finite: training diverged or overflowed half precision; use an earlier checkpoint"
    )]
    NotFinite(String),
    /// A tensor of a different shape.
    #[error(
        "tensor {name} is {found:?} in the file and {expected:?} in the network: it has a different architecture"
    )]
    Shape {
        name: String,
        found: Vec<usize>,
        expected: Vec<usize>,
    },
}

/// Reads the bytes of a safetensors file: every floating-point tensor, and its metadata.
///
/// # Errors
/// If the header is invalid or claims more than the bytes contain.
pub fn from_safetensors(bytes: &[u8]) -> Result<(Tensors, HashMap<String, String>), TensorsError> {
    let broken = |e: safetensors::SafeTensorError| TensorsError::Safetensors(e.to_string());
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let mut tensors = Tensors::new();
    for (name, view) in file.iter() {
        let data = numbers(view.data(), view.dtype()).ok_or_else(|| TensorsError::Type {
            name: name.to_owned(),
            dtype: format!("{:?}", view.dtype()),
        })?;
        tensors.insert(
            name.to_owned(),
            HostTensor {
                shape: view.shape().to_vec(),
                data,
            },
        );
    }
    unscale(&mut tensors)?;
    Ok((tensors, metadata.metadata().clone().unwrap_or_default()))
}

/// The metadata in the bytes of a safetensors file.
///
/// # Errors
/// If the header is invalid.
pub fn metadata(bytes: &[u8]) -> Result<HashMap<String, String>, TensorsError> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|e| TensorsError::Safetensors(e.to_string()))?;
    Ok(metadata.metadata().clone().unwrap_or_default())
}

/// The number of elements in the bytes of a safetensors file according to its header, without the scales of tensors
/// of bytes. Nothing is converted, so that a file of any size can be refused at once.
///
/// # Errors
/// If the header is invalid.
pub(super) fn elements(bytes: &[u8]) -> Result<usize, TensorsError> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|e| TensorsError::Safetensors(e.to_string()))?;
    let tensors = metadata.tensors().into_iter();
    let weights = tensors.filter(|(name, _)| !name.ends_with(ROW_SCALE));
    let counts = weights.map(|(_, info)| {
        info.shape
            .iter()
            .fold(1usize, |n, side| n.saturating_mul(*side))
    });
    Ok(counts.fold(0, usize::saturating_add))
}

/// A safetensors file's bytes with other metadata; the tensors' bytes stay as they are.
///
/// # Errors
/// Bytes that are not a valid file.
pub fn with_metadata(
    bytes: &[u8],
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, TensorsError> {
    let broken = |e: safetensors::SafeTensorError| TensorsError::Safetensors(e.to_string());
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    safetensors::serialize(file.iter(), Some(metadata)).map_err(broken)
}

/// The name of the scales of a tensor of bytes, one for each row.
const ROW_SCALE: &str = ".row_scale";
/// The largest byte: the values of a row are multiples of its scale.
const MOST_BYTE: f32 = 127.0;

/// Multiplies tensors by their row scales, and removes these.
fn unscale(tensors: &mut Tensors) -> Result<(), TensorsError> {
    let names: Vec<String> = tensors
        .keys()
        .filter_map(|name| name.strip_suffix(ROW_SCALE).map(str::to_owned))
        .collect();
    for name in names {
        let Some(scales) = tensors.remove(&(name.clone() + ROW_SCALE)) else {
            continue;
        };
        let broken = || TensorsError::Safetensors(format!("tensor {name} does not fit its scales"));
        let tensor = tensors.get_mut(&name).ok_or_else(broken)?;
        let rows = scales.data.len();
        if rows == 0 || tensor.shape.first() != Some(&rows) || tensor.data.len() % rows != 0 {
            return Err(broken());
        }
        let width = (tensor.data.len() / rows).max(1);
        for (row, scale) in tensor.data.chunks_exact_mut(width).zip(scales.data) {
            row.iter_mut().for_each(|value| *value *= scale);
        }
    }
    Ok(())
}

/// A matrix as int8, and the scale of each row.
pub(crate) fn bytes_of_rows(tensor: &HostTensor) -> (Vec<u8>, Vec<f32>) {
    let width = tensor.shape.last().copied().unwrap_or(1).max(1);
    let mut bytes = Vec::with_capacity(tensor.data.len());
    let scales = tensor.data.chunks_exact(width).map(|row| {
        let greatest = row.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let scale = if greatest > 0.0 {
            greatest / MOST_BYTE
        } else {
            1.0
        };
        bytes.extend(row.iter().map(|value| (value / scale).round() as i8 as u8));
        scale
    });
    let scales = scales.collect();
    (bytes, scales)
}

/// How far a value may be from a multiple of its row's scale, as a share of the scale, to count as one: far more
/// than products and quotients in single precision differ, and far less than what rounding to bytes changes.
const NEGLIGIBLE: f32 = 1e-3;

/// The same for a matrix that bytes hold without a loss, because it was read from a file of bytes; `None` if
/// values would be rounded.
pub(crate) fn exact_bytes_of_rows(tensor: &HostTensor) -> Option<(Vec<u8>, Vec<f32>)> {
    let (bytes, scales) = bytes_of_rows(tensor);
    let width = tensor.shape.last().copied().unwrap_or(1).max(1);
    let rows = tensor
        .data
        .chunks_exact(width)
        .zip(bytes.chunks_exact(width));
    let exact = rows.zip(&scales).all(|((row, bytes), scale)| {
        let mut pairs = row.iter().zip(bytes);
        pairs.all(|(value, byte)| {
            (value - f32::from(*byte as i8) * scale).abs() <= NEGLIGIBLE * scale
        })
    });
    exact.then_some((bytes, scales))
}

/// Little-endian numbers as f32; integers are accepted because fixtures contain labels.
fn numbers(bytes: &[u8], dtype: Dtype) -> Option<Vec<f32>> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes
            .as_chunks::<N>()
            .0
            .iter()
            .map(|&chunk| read(chunk))
            .collect()
    }
    Some(match dtype {
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::I8 => bytes.iter().map(|&b| f32::from(b as i8)).collect(),
        Dtype::U8 => bytes.iter().map(|&b| f32::from(b)).collect(),
        _ => return None,
    })
}

/// Reads a safetensors or PyTorch file, recognised by the structure of its `bytes`.
///
/// # Errors
/// If the file is neither.
pub fn from_file(path: &Path, bytes: &[u8]) -> Result<Tensors, TensorsError> {
    if is_pytorch(bytes) {
        from_pytorch(path)
    } else {
        from_safetensors(bytes).map(|(tensors, _)| tensors)
    }
}

/// Whether the bytes start like a zip archive or a bare pickle, and not with the length of a JSON
/// header, whose first byte may be any value.
fn is_pytorch(bytes: &[u8]) -> bool {
    let header = bytes
        .first_chunk()
        .map(|length| u64::from_le_bytes(*length));
    let fits = header.is_some_and(|length| length < bytes.len() as u64);
    if fits && bytes.get(8) == Some(&b'{') {
        return false;
    }
    // A pickle starts with its protocol; five protocols use this opcode.
    bytes.starts_with(b"PK\x03\x04") || matches!(bytes, [0x80, 1..=5, ..])
}

/// Reads a PyTorch checkpoint; from a Lightning checkpoint only `state_dict`. Takes a path instead
/// of bytes, because the reader loads each tensor from the archive on demand.
///
/// # Errors
/// If the file is not such a checkpoint.
pub fn from_pytorch(path: &Path) -> Result<Tensors, TensorsError> {
    use pytorch_reader::{DType, PytorchReader};
    let broken =
        |e: pytorch_reader::PytorchError| TensorsError::Pytorch(e.to_string().replace('\n', " "));
    let reader = PytorchReader::with_top_level_key(path, "state_dict")
        .or_else(|_| PytorchReader::new(path))
        .map_err(broken)?;
    let mut tensors = Tensors::new();
    for (name, tensor) in reader.into_tensors() {
        let dtype = match tensor.dtype() {
            DType::F64 => Dtype::F64,
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            // Counters and the like, which are not weights.
            _ => continue,
        };
        let bytes = tensor
            .read()
            .map_err(|e| TensorsError::Pytorch(e.to_string()))?;
        let data = numbers(&bytes, dtype).unwrap_or_default();
        if data.len() != tensor.num_elements() {
            return Err(TensorsError::Pytorch(format!("tensor {name} is cut short")));
        }
        tensors.insert(
            name,
            HostTensor {
                shape: tensor.shape().to_vec(),
                data,
            },
        );
    }
    Ok(tensors)
}

/// Serialises tensors with metadata in the safetensors format.
///
/// # Errors
/// If the shape and length of a tensor differ.
pub fn to_safetensors(
    tensors: &Tensors,
    metadata: HashMap<String, String>,
    precision: Precision,
) -> Result<Vec<u8>, TensorsError> {
    let broken = |e: safetensors::SafeTensorError| TensorsError::Safetensors(e.to_string());
    type Encoded<'a> = (String, Dtype, Vec<usize>, Cow<'a, [u8]>);
    let mut encoded: Vec<Encoded> = Vec::new();
    for (name, tensor) in tensors {
        let (name, shape) = (name.clone(), tensor.shape.clone());
        match precision {
            Precision::Single => {
                let bytes = Cow::Borrowed(bytemuck::cast_slice(&tensor.data));
                encoded.push((name, Dtype::F32, shape, bytes));
            }
            Precision::BytesIn(prefix) if name.starts_with(prefix) && shape.len() == 2 => {
                let (bytes, scales) = bytes_of_rows(tensor);
                let scales: Vec<u8> = scales.iter().flat_map(|v| v.to_le_bytes()).collect();
                let of_rows = (name.clone() + ROW_SCALE, vec![shape[0]]);
                encoded.push((name, Dtype::I8, shape, bytes.into()));
                encoded.push((of_rows.0, Dtype::F32, of_rows.1, scales.into()));
            }
            Precision::Half | Precision::BytesIn(_) => {
                let half = |&v: &f32| f16::from_f32(v).to_le_bytes();
                let bytes = tensor.data.iter().flat_map(half).collect();
                encoded.push((name, Dtype::F16, shape, bytes));
            }
        }
    }
    let views = encoded
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(broken)?;
    safetensors::serialize(views, Some(metadata)).map_err(broken)
}

/// The path of the parameter that a visitor or mapper is at.
#[derive(Default)]
pub struct ModulePath(Vec<String>);

impl ModulePath {
    /// Goes into a submodule.
    pub fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    /// Goes back to the module around it.
    pub fn exit(&mut self) {
        self.0.pop();
    }

    /// `a.b.c`
    pub fn joined(&self) -> String {
        self.0.join(".")
    }
}

#[derive(Default)]
struct Export {
    path: ModulePath,
    tensors: Tensors,
}

impl ModuleVisitor for Export {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.enter(name);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        self.tensors.insert(
            self.path.joined(),
            HostTensor {
                shape,
                data: read(tensor),
            },
        );
    }
}

/// The elements of a float tensor on the host.
///
/// # Panics
/// If the tensor's device fails or was lost, as reading of Burn does: then the elements have no meaning.
pub fn read<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    let device = tensor.device();
    let data = tensor.into_data().convert::<f32>();
    unwind_if_lost(&device);
    data.try_into_vec()
        .expect("the data was just converted to f32")
}

/// All parameters of a module by path.
pub fn export<M: Module>(module: &M) -> Tensors {
    let mut visitor = Export::default();
    module.visit(&mut visitor);
    visitor.tensors
}

struct Import<'a> {
    path: ModulePath,
    tensors: &'a mut Tensors,
    missing: Vec<String>,
    mismatch: Option<TensorsError>,
}

impl ModuleMapper for Import<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.enter(name);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }
    fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
        let name = self.path.joined();
        let expected = param.lazy_shape().to_vec();
        let Some(tensor) = self.tensors.remove(&name) else {
            self.missing.push(name);
            return param;
        };
        if tensor.shape != expected {
            let found = tensor.shape;
            self.mismatch.get_or_insert(TensorsError::Shape {
                name,
                found,
                expected,
            });
            return param;
        }
        if !tensor.is_finite() {
            self.mismatch.get_or_insert(TensorsError::NotFinite(name));
            return param;
        }
        let (id, old, mapper) = param.consume();
        let data = TensorData::new(tensor.data, tensor.shape);
        let new = Tensor::from_data(data, &old.device()).set_require_grad(old.is_require_grad());
        Param::from_mapped_value(id, new, mapper)
    }
}

/// Replaces every parameter of a module by the tensor with its path.
///
/// # Errors
/// If tensors are missing, unexpected or of a different shape, or a value is not finite.
pub fn import<M: Module>(module: M, mut tensors: Tensors) -> Result<M, TensorsError> {
    let mut mapper = Import {
        path: ModulePath::default(),
        tensors: &mut tensors,
        missing: Vec::new(),
        mismatch: None,
    };
    let module = module.map(&mut mapper);
    if let Some(error) = mapper.mismatch {
        return Err(error);
    }
    if let Some(first) = mapper.missing.first() {
        let (count, first) = (mapper.missing.len(), first.clone());
        return Err(TensorsError::Missing { count, first });
    }
    match tensors.keys().next() {
        Some(first) => Err(TensorsError::Unexpected {
            count: tensors.len(),
            first: first.clone(),
        }),
        None => Ok(module),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_with_a_scale_for_each_row_come_back() {
        let matrix = |shape: [usize; 2]| HostTensor {
            shape: shape.to_vec(),
            data: (0..shape[0] * shape[1])
                .map(|i| ((i * 37 % 101) as f32 - 50.0) * 10f32.powi((i / shape[1]) as i32 - 2))
                .collect(),
        };
        let tensors = Tensors::from([
            ("encoder.a".to_owned(), matrix([3, 40])),
            ("head".to_owned(), matrix([2, 8])),
        ]);
        let bytes = to_safetensors(&tensors, HashMap::new(), Precision::BytesIn("encoder."));
        let (found, _) = from_safetensors(&bytes.unwrap()).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["encoder.a", "head"]);
        for (name, tensor) in &tensors {
            let rows = tensor.data.chunks_exact(tensor.shape[1]);
            for (row, found) in rows.zip(found[name].data.chunks_exact(tensor.shape[1])) {
                let greatest = row.iter().fold(0.0f32, |most, v| most.max(v.abs()));
                for (a, b) in row.iter().zip(found) {
                    assert!((a - b).abs() <= greatest / 253.0, "{name}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn formats_are_told_apart_by_structure() {
        // Header lengths whose first bytes are those of a pickle and of a zip archive.
        for length in [0x0280u64, 0x4b50] {
            let mut bytes = length.to_le_bytes().to_vec();
            bytes.push(b'{');
            bytes.resize(8 + length as usize, b' ');
            assert!(!is_pytorch(&bytes), "{length:#x}");
        }
        assert!(is_pytorch(b"PK\x03\x04\x14\0\0\0\0\0"));
        assert!(is_pytorch(b"\x80\x02}q\0."));
        assert!(!is_pytorch(b"\x80\x00\x00\x00\x00\x00\x00\x00"));
        assert!(!is_pytorch(b"PK"));
        assert!(!is_pytorch(b""));
    }
}
