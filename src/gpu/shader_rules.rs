//! What the tests demand of every shader.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Expression, Function, Handle, Module, Statement};

/// Panics unless the shader is valid, and none of its branches and loops depends on uniforms alone.
///
/// Mesa's software adapter replaces such uniforms by their values and compiles the shader anew whenever it
/// is bound; it keeps every result until the pipeline is dropped. Pipeline constants, storage buffers and
/// flat vertex outputs are treated as usual.
pub(crate) fn check(name: &str, source: &str) {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
    Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {e:?}"));
    let found = branches_on_uniforms(&module);
    assert_eq!(found, Vec::<String>::new(), "{name}");
}

/// The functions with a branch or loop that uniforms alone decide.
fn branches_on_uniforms(module: &Module) -> Vec<String> {
    let named = module.functions.iter().map(|(_, function)| function);
    let entries = module.entry_points.iter().map(|entry| &entry.function);
    named
        .chain(entries)
        .filter(|function| {
            let source = Source { module, function };
            source.any(&function.body, false)
        })
        .map(|function| function.name.clone().unwrap_or_default())
        .collect()
}

/// What decides a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Constants,
    Uniforms,
    Others,
}

struct Source<'a> {
    module: &'a Module,
    function: &'a Function,
}

impl Source<'_> {
    /// Whether a block has a branch that uniforms decide; one that leaves a loop may also compare them with
    /// a variable that counts.
    fn any(&self, block: &naga::Block, in_loop: bool) -> bool {
        block.iter().any(|statement| match statement {
            Statement::Block(inner) => self.any(inner, in_loop),
            Statement::If {
                condition,
                accept,
                reject,
            } => {
                self.by(*condition) == By::Uniforms
                    || in_loop && self.counts(*condition)
                    || self.any(accept, false)
                    || self.any(reject, false)
            }
            Statement::Switch { selector, cases } => {
                self.by(*selector) == By::Uniforms
                    || cases.iter().any(|case| self.any(&case.body, false))
            }
            Statement::Loop {
                body, continuing, ..
            } => self.any(body, true) || self.any(continuing, true),
            _ => false,
        })
    }

    fn counts(&self, condition: Handle<Expression>) -> bool {
        let &Expression::Binary { left, right, .. } = &self.function.expressions[condition] else {
            return false;
        };
        let variable = |side| match self.function.expressions[side] {
            Expression::Load { pointer } => matches!(
                self.function.expressions[pointer],
                Expression::LocalVariable(_)
            ),
            _ => false,
        };
        variable(left) && self.by(right) == By::Uniforms
            || variable(right) && self.by(left) == By::Uniforms
    }

    fn by(&self, value: Handle<Expression>) -> By {
        let all = |values: &[Handle<Expression>]| {
            let by = values.iter().map(|&value| self.by(value));
            by.max().unwrap_or(By::Constants)
        };
        match &self.function.expressions[value] {
            Expression::Literal(_)
            | Expression::Constant(_)
            | Expression::Override(_)
            | Expression::ZeroValue(_) => By::Constants,
            Expression::GlobalVariable(global) => {
                match self.module.global_variables[*global].space {
                    AddressSpace::Uniform => By::Uniforms,
                    _ => By::Others,
                }
            }
            Expression::Load { pointer: value }
            | Expression::AccessIndex { base: value, .. }
            | Expression::Splat { value, .. }
            | Expression::Swizzle { vector: value, .. }
            | Expression::Unary { expr: value, .. }
            | Expression::As { expr: value, .. }
            | Expression::Relational {
                argument: value, ..
            } => self.by(*value),
            Expression::Access { base, index } => all(&[*base, *index]),
            Expression::Binary { left, right, .. } => all(&[*left, *right]),
            Expression::Compose { components, .. } => all(components),
            Expression::Select {
                condition,
                accept,
                reject,
            } => all(&[*condition, *accept, *reject]),
            Expression::Math {
                arg,
                arg1,
                arg2,
                arg3,
                ..
            } => {
                let rest = [arg1, arg2, arg3].into_iter().flatten().copied();
                all(&std::iter::once(*arg).chain(rest).collect::<Vec<_>>())
            }
            _ => By::Others,
        }
    }
}

#[test]
fn branches_on_uniforms_alone_are_found() {
    let shader = |body: &str| {
        let source = format!(
            "struct Rule {{ count: u32, flags: u32 }}
            @group(0) @binding(0) var<uniform> rule: Rule;
            @group(0) @binding(1) var<storage, read_write> values: array<u32>;
            @compute @workgroup_size(1)
            fn main(@builtin(global_invocation_id) id: vec3u) {{ {body} }}"
        );
        branches_on_uniforms(&naga::front::wgsl::parse_str(&source).unwrap()).len()
    };
    let found = [
        "if (rule.flags & 2u) != 0u { values[0] = 1u; }",
        "if rule.flags > 0u && id.x > 0u { values[0] = 1u; }",
        "switch rule.flags { case 1u: { values[0] = 1u; } default: {} }",
        "for (var i = 0u; i < rule.count; i++) { values[i] = 1u; }",
    ];
    for body in found {
        assert_eq!(shader(body), 1, "{body}");
    }
    let harmless = [
        "if id.x > rule.count { values[0] = 1u; }",
        "values[0] = select(1u, 2u, rule.flags > 0u);",
        "for (var i = 0u; i < arrayLength(&values); i++) { values[i] = rule.count; }",
    ];
    for body in harmless {
        assert_eq!(shader(body), 0, "{body}");
    }
}
