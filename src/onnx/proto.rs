//! The messages of ONNX's protobuf schema (onnx.proto, IR version 8) that a network's graph consists
//! of. They are written and never read, for which fields of three kinds are all it takes; a generator
//! of code for the whole schema would bring a hundred times as much.

/// Wire type of integers of variable length.
const VARINT: u8 = 0;
/// Wire type of what begins with its length.
const LENGTH: u8 = 2;
/// Wire type of four bytes.
const FOUR_BYTES: u8 = 5;

/// A protobuf message under construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u8, wire: u8) {
        self.varint(u64::from(field) << 3 | u64::from(wire));
    }

    /// Adds an integer, also one of a repeated field.
    pub(super) fn int(&mut self, field: u8, value: i64) -> &mut Self {
        self.key(field, VARINT);
        // Negative numbers are written in two's complement.
        self.varint(value as u64);
        self
    }

    /// Adds a single-precision number.
    pub(super) fn float(&mut self, field: u8, value: f32) -> &mut Self {
        self.key(field, FOUR_BYTES);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Adds bytes or text.
    pub(super) fn bytes(&mut self, field: u8, value: &[u8]) -> &mut Self {
        self.begin(field, value.len());
        self.0.extend(value);
        self
    }

    /// Adds a message.
    pub(super) fn message(&mut self, field: u8, value: &Message) -> &mut Self {
        self.bytes(field, &value.0)
    }

    /// Adds a message whose last field is `tail`, which is copied once only: weights are large.
    pub(super) fn with_tail(&mut self, field: u8, mut head: Message, tail: (u8, &[u8])) {
        head.begin(tail.0, tail.1.len());
        self.begin(field, head.0.len() + tail.1.len());
        self.0.extend(head.0);
        self.0.extend(tail.1);
    }

    /// Key and length of what is `len` bytes long.
    fn begin(&mut self, field: u8, len: usize) {
        self.key(field, LENGTH);
        self.varint(len as u64);
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The message, encoded.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

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
    fn numbers_and_lengths_are_those_of_the_wire_format() {
        let mut message = Message::default();
        message
            .int(1, 300)
            .int(2, -1)
            .float(3, 1.0)
            .bytes(20, b"ab");
        let expected = [
            &[0x08, 0xac, 0x02][..],
            // -1 in two's complement has ten groups of seven bits.
            &[
                0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
            ],
            &[0x1d, 0, 0, 0x80, 0x3f],
            // Field numbers from 16 on take two bytes.
            &[0xa2, 0x01, 2, b'a', b'b'],
        ];
        assert_eq!(message.into_bytes(), expected.concat());
    }

    #[test]
    fn a_tail_is_a_field_like_any_other() {
        let raw = vec![7u8; 300];
        let mut head = Message::default();
        head.int(1, 5);
        let mut whole = head.clone();
        whole.bytes(9, &raw);
        let (mut expected, mut found) = (Message::default(), Message::default());
        expected.message(5, &whole);
        found.with_tail(5, head, (9, &raw));
        assert_eq!(found, expected);
    }

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
