//! Bindings of the plugin worlds, generated from `wit/`. The types and `log` are generated
//! once and shared, so that one set of conversions serves all worlds. Holds no code of its own.
//!
//! Each world's type goes into a component only through its export macro, which the `export_*!`
//! macros of this crate call: a plugin exports one interface and imports what it uses.

#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "generated bindings"
)]

/// World `trainable-plugin`, the shared types, and all imports.
pub mod trainable {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "trainable-plugin",
        generate_unused_types: true,
        pub_export_macro: true,
        export_macro_name: "export_world",
        default_bindings_module: "tune_plugin::bindings::trainable",
        runtime_path: "::tune_plugin::wit_bindgen::rt",
    });
}

/// What world `portable-trainable-plugin` has beyond `trainable-plugin`. Both of a component's
/// worlds are merged when it is linked, and the two together are that world.
pub mod portable {
    wit_bindgen::generate!({
        inline: "
            package tune:sdk;
            world portable-state-only {
                export tune:plugin/portable-state@0.1.0;
            }
        ",
        path: "../../wit",
        world: "tune:sdk/portable-state-only",
        pub_export_macro: true,
        export_macro_name: "export_world",
        default_bindings_module: "tune_plugin::bindings::portable",
        runtime_path: "::tune_plugin::wit_bindgen::rt",
        with: {
            "tune:plugin/types@0.1.0": tune_plugin::bindings::trainable::tune::plugin::types,
        },
    });
}

/// World `searcher-plugin`.
pub mod searcher {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "searcher-plugin",
        pub_export_macro: true,
        export_macro_name: "export_world",
        default_bindings_module: "tune_plugin::bindings::searcher",
        runtime_path: "::tune_plugin::wit_bindgen::rt",
        with: {
            "tune:plugin/types@0.1.0": tune_plugin::bindings::trainable::tune::plugin::types,
            "tune:plugin/log@0.1.0": tune_plugin::bindings::trainable::tune::plugin::log,
        },
    });
}

/// World `scheduler-plugin`.
pub mod scheduler {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "scheduler-plugin",
        pub_export_macro: true,
        export_macro_name: "export_world",
        default_bindings_module: "tune_plugin::bindings::scheduler",
        runtime_path: "::tune_plugin::wit_bindgen::rt",
        with: {
            "tune:plugin/types@0.1.0": tune_plugin::bindings::trainable::tune::plugin::types,
            "tune:plugin/log@0.1.0": tune_plugin::bindings::trainable::tune::plugin::log,
        },
    });
}
