//! Graphs built node by node.

use super::proto::{self, Attribute, Axis, Element};
use crate::model::tensors::{HostTensor, Tensors, exact_bytes_of_rows};
use crate::protobuf::Message;
use std::collections::HashMap;
use std::rc::Rc;

/// The name of a tensor in the graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Value(Rc<str>);

impl Value {
    /// Stands for an optional input that is left out.
    pub(super) fn none() -> Self {
        Self("".into())
    }
}

/// An axis of a shape that is computed in the graph.
#[derive(Clone, Copy)]
pub(super) enum Extent<'a> {
    /// A number, or -1 for what is left.
    Of(i64),
    /// A tensor `[1]` of integers.
    In(&'a Value),
}

/// The graph so far, and the weights that it draws on.
pub(super) struct Builder<'a> {
    graph: Message,
    weights: &'a Tensors,
    /// The beginning of the names of matrices that are stored as int8 with one scale per row, unless that
    /// would round them: a checkpoint's are in single precision.
    bytes_in: Option<&'static str>,
    nodes: usize,
    /// Constants and weights that are in the graph already.
    known: HashMap<String, Value>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(name: &str, weights: &'a Tensors, bytes_in: Option<&'static str>) -> Self {
        let mut graph = Message::default();
        graph.bytes(2, name.as_bytes());
        Self {
            graph,
            weights,
            bytes_in,
            nodes: 0,
            known: HashMap::new(),
        }
    }

    /// The graph's message.
    pub(super) fn finish(self) -> Message {
        self.graph
    }

    /// Declares an input.
    pub(super) fn input(
        &mut self,
        name: &str,
        element: Element,
        axes: &[Axis],
        about: &str,
    ) -> Value {
        let info = proto::value_info(name, element, axes, about);
        self.graph.message(11, &info);
        Value(name.into())
    }

    /// Declares an output.
    pub(super) fn output(
        &mut self,
        value: &Value,
        name: &str,
        element: Element,
        axes: &[Axis],
        about: &str,
    ) {
        let node = proto::node("Identity", name, &[&value.0], &[name], &[]);
        self.graph.message(1, &node);
        let info = proto::value_info(name, element, axes, about);
        self.graph.message(12, &info);
    }

    /// A node with several outputs.
    pub(super) fn nodes<const N: usize>(
        &mut self,
        operator: &str,
        inputs: &[&Value],
        attributes: &[(&str, Attribute)],
    ) -> [Value; N] {
        self.nodes += 1;
        let name = format!("{operator}_{}", self.nodes);
        let outputs: [Value; N] = std::array::from_fn(|i| match i {
            0 => Value(name.as_str().into()),
            i => Value(format!("{name}_{i}").into()),
        });
        let inputs: Vec<&str> = inputs.iter().map(|input| &*input.0).collect();
        let names = outputs.each_ref().map(|output| &*output.0);
        let node = proto::node(operator, &name, &inputs, &names, attributes);
        self.graph.message(1, &node);
        outputs
    }

    /// A node with one output.
    pub(super) fn node(
        &mut self,
        operator: &str,
        inputs: &[&Value],
        attributes: &[(&str, Attribute)],
    ) -> Value {
        let [output] = self.nodes(operator, inputs, attributes);
        output
    }

    fn known(&mut self, name: String, add: impl FnOnce(&mut Message, &str)) -> Value {
        if let Some(value) = self.known.get(&name) {
            return value.clone();
        }
        add(&mut self.graph, &name);
        let value = Value(name.as_str().into());
        self.known.insert(name, value.clone());
        value
    }

    /// Integers `[n]`.
    pub(super) fn ints(&mut self, values: &[i64]) -> Value {
        let text: Vec<String> = values.iter().map(i64::to_string).collect();
        self.known(format!("ints[{}]", text.join(",")), |graph, name| {
            let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            proto::add_tensor(graph, name, &[values.len()], Element::Int64, &raw);
        })
    }

    /// An integer without axes.
    pub(super) fn whole(&mut self, value: i64) -> Value {
        self.known(format!("whole[{value}]"), |graph, name| {
            proto::add_tensor(graph, name, &[], Element::Int64, &value.to_le_bytes());
        })
    }

    /// A number without axes.
    pub(super) fn scalar(&mut self, value: f32) -> Value {
        self.known(format!("scalar[{value:e}]"), |graph, name| {
            proto::add_tensor(graph, name, &[], Element::Float, &value.to_le_bytes());
        })
    }

    /// A table of the program's own, or of weights in another order.
    pub(super) fn table(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Value {
        self.known(name.to_owned(), |graph, name| {
            let raw = bytemuck::cast_slice(values);
            proto::add_tensor(graph, name, dims, Element::Float, raw);
        })
    }

    /// Whether the network has a weight.
    pub(super) fn has(&self, name: &str) -> bool {
        self.weights.contains_key(name)
    }

    /// A weight of the network on the host.
    pub(super) fn host(&self, name: &str) -> &'a HostTensor {
        &self.weights[name]
    }

    /// A weight of the network.
    pub(super) fn weight(&mut self, name: &str) -> Value {
        let tensor = self.host(name);
        self.table(name, &tensor.shape, &tensor.data)
    }

    /// A matrix of the network, `[in, out]`.
    fn matrix(&mut self, name: &str) -> Value {
        if !self.bytes_in.is_some_and(|prefix| name.starts_with(prefix)) {
            return self.weight(name);
        }
        if let Some(value) = self.known.get(name) {
            return value.clone();
        }
        let tensor = self.host(name);
        let Some((bytes, scales)) = exact_bytes_of_rows(tensor) else {
            return self.weight(name);
        };
        let raw = self.known(format!("{name}.bytes"), |graph, name| {
            proto::add_tensor(graph, name, &tensor.shape, Element::Int8, &bytes);
        });
        let scales = self.table(&format!("{name}.row_scale"), &[scales.len()], &scales);
        let axis = [("axis", Attribute::Int(0))];
        let value = self.node("DequantizeLinear", &[&raw, &scales], &axis);
        self.known.insert(name.to_owned(), value.clone());
        value
    }

    pub(super) fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Add", &[a, b], &[])
    }

    pub(super) fn sub(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Sub", &[a, b], &[])
    }

    pub(super) fn mul(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Mul", &[a, b], &[])
    }

    pub(super) fn div(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Div", &[a, b], &[])
    }

    pub(super) fn matmul(&mut self, a: &Value, b: &Value) -> Value {
        self.node("MatMul", &[a, b], &[])
    }

    /// `x W + b` over the last axis, with the weights `name.weight` and, if there is one,
    /// `name.bias`.
    pub(super) fn linear(&mut self, x: &Value, name: &str) -> Value {
        let weight = self.matrix(&format!("{name}.weight"));
        let product = self.matmul(x, &weight);
        let bias = format!("{name}.bias");
        if !self.has(&bias) {
            return product;
        }
        let bias = self.weight(&bias);
        self.add(&product, &bias)
    }

    pub(super) fn transpose(&mut self, x: &Value, order: &[i64]) -> Value {
        self.node("Transpose", &[x], &[("perm", Attribute::Ints(order))])
    }

    pub(super) fn concat(&mut self, parts: &[&Value], axis: i64) -> Value {
        match parts {
            [one] => (*one).clone(),
            parts => self.node("Concat", parts, &[("axis", Attribute::Int(axis))]),
        }
    }

    /// Splits an axis into N equal parts of a width.
    pub(super) fn split<const N: usize>(
        &mut self,
        x: &Value,
        width: usize,
        axis: i64,
    ) -> [Value; N] {
        let widths = self.ints(&[width as i64; N]);
        self.nodes("Split", &[x, &widths], &[("axis", Attribute::Int(axis))])
    }

    /// A shape as a tensor.
    fn shape(&mut self, extents: &[Extent]) -> Value {
        let fixed: Option<Vec<i64>> = extents
            .iter()
            .map(|extent| match extent {
                Extent::Of(number) => Some(*number),
                Extent::In(_) => None,
            })
            .collect();
        if let Some(fixed) = fixed {
            return self.ints(&fixed);
        }
        let parts: Vec<Value> = extents
            .iter()
            .map(|extent| match extent {
                Extent::Of(number) => self.ints(&[*number]),
                Extent::In(value) => (*value).clone(),
            })
            .collect();
        self.concat(&parts.iter().collect::<Vec<_>>(), 0)
    }

    pub(super) fn reshape(&mut self, x: &Value, extents: &[Extent]) -> Value {
        let shape = self.shape(extents);
        self.node("Reshape", &[x, &shape], &[])
    }

    /// The length of an axis, `[1]`.
    pub(super) fn length(&mut self, x: &Value, axis: i64) -> Value {
        let range = [
            ("start", Attribute::Int(axis)),
            ("end", Attribute::Int(axis + 1)),
        ];
        self.node("Shape", &[x], &range)
    }

    /// `x[from..to]` along an axis; `to` counts from the end where it is negative.
    pub(super) fn slice(&mut self, x: &Value, axis: i64, from: i64, to: i64) -> Value {
        let to = self.ints(&[to]);
        self.slice_to(x, axis, from, &to)
    }

    /// `x[from..to]` along an axis, with an end `[1]` that is computed in the graph.
    pub(super) fn slice_to(&mut self, x: &Value, axis: i64, from: i64, to: &Value) -> Value {
        let (from, axis) = (self.ints(&[from]), self.ints(&[axis]));
        self.node("Slice", &[x, &from, to, &axis], &[])
    }

    /// Every second element of the last axis, from the first or the second one on.
    pub(super) fn every_second(&mut self, x: &Value, from: i64) -> Value {
        let (from, to) = (self.ints(&[from]), self.ints(&[i64::MAX]));
        let (axis, step) = (self.ints(&[-1]), self.ints(&[2]));
        self.node("Slice", &[x, &from, &to, &axis, &step], &[])
    }

    pub(super) fn unsqueeze(&mut self, x: &Value, axis: i64) -> Value {
        let axis = self.ints(&[axis]);
        self.node("Unsqueeze", &[x, &axis], &[])
    }

    /// Continues an image or a grid with its border; `pads` are the pixels before and after every axis.
    pub(super) fn pad_edge(&mut self, x: &Value, pads: &Value) -> Value {
        self.node("Pad", &[x, pads], &[("mode", Attribute::Text("edge"))])
    }

    /// Integers as single-precision numbers.
    pub(super) fn as_numbers(&mut self, x: &Value) -> Value {
        let to = Attribute::Int(Element::Float as i64);
        self.node("Cast", &[x], &[("to", to)])
    }

    pub(super) fn silu(&mut self, x: &Value) -> Value {
        let gate = self.node("Sigmoid", &[x], &[]);
        self.mul(x, &gate)
    }

    /// `x Phi(x)` with the normal distribution Phi.
    pub(super) fn gelu(&mut self, x: &Value) -> Value {
        let (root, one, half) = (
            self.scalar(std::f32::consts::SQRT_2),
            self.scalar(1.0),
            self.scalar(0.5),
        );
        let scaled = self.div(x, &root);
        let erf = self.node("Erf", &[&scaled], &[]);
        let twice = self.add(&erf, &one);
        let product = self.mul(x, &twice);
        self.mul(&product, &half)
    }

    /// `softmax(q k^T / sqrt(d)) v`:
    /// `q, k, v: [1, heads, L, d]` to `[L, heads d]`.
    pub(super) fn attend(&mut self, [q, k, v]: &[Value; 3], heads: usize, d: usize) -> Value {
        let k = self.transpose(k, &[0, 1, 3, 2]);
        let scale = self.scalar((1.0 / (d as f64).sqrt()) as f32);
        let products = self.matmul(q, &k);
        let logits = self.mul(&products, &scale);
        let weights = self.node("Softmax", &[&logits], &[("axis", Attribute::Int(-1))]);
        let out = self.matmul(&weights, v);
        let out = self.transpose(&out, &[0, 2, 1, 3]);
        self.reshape(&out, &[Extent::Of(-1), Extent::Of((heads * d) as i64)])
    }

    /// Queries, keys and values `[L, 3 D]`, each as `[1, heads, L, d]`.
    pub(super) fn heads(&mut self, qkv: &Value, heads: usize, head_width: usize) -> [Value; 3] {
        let shape = [-1, 3, heads as i64, head_width as i64].map(Extent::Of);
        let parts = self.reshape(qkv, &shape);
        let parts = self.transpose(&parts, &[1, 2, 0, 3]);
        self.split(&parts, 1, 0)
    }
}
