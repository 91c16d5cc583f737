//! Protobuf messages in their wire format: each field a key of number and kind, then the value.
//!
//! They are written and never read, for which fields of a few kinds are all it takes; a generator of code for a
//! whole schema would bring a hundred times as much.

/// Wire type of integers of variable length.
const VARINT: u8 = 0;
/// Wire type of what begins with its length.
const LENGTH: u8 = 2;
/// Wire types of eight and of four bytes.
const EIGHT_BYTES: u8 = 1;
const FOUR_BYTES: u8 = 5;

/// A protobuf message under construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    /// Seven bits per byte, the lowest first; the top bit means that more follow.
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
    pub fn int(&mut self, field: u8, value: i64) -> &mut Self {
        self.key(field, VARINT);
        // Negative numbers are written in two's complement.
        self.varint(value as u64);
        self
    }

    /// Adds a single-precision number.
    pub fn float(&mut self, field: u8, value: f32) -> &mut Self {
        self.key(field, FOUR_BYTES);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Adds a double-precision number.
    pub fn double(&mut self, field: u8, value: f64) -> &mut Self {
        self.key(field, EIGHT_BYTES);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Adds bytes or text.
    pub fn bytes(&mut self, field: u8, value: &[u8]) -> &mut Self {
        self.begin(field, value.len());
        self.0.extend(value);
        self
    }

    /// Adds a message.
    pub fn message(&mut self, field: u8, value: &Message) -> &mut Self {
        self.bytes(field, &value.0)
    }

    /// Adds a message whose last field is `tail`, which is copied once only: weights are large.
    pub fn with_tail(&mut self, field: u8, mut head: Message, tail: (u8, &[u8])) {
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
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The message, encoded.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
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
            .double(4, 1.0)
            .bytes(20, b"ab");
        let expected = [
            &[0x08, 0xac, 0x02][..],
            // -1 in two's complement has ten groups of seven bits.
            &[
                0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
            ],
            &[0x1d, 0, 0, 0x80, 0x3f],
            &[0x21, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
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
}
