//! Components from a few lines of WebAssembly text and the contract's own WIT.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The answer `ok` of `setup` and `reconfigure`, and a report without metrics: zeros.
pub(crate) const ZEROS: &str = "i32.const 1024";

/// The contract, with another version, additions, and packages that they need.
fn contract(version: &str, additions: &str, packages: &[(&str, &str)]) -> Resolve {
    let folder = tempfile::tempdir().unwrap();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    for entry in std::fs::read_dir(wit).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("tune:plugin@0.1.0", &format!("tune:plugin@{version}"));
        std::fs::write(folder.path().join(path.file_name().unwrap()), text).unwrap();
    }
    let additions = format!("package tune:plugin@{version};\n{additions}");
    std::fs::write(folder.path().join("additions.wit"), additions).unwrap();
    for (name, text) in packages {
        let package = folder.path().join("deps").join(name);
        std::fs::create_dir_all(&package).unwrap();
        std::fs::write(package.join("package.wit"), text).unwrap();
    }
    let mut resolve = Resolve::default();
    resolve.push_dir(folder.path()).unwrap();
    resolve
}

/// A core module in text as a component of a world.
pub(crate) fn component(module: &str, world: &str, version: &str, additions: &str) -> Vec<u8> {
    component_with(module, world, version, additions, &[])
}

/// The same with packages by name, such as parts of WASI.
pub(crate) fn component_with(
    module: &str,
    world: &str,
    version: &str,
    additions: &str,
    packages: &[(&str, &str)],
) -> Vec<u8> {
    let resolve = contract(version, additions, packages);
    let (package, _) = resolve
        .packages
        .iter()
        .find(|(_, p)| p.name.name == "plugin")
        .unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .validate(false)
        .encode()
        .unwrap()
}

/// The text of a trainable: `step` leaves the address of its answer on the stack.
pub(crate) fn trainable_text(step: &str, more: &str, version: &str) -> String {
    format!(
        r#"(module
            (import "tune:plugin/log@{version}" "write" (func $log (param i32 i32 i32)))
            {more}
            (memory (export "memory") 1)
            (global $heap (mut i32) (i32.const 8192))
            ;; Never freed; every list that the host passes is small.
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                global.get $heap
                (global.set $heap
                    (i32.and
                        (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 7))
                        (i32.const -8))))
            (func (export "tune:plugin/trainable@{version}#setup")
                (param i32 i64 i32 i32 i32 i32) (result i32) {ZEROS})
            (func $step (export "tune:plugin/trainable@{version}#step") (result i32)
                (local $i i32)
                {step})
            (func (export "tune:plugin/trainable@{version}#reconfigure")
                (param i32 i32 i64 i32) (result i32) {ZEROS})
        )"#
    )
}

/// A trainable. `more`: imports and other fields of the module.
pub(crate) fn trainable(step: &str, more: &str) -> Vec<u8> {
    component(
        &trainable_text(step, more, "0.1.0"),
        "trainable-plugin",
        "0.1.0",
        "",
    )
}

/// A step that reports `count` metrics of one name, which stands at 4096.
pub(crate) fn reporting(name: &str, value: f64, count: u32) -> (String, String) {
    let more = format!(r#"(data (i32.const 4096) "{name}")"#);
    let step = format!(
        "(loop $next
            (i32.store offset=65536 (i32.shl (local.get $i) (i32.const 4)) (i32.const 4096))
            (i32.store offset=65540 (i32.shl (local.get $i) (i32.const 4)) (i32.const {}))
            (f64.store offset=65544 (i32.shl (local.get $i) (i32.const 4)) (f64.const {value:?}))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $i) (i32.const {count}))))
        (i32.store (i32.const 2056) (i32.const 65536))
        (i32.store (i32.const 2060) (i32.const {count}))
        i32.const 2048",
        name.len()
    );
    (format!("(drop (memory.grow (i32.const 4)))\n{step}"), more)
}
