//! The direction of imports: no two files import each other, and no top-level module imports one
//! above it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// The top-level modules from bottom to top, each with those that it may import.
const ALLOWED: &str = "
allocator:
csv:
fonts:
format:
page:
own_digest: format
own_png: own_digest
panics:
potential:
protobuf:
random:
run_format:
sampler:
simd:
spelling:
terminal:
text_file:
texts:
version:
device: panics
encoding: simd
own_gif: own_png
files: csv own_gif own_png page
system_report: device page version
assignment: encoding
labels: encoding
trajectory: labels
crash: files panics terminal
data: assignment files format labels own_png panics text_file
votes: data encoding labels
label_edit: labels
kernels: device encoding potential simd
patches: device kernels
pictures: encoding fonts labels own_gif own_png
vector_field: encoding potential
flow: device encoding
gpu: encoding format labels page potential vector_field
runs: data run_format
model: device encoding files flow kernels patches random text_file
inference: data device encoding flow kernels labels model sampler votes
inspect: encoding flow inference labels model
models: files format model page run_format spelling
onnx: data encoding flow inference kernels model protobuf random sampler votes
eval: csv data encoding flow fonts inference labels model pictures random sampler votes
export: csv data encoding files fonts inference labels own_digest own_gif own_png pictures spelling trajectory votes
compare: data encoding eval export fonts format labels pictures run_format sampler trajectory votes
job: data device inference labels model page panics sampler
server: crash data device export files inference kernels labels model models panics terminal votes
train: assignment data device encoding eval files flow format kernels model models panics patches pictures \
    potential protobuf random run_format text_file
verify: data encoding eval files kernels labels model potential random
race: csv data device encoding eval files flow fonts format inference labels model panics pictures potential \
    sampler text_file texts train vector_field
viewer: compare crash csv data device encoding eval export files flow fonts format gpu inference inspect job label_edit \
    labels model models page panics patches pictures potential race runs sampler system_report texts train trajectory \
    vector_field votes
ablate: csv data device eval files flow fonts format inference model run_format text_file train votes
cli: ablate compare crash csv data device encoding eval export files flow format inference inspect kernels labels model \
    models onnx own_png panics pictures race run_format sampler server system_report terminal text_file texts train \
    trajectory verify version viewer votes
main: allocator cli viewer
";

/// The lines of [`ALLOWED`].
fn allowed() -> Vec<(&'static str, Vec<&'static str>)> {
    let lines = ALLOWED.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(module, others)| (module, others.split_whitespace().collect()))
        .collect()
}

/// A module path such as `["data", "layout"]`; the crate's root is empty.
type ModulePath = Vec<String>;

/// What one source file uses from the others.
#[derive(Default)]
struct Source {
    /// Absolute paths mentioned in code, without re-exports.
    named: BTreeSet<ModulePath>,
    /// Names that the module re-exports, and their origins.
    passed_on: BTreeMap<String, ModulePath>,
    /// Local names of imported items.
    imported: BTreeMap<String, ModulePath>,
}

struct Reader<'a> {
    module: &'a [String],
    children: BTreeSet<String>,
    source: Source,
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

impl Reader<'_> {
    /// The absolute form of a path that starts in this crate.
    fn absolute(&self, path: &[String]) -> Option<ModulePath> {
        let (first, rest) = path.split_first()?;
        let (mut base, mut rest) = match first.as_str() {
            "crate" | "flowseg" => (Vec::new(), rest),
            "self" => (self.module.to_vec(), rest),
            "super" => (
                self.module[..self.module.len().checked_sub(1)?].to_vec(),
                rest,
            ),
            child if self.children.contains(child) => (self.module.to_vec(), path),
            _ => return None,
        };
        while rest.first().is_some_and(|segment| segment == "super") {
            base.pop();
            rest = &rest[1..];
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    fn import(&mut self, tree: &syn::UseTree, prefix: &mut Vec<String>, public: bool) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.import(&path.tree, prefix, public);
                prefix.pop();
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, prefix, public);
                }
            }
            syn::UseTree::Name(name) => {
                self.import_as(prefix, name.ident.to_string(), None, public)
            }
            syn::UseTree::Rename(rename) => {
                let alias = Some(rename.rename.to_string());
                self.import_as(prefix, rename.ident.to_string(), alias, public);
            }
            syn::UseTree::Glob(_) => {
                if let Some(path) = self.absolute(prefix) {
                    self.source.named.insert(path);
                }
            }
        }
    }

    fn import_as(&mut self, prefix: &[String], name: String, alias: Option<String>, public: bool) {
        let mut path = prefix.to_vec();
        if name != "self" {
            path.push(name);
        }
        let Some(path) = self.absolute(&path) else {
            return;
        };
        let local = alias.or_else(|| path.last().cloned());
        if let Some(local) = local {
            if public {
                self.source.passed_on.insert(local, path);
                return;
            }
            self.source.imported.insert(local, path.clone());
        }
        self.source.named.insert(path);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            let public = !matches!(item.vis, syn::Visibility::Inherited);
            self.import(&item.tree, &mut Vec::new(), public);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 {
            let found = match self.source.imported.get(&segments[0]) {
                Some(module) => Some([module.as_slice(), &segments[1..]].concat()),
                None => self.absolute(&segments),
            };
            self.source.named.extend(found);
        }
        visit::visit_path(self, path);
    }
}

/// All modules of the crate by their paths.
fn sources() -> BTreeMap<ModulePath, Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    list(&root, &mut files);
    let paths: BTreeMap<ModulePath, PathBuf> = files
        .into_iter()
        .map(|file| (module_of(file.strip_prefix(&root).unwrap()), file))
        .filter(|(module, _)| !module.iter().any(|part| part == "tests"))
        .collect();
    let mut sources = BTreeMap::new();
    for (module, file) in &paths {
        let children = paths
            .keys()
            .filter(|path| path.len() == module.len() + 1 && path.starts_with(module))
            .filter_map(|path| path.last().cloned())
            .collect();
        let mut reader = Reader {
            module,
            children,
            source: Source::default(),
        };
        let code = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
        if !is_test(&code.attrs) {
            // Imports first, so that paths through imported modules are resolved wherever they
            // occur.
            for item in &code.items {
                if let syn::Item::Use(item) = item {
                    reader.visit_item_use(item);
                }
            }
            reader.visit_file(&code);
        }
        sources.insert(module.clone(), reader.source);
    }
    sources
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

fn module_of(file: &Path) -> ModulePath {
    let mut parts: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

/// The module that defines the item of a path, following re-exports.
fn definer(sources: &BTreeMap<ModulePath, Source>, path: &[String]) -> Option<ModulePath> {
    let mut path = path.to_vec();
    // A chain of re-exports is short; a longer one is a cycle.
    for _ in 0..16 {
        let depth = (0..=path.len())
            .rev()
            .find(|&depth| sources.contains_key(&path[..depth]))?;
        let module = &path[..depth];
        let Some(name) = path.get(depth) else {
            return Some(module.to_vec());
        };
        match sources[module].passed_on.get(name) {
            Some(origin) => path = [origin.as_slice(), &path[depth + 1..]].concat(),
            None => return Some(module.to_vec()),
        }
    }
    None
}

/// For every file, the files that it imports from, by module path.
fn imports() -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
    let sources = sources();
    sources
        .iter()
        .map(|(module, source)| {
            let named = source.named.iter();
            let mut found: BTreeSet<ModulePath> =
                named.filter_map(|path| definer(&sources, path)).collect();
            found.remove(module);
            // The root contains only the crate's documentation.
            found.remove(&Vec::new());
            (module.clone(), found)
        })
        .collect()
}

fn name(module: &[String]) -> String {
    module.join("::")
}

/// The modules reachable from one through imports.
fn reachable<'a>(
    imports: &'a BTreeMap<ModulePath, BTreeSet<ModulePath>>,
    from: &'a ModulePath,
) -> BTreeSet<&'a ModulePath> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&ModulePath> = imports[from].iter().collect();
    while let Some(module) = open.pop() {
        if seen.insert(module) {
            open.extend(imports[module].iter());
        }
    }
    seen
}

#[test]
fn no_file_is_imported_by_what_it_imports() {
    let imports = imports();
    let mut cycles = BTreeSet::new();
    for module in imports.keys() {
        let reached = reachable(&imports, module);
        if reached.contains(module) {
            let cycle: Vec<String> = reached
                .into_iter()
                .filter(|other| reachable(&imports, other).contains(module))
                .map(|other| name(other))
                .collect();
            cycles.insert(cycle);
        }
    }
    assert!(cycles.is_empty(), "import cycles: {cycles:#?}");
}

#[test]
fn modules_import_only_what_stands_below_them() {
    let allowed: BTreeMap<_, _> = allowed().into_iter().collect();
    let mut upward = Vec::new();
    for (module, imported) in imports() {
        let Some(group) = module.first() else {
            continue;
        };
        let Some(below) = allowed.get(group.as_str()) else {
            panic!("{group} is missing from the table of modules");
        };
        for other in imported {
            let to = &other[0];
            if to != group && !below.contains(&to.as_str()) {
                upward.push(format!("{} -> {}", name(&module), name(&other)));
            }
        }
    }
    assert!(
        upward.is_empty(),
        "imports against the direction: {upward:#?}"
    );
}

#[test]
fn the_table_of_modules_has_no_cycle() {
    let mut below = Vec::new();
    for (module, others) in allowed() {
        for other in others {
            assert!(
                below.contains(&other),
                "{module} may import {other}, which is not below it"
            );
        }
        below.push(module);
    }
}
