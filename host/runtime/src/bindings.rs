//! Types and call stubs generated from `wit/`: one world that has every interface, so that all
//! three kinds of plugin share one set of types.

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package tune:host;
        world everything {
            import tune:plugin/log@0.1.0;
            import tune:plugin/data@0.1.0;
            import tune:plugin/artifact@0.1.0;
            import tune:plugin/gpu@0.1.0;
            export tune:plugin/trainable@0.1.0;
            export tune:plugin/portable-state@0.1.0;
            export tune:plugin/searcher@0.1.0;
            export tune:plugin/scheduler@0.1.0;
        }
    ",
    world: "tune:host/everything",
    imports: { default: trappable },
    exports: { default: async },
});

pub(crate) use exports::tune::plugin::{portable_state, scheduler, searcher, trainable};
pub(crate) use tune::plugin::{artifact, data, gpu, log, types};
