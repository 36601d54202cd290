//! Components from a few lines of WebAssembly text and the contract's own WIT: guests that no
//! compiler makes.

use std::fs;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::lab::workspace;

/// A trainable in text. As it is, each trial reports `loss` = 0 and is finished.
#[derive(Clone, Default)]
pub(crate) struct Text {
    /// What trials of odd numbers do in their step, before they report.
    pub(crate) step: &'static str,
    /// No trial does it: for the others nothing is different, to the last instruction.
    pub(crate) peaceful: bool,
    /// Imports and other fields of the module.
    pub(crate) more: &'static str,
    /// What the allocator does that the host calls to pass lists.
    pub(crate) realloc: &'static str,
    /// What `reconfigure` answers, by default `applied`.
    pub(crate) reconfigure: &'static str,
    /// What the world has beside the trainable's.
    pub(crate) world: &'static str,
    /// Interfaces of the contract's package that the contract does not have.
    pub(crate) interfaces: &'static str,
}

/// What is used of WASI, and what a later one might have.
const WASI: [(&str, &str); 4] = [
    (
        "clocks",
        "package wasi:clocks@0.2.99; interface monotonic-clock { sleep-well: func(); }",
    ),
    (
        "io",
        "package wasi:io@0.2.6; interface error { resource error; }
        interface streams { use error.{error};
            variant stream-error { last-operation-failed(error), closed }
            resource output-stream { check-write: func() -> result<u64, stream-error>; } }",
    ),
    (
        "cli",
        "package wasi:cli@0.2.6;
        interface stdout { use wasi:io/streams@0.2.6.{output-stream};
            get-stdout: func() -> output-stream; }",
    ),
    (
        "random",
        "package wasi:random@0.2.6;
        interface random { get-random-bytes: func(len: u64) -> list<u8>; }",
    ),
];

impl Text {
    /// The core module. The report stands at 2048: one metric at 4096, its name at 4112.
    fn module(&self) -> Vec<u8> {
        let Self {
            step,
            peaceful,
            more,
            realloc,
            reconfigure,
            ..
        } = self;
        let reconfigure = if reconfigure.is_empty() {
            "i32.const 1024"
        } else {
            reconfigure
        };
        let odd = i32::from(!peaceful);
        let text = format!(
            r#"(module
                (import "tune:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))
                {more}
                (memory (export "memory") 1)
                (data (i32.const 2048) "\00\00\00\00\00\00\00\00\00\10\00\00\01\00\00\00\01")
                (data (i32.const 4096) "\10\10\00\00\04\00\00\00\00\00\00\00\00\00\00\00loss")
                (global $trial (mut i32) (i32.const 0))
                (global $heap (mut i32) (i32.const 8192))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    {realloc}
                    global.get $heap
                    (global.set $heap
                        (i32.and
                            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 7))
                            (i32.const -8))))
                (func (export "tune:plugin/trainable@0.1.0#setup")
                    (param $t i32) (param i64 i32 i32 i32 i32) (result i32)
                    (global.set $trial (local.get $t))
                    i32.const 1024)
                (func (export "tune:plugin/trainable@0.1.0#step") (result i32)
                    (local $i i32)
                    (if (i32.and (global.get $trial) (i32.const {odd})) (then {step}))
                    i32.const 2048)
                (func (export "tune:plugin/trainable@0.1.0#reconfigure")
                    (param i32 i32 i64 i32) (result i32) {reconfigure})
            )"#
        );
        wat::parse_str(&text).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The component.
    pub(crate) fn component(&self) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(workspace().join("wit")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        for (name, text) in WASI {
            let package = folder.path().join("deps").join(name);
            fs::create_dir_all(&package).unwrap();
            fs::write(package.join("package.wit"), text).unwrap();
        }
        let world = format!(
            "package tune:plugin@0.1.0;\n{}\nworld hostile {{ include trainable-plugin; {} }}",
            self.interfaces, self.world
        );
        fs::write(folder.path().join("hostile.wit"), world).unwrap();
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(folder.path()).unwrap();
        let world = resolve.select_world(&[package], Some("hostile")).unwrap();
        let mut module = self.module();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
            .unwrap();
        ComponentEncoder::default()
            .module(&module)
            .unwrap()
            // What is wrong with it is for the host to find.
            .validate(false)
            .encode()
            .unwrap()
    }
}
