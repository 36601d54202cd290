//! The interface natively. What computes needs a GPU, in hardware or software; without one those tests say
//! so and pass, unless `TUNE_TEST_GPU=required`. The others run where nothing is computed.

use tune_plugin_gpu::{
    Batch, Binding, Buffer, GpuError, Layout, Module, OFFSET_ALIGNMENT, Pipeline, Usage, adapter,
    limits, usage, use_noop,
};

const WGSL: &str = "
    override FACTOR: f32 = 2.0;
    @group(0) @binding(0) var<storage, read_write> numbers: array<f32>;
    @compute @workgroup_size(64)
    fn scale(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&numbers) { numbers[id.x] *= FACTOR; }
    }
    struct Place { add: f32 }
    @group(0) @binding(0) var<uniform> place: Place;
    @group(1) @binding(0) var<storage, read> source: array<f32>;
    @group(1) @binding(1) var<storage, read_write> sums: array<f32>;
    @compute @workgroup_size(64)
    fn shift(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&source) { sums[id.x] = source[id.x] + place.add; }
    }";

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn has_gpu() -> bool {
    let found = adapter();
    if let Err(error) = &found {
        let is_required = std::env::var("TUNE_TEST_GPU").is_ok_and(|word| word == "required");
        assert!(!is_required, "{error}");
        eprintln!("skipped: {error}");
    }
    found.is_ok()
}

/// The message of a validation error.
fn invalid<T: std::fmt::Debug>(result: Result<T, GpuError>) -> String {
    let error = result.err();
    assert!(matches!(error, Some(GpuError::Validation(_))), "{error:?}");
    error.map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn a_kernel_runs_with_the_constants_of_its_pipeline() {
    if !has_gpu() {
        return;
    }
    let module = Module::new("scale", WGSL).unwrap();
    let numbers: Vec<f32> = (0..1_000_u16).map(f32::from).collect();
    for (constants, factor) in [(&[][..], 2.0), (&[("FACTOR", 5.0)][..], 5.0)] {
        let pipeline = Pipeline::new(&module, "scale", &[], constants).unwrap();
        let buffer = Buffer::with("numbers", Usage::STORAGE, &numbers).unwrap();
        let group = pipeline.layout(0).unwrap().bind(&[buffer.all()]).unwrap();
        let mut batch = Batch::new();
        batch.dispatch(&pipeline, &[group.whole()], [16, 1, 1]);
        batch.submit().unwrap().wait().unwrap();
        let expected: Vec<f32> = numbers.iter().map(|n| n * factor).collect();
        assert_eq!(buffer.read().unwrap(), expected);
        // A batch can be sent again.
        batch.submit().unwrap();
        assert_eq!(buffer.read().unwrap()[3], 3.0 * factor * factor);
    }
}

#[test]
fn commands_run_in_their_order_and_what_is_set_stays_set_across_copies() {
    if !has_gpu() {
        return;
    }
    let module = Module::new("shift", WGSL).unwrap();
    let layouts = [
        Layout::new(&[Binding::UniformAt(16)]).unwrap(),
        Layout::new(&[Binding::ReadOnlyStorage, Binding::Storage]).unwrap(),
    ];
    let [first, second] = &layouts;
    let pipeline = Pipeline::new(&module, "shift", &[first, second], &[]).unwrap();
    let stride = OFFSET_ALIGNMENT as usize / 4;
    let mut places = vec![0.0_f32; 2 * stride];
    places[0] = 10.0;
    places[stride] = 100.0;
    let places = Buffer::with("places", Usage::UNIFORM, &places).unwrap();
    let a = Buffer::with("a", Usage::STORAGE, &[1.0_f32, 2.0, 3.0]).unwrap();
    let b = Buffer::<f32>::zeroed("b", Usage::STORAGE, 3).unwrap();
    let place = first.bind(&[places.window(16)]).unwrap();
    let forth = second.bind(&[a.all(), b.all()]).unwrap();
    let mut batch = Batch::new();
    batch.dispatch(&pipeline, &[place.at(&[0]), forth.whole()], [1, 1, 1]);
    batch.copy(&b, 0..2, &a, 1).unwrap();
    batch.dispatch(
        &pipeline,
        &[place.at(&[OFFSET_ALIGNMENT]), forth.whole()],
        [1, 1, 1],
    );
    assert_eq!(batch.len(), 7, "the pipeline and the second group stay set");
    batch.clear(&a, 0..1).unwrap();
    batch.submit().unwrap();
    assert_eq!(a.read().unwrap(), [0.0, 11.0, 12.0]);
    assert_eq!(b.read().unwrap(), [101.0, 111.0, 112.0]);
}

#[test]
fn a_read_holds_what_was_there_when_it_was_started() {
    use_noop().unwrap();
    let buffer = Buffer::with("numbers", Usage::STORAGE, &[1_u32, 2, 3, 4]).unwrap();
    let early = buffer.start_read(1..3).unwrap();
    buffer.write(0, &[9, 9]).unwrap();
    let late = buffer.start_read(0..4).unwrap();
    assert_eq!(early.finish().unwrap(), [2, 3]);
    assert_eq!(late.finish().unwrap(), [9, 9, 3, 4]);
    assert_eq!(buffer.start_read(2..2).unwrap().finish().unwrap(), [0; 0]);
}

#[test]
fn what_is_outside_a_buffer_is_refused_before_anything_is_sent() {
    use_noop().unwrap();
    let buffer = Buffer::with("numbers", Usage::STORAGE, &[0_u32; 4]).unwrap();
    let outside = "elements 3 to 5 of a buffer of 4";
    assert_eq!(invalid(buffer.write(3, &[1, 1])), outside);
    assert_eq!(invalid(buffer.start_read(3..5)), outside);
    let mut batch = Batch::new();
    assert_eq!(invalid(batch.clear(&buffer, 3..5)), outside);
    assert_eq!(invalid(batch.copy(&buffer, 0..2, &buffer, 3)), outside);
    assert!(batch.is_empty());
    let huge = usize::MAX / 2;
    assert!(invalid(Buffer::<u64>::zeroed("huge", Usage::STORAGE, huge)).contains("`huge`"));
    assert_eq!(buffer.read().unwrap(), [0; 4]);
}

#[test]
fn an_error_in_a_shader_names_its_line() {
    use_noop().unwrap();
    let wrong = "@compute @workgroup_size(1)\nfn main() {\n    let x: u32 = 1.5;\n}";
    let message = invalid(Module::new("wrong", wrong));
    assert!(message.contains("wgsl:3:"), "{message}");
    let module = Module::new("scale", WGSL).unwrap();
    let pipeline = |entry| Pipeline::new(&module, entry, &[], &[]);
    assert!(invalid(pipeline("scales")).contains("scales"));
    assert!(invalid(pipeline("scale").unwrap().layout(7)).contains('7'));
    let layout = Layout::new(&[Binding::ReadOnlyStorage]).unwrap();
    invalid(Pipeline::new(&module, "scale", &[&layout], &[]));
    // The device goes on.
    pipeline("scale").unwrap();
}

#[test]
fn what_is_dropped_no_longer_counts() {
    use_noop().unwrap();
    let none = usage().unwrap();
    let buffer = Buffer::<f32>::zeroed("numbers", Usage::STORAGE | Usage::UNIFORM, 100).unwrap();
    let module = Module::new("scale", WGSL).unwrap();
    let used = usage().unwrap();
    assert_eq!((used.objects, used.buffer_bytes), (2, 400));
    assert_eq!(used.shader_bytes, WGSL.len() as u64);
    drop((buffer, module));
    assert_eq!(usage().unwrap(), none);
    assert!(limits().unwrap().max_storage_buffers_per_shader_stage >= 8);
}

#[test]
fn a_thread_that_has_a_device_keeps_it() {
    use_noop().unwrap();
    assert!(invalid(use_noop()).contains("before the first use"));
}
