//! The messages of ONNX's protobuf schema (onnx.proto, IR version 8) that a network's graph consists
//! of.

use crate::protobuf::Message;

/// Element types of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Float = 1,
    Int8 = 3,
    Int64 = 7,
}

/// The value of an attribute.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attribute<'a> {
    Int(i64),
    Float(f32),
    Text(&'a str),
    Ints(&'a [i64]),
}

impl Attribute<'_> {
    /// An `AttributeProto`.
    fn message(self, name: &str) -> Message {
        const KIND: u8 = 20;
        let mut message = Message::default();
        message.bytes(1, name.as_bytes());
        match self {
            Self::Float(value) => message.float(2, value).int(KIND, 1),
            Self::Int(value) => message.int(3, value).int(KIND, 2),
            Self::Text(value) => message.bytes(4, value.as_bytes()).int(KIND, 3),
            Self::Ints(values) => {
                for &value in values {
                    message.int(8, value);
                }
                message.int(KIND, 7)
            }
        };
        message
    }
}

/// A `NodeProto`.
pub(super) fn node(
    operator: &str,
    name: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: &[(&str, Attribute)],
) -> Message {
    let mut message = Message::default();
    for input in inputs {
        message.bytes(1, input.as_bytes());
    }
    for output in outputs {
        message.bytes(2, output.as_bytes());
    }
    message.bytes(3, name.as_bytes());
    message.bytes(4, operator.as_bytes());
    for (name, value) in attributes {
        message.message(5, &value.message(name));
    }
    message
}

/// Adds a `TensorProto` with little-endian elements to a graph.
pub(super) fn add_tensor(
    graph: &mut Message,
    name: &str,
    dims: &[usize],
    element: Element,
    raw: &[u8],
) {
    let mut head = Message::default();
    for &dim in dims {
        head.int(1, dim as i64);
    }
    head.int(2, element as i64).bytes(8, name.as_bytes());
    graph.with_tail(5, head, (9, raw));
}

/// An axis of an input or output.
#[derive(Clone, Copy, Debug)]
pub(super) enum Axis {
    Fixed(usize),
    Named(&'static str),
}

/// A `ValueInfoProto`: an input or output of a graph, and what it is.
pub(super) fn value_info(name: &str, element: Element, axes: &[Axis], about: &str) -> Message {
    let mut shape = Message::default();
    for axis in axes {
        let mut dim = Message::default();
        match axis {
            Axis::Fixed(value) => dim.int(1, *value as i64),
            Axis::Named(name) => dim.bytes(2, name.as_bytes()),
        };
        shape.message(1, &dim);
    }
    let mut tensor = Message::default();
    tensor.int(1, element as i64).message(2, &shape);
    let mut kind = Message::default();
    kind.message(1, &tensor);
    let mut info = Message::default();
    info.bytes(1, name.as_bytes())
        .message(2, &kind)
        .bytes(3, about.as_bytes());
    info
}

/// A `ModelProto`: a graph with the version of its operators and with metadata.
pub(super) fn model(
    graph: &Message,
    opset: i64,
    version: &str,
    about: &str,
    metadata: &[(&str, String)],
) -> Message {
    const IR_VERSION: i64 = 8;
    let mut operators = Message::default();
    operators.bytes(1, b"").int(2, opset);
    let mut message = Message::default();
    message
        .int(1, IR_VERSION)
        .bytes(2, b"flowseg")
        .bytes(3, version.as_bytes())
        .bytes(6, about.as_bytes())
        .message(8, &operators);
    for (key, value) in metadata {
        let mut entry = Message::default();
        entry.bytes(1, key.as_bytes()).bytes(2, value.as_bytes());
        message.message(14, &entry);
    }
    message.message(7, graph);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_says_its_shape_type_and_name() {
        let mut graph = Message::default();
        add_tensor(&mut graph, "w", &[2, 1], Element::Int8, &[1, 255]);
        let expected = [
            0x2a, 13, 0x08, 2, 0x08, 1, 0x10, 3, 0x42, 1, b'w', 0x4a, 2, 1, 255,
        ];
        assert_eq!(graph.into_bytes(), expected);
    }
}
