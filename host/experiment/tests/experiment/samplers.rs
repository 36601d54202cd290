//! Every sampler of Ray with Ray's bounds.

use tune_space::{Domain, GaussianSpread, RealRange, Value, WholeRange};

use crate::{HEAD, bad, with_space};

fn domain(sampler: &str) -> Domain {
    let plan = with_space(&format!("p = {{ {sampler} }}"));
    plan.engine
        .space
        .first()
        .expect("one parameter")
        .domain
        .clone()
}

fn real(low: f64, high: f64, log: bool, step: Option<f64>) -> Domain {
    Domain::Real(RealRange {
        low,
        high,
        log,
        step,
    })
}

fn whole(low: i64, high: i64, log: bool, step: Option<i64>) -> Domain {
    Domain::Whole(WholeRange {
        low,
        high,
        log,
        step,
    })
}

#[test]
fn real_samplers_keep_their_bounds() {
    assert_eq!(domain("uniform = [-1, 2.5]"), real(-1.0, 2.5, false, None));
    assert_eq!(
        domain("loguniform = [1e-4, 1]"),
        real(1e-4, 1.0, true, None)
    );
    assert_eq!(
        domain("quniform = [0, 0.9, 0.3]"),
        real(0.0, 0.9, false, Some(0.3))
    );
    assert_eq!(
        domain("qloguniform = [0.1, 1, 0.05]"),
        real(0.1, 1.0, true, Some(0.05))
    );
}

#[test]
fn whole_samplers_leave_the_upper_end_out_unless_there_is_a_step() {
    assert_eq!(domain("randint = [3, 10]"), whole(3, 9, false, None));
    assert_eq!(domain("randint = [3, 4]"), whole(3, 3, false, None));
    assert_eq!(domain("lograndint = [1, 1000]"), whole(1, 999, true, None));
    assert_eq!(domain("qrandint = [3, 10]"), whole(3, 9, false, None));
    assert_eq!(domain("qrandint = [3, 10, 1]"), whole(3, 9, false, None));
    assert_eq!(
        domain("qrandint = [4, 12, 4]"),
        whole(4, 12, false, Some(4))
    );
    assert_eq!(
        domain("qlograndint = [8, 128, 8]"),
        whole(8, 128, true, Some(8))
    );
}

#[test]
fn whole_bounds_move_inwards_to_multiples() {
    assert_eq!(domain("qrandint = [1, 10, 4]"), whole(4, 8, false, Some(4)));
    assert_eq!(
        domain("qrandint = [-7, 7, 5]"),
        whole(-5, 5, false, Some(5))
    );
}

#[test]
fn normal_samplers_have_ray_s_defaults() {
    let normal = |mean, sd, step| Domain::Gaussian(GaussianSpread { mean, sd, step });
    assert_eq!(domain("randn = []"), normal(0.0, 1.0, None));
    assert_eq!(domain("randn = [10, 0.5]"), normal(10.0, 0.5, None));
    assert_eq!(
        domain("qrandn = [10, 2, 0.2]"),
        normal(10.0, 2.0, Some(0.2))
    );
}

#[test]
fn choices_keep_the_types_of_their_values() {
    assert_eq!(
        domain("choice = [1, 1.0, \"one\", true, [1, 2], { a = 1 }]"),
        Domain::Choice(vec![
            Value::Integer(1),
            Value::Number(1.0),
            Value::Text("one".to_owned()),
            Value::Boolean(true),
            Value::Structured("[1,2]".to_owned()),
            Value::Structured("{\"a\":1}".to_owned()),
        ])
    );
    let ordered = Domain::Ordered(vec![Value::Integer(1), Value::Integer(2)]);
    assert_eq!(domain("grid = [1, 2]"), ordered);
    assert_eq!(domain("grid_search = [1, 2]"), ordered);
}

#[test]
fn steps_that_are_off_by_rounding_only_are_multiples() {
    assert_eq!(
        domain("quniform = [0.1, 0.7, 0.1]"),
        real(0.1, 0.7, false, Some(0.1))
    );
    assert_eq!(
        domain("quniform = [1e-4, 3e-4, 1e-4]"),
        real(1e-4, 3e-4, false, Some(1e-4))
    );
}

#[test]
fn whatever_is_accepted_is_a_domain_that_can_be_drawn_from() {
    for sampler in [
        "uniform = [-1e308, 1e308]",
        "loguniform = [5e-324, 1e300]",
        "randint = [-9223372036854775808, 9223372036854775807]",
        "qrandint = [-9223372036854775808, 9223372036854775807, 9223372036854775807]",
        "lograndint = [1, 9223372036854775807]",
        "quniform = [0, 1e9, 0.5]",
    ] {
        let domain = domain(sampler);
        for u in [0.0, 0.3, 1.0] {
            let value = domain.from_unit(u);
            assert!(domain.contains(&value), "{sampler}: {value}");
        }
    }
}

#[test]
fn nested_tables_become_dotted_names() {
    let plan = with_space(
        "[space.model]\nlr = { uniform = [0, 1] }\nsize.width = { randint = [1, 9] }\nkind = \"mlp\"",
    );
    let names: Vec<_> = plan.engine.space.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["model.lr", "model.size.width"]);
    assert_eq!(
        plan.engine.constants.get("model.kind"),
        Some(&Value::Text("mlp".to_owned()))
    );
}

#[test]
fn constants_have_every_type() {
    let plan = with_space(
        "a = 1\nb = 1.0\nc = \"x\"\nd = false\ne = [64, 64]\nf = { constant = { g = 1 } }",
    );
    let get = |name: &str| plan.engine.constants.get(name).cloned();
    assert_eq!(get("a"), Some(Value::Integer(1)));
    assert_eq!(get("b"), Some(Value::Number(1.0)));
    assert_eq!(get("c"), Some(Value::Text("x".to_owned())));
    assert_eq!(get("d"), Some(Value::Boolean(false)));
    assert_eq!(get("e"), Some(Value::Structured("[64,64]".to_owned())));
    assert_eq!(get("f"), Some(Value::Structured("{\"g\":1}".to_owned())));
    assert!(plan.engine.space.is_empty());
}

#[test]
fn parents_come_before_children_whatever_the_order_of_the_file() {
    let plan = with_space(
        "rho = { uniform = [0, 1], when = { nesterov = true, optimizer = [\"sgd\", \"asgd\"] } }
first = { uniform = [0, 1] }
nesterov = { choice = [true, false], when = { optimizer = \"sgd\" } }
optimizer = { choice = [\"sgd\", \"asgd\", \"adam\"] }",
    );
    let names: Vec<_> = plan.engine.space.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["first", "optimizer", "nesterov", "rho"]);
    let rho = plan.engine.space.last().unwrap();
    assert_eq!(rho.conditions.len(), 2);
    assert_eq!(rho.conditions[0].parent, "nesterov");
    assert_eq!(rho.conditions[0].among, [Value::Boolean(true)]);
    assert_eq!(rho.conditions[1].among.len(), 2);
}

#[test]
fn a_condition_may_name_a_nested_parent() {
    for when in [
        "{ model.kind = [\"mlp\"] }",
        "{ \"model.kind\" = [\"mlp\"] }",
    ] {
        let plan = with_space(&format!(
            "p = {{ uniform = [0, 1], when = {when} }}\nmodel.kind = {{ choice = [\"mlp\", \"cnn\"] }}"
        ));
        assert_eq!(plan.engine.space[1].conditions[0].parent, "model.kind");
    }
}

#[test]
fn conditions_on_constants_are_decided_at_once() {
    let space = "momentum = { uniform = [0, 1], when = { optimizer = [\"sgd\"] } }
nesterov = { uniform = [0, 1], when = { switch = [true] } }
switch = { choice = [true, false], when = { optimizer = [\"sgd\"] } }";
    let plan = with_space(&format!("{space}\noptimizer = \"sgd\""));
    let momentum = plan
        .engine
        .space
        .iter()
        .find(|p| p.name == "momentum")
        .unwrap();
    assert!(momentum.conditions.is_empty());
    assert_eq!(plan.engine.space.len(), 3);
    let plan = with_space(&format!("{space}\noptimizer = \"adam\""));
    assert!(plan.engine.space.is_empty());
}

#[test]
fn derived_values_are_ordered_by_what_they_read() {
    let plan = with_space(
        "total = { derived = \"twice + model.size\" }
twice = { derived = \"batch * 2\" }
batch = 32
model.size = { randint = [1, 9] }",
    );
    let names: Vec<_> = plan
        .engine
        .derived
        .iter()
        .map(|d| d.name.as_str())
        .collect();
    assert_eq!(names, ["twice", "total"]);
    let mut config = plan.engine.constants.clone();
    config.insert("model.size", 3_i64);
    tune_core::evaluate(&plan.engine.derived, &mut config).unwrap();
    assert_eq!(config.get("total"), Some(&Value::Number(67.0)));
}

#[test]
fn points_take_the_types_of_their_domains() {
    let plan = crate::good(&format!(
        "{HEAD}points_to_evaluate = [{{ lr = 1, layer.size = 2, opt = \"sgd\", batch = 32 }}, {{ momentum = 0.5 }}, {{}}]
[space]
lr = {{ uniform = [0, 1] }}
layer.size = {{ choice = [1.0, 2.0] }}
opt = {{ choice = [\"sgd\", \"adam\"] }}
momentum = {{ uniform = [0, 1], when = {{ opt = [\"sgd\"] }} }}
batch = 32
"
    ));
    let points = &plan.engine.points_to_evaluate;
    assert_eq!(points.len(), 3);
    assert_eq!(points[0].get("lr"), Some(&Value::Number(1.0)));
    assert_eq!(points[0].get("layer.size"), Some(&Value::Number(2.0)));
    assert_eq!(points[0].get("batch"), None, "constants are the host's");
    assert_eq!(points[0].len(), 3);
    assert_eq!(points[1].len(), 1);
    assert!(points[2].is_empty());
}

#[test]
fn ten_thousand_choices_are_taken_and_one_more_is_not() {
    let list = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let plan = with_space(&format!("p = {{ choice = [{}] }}", list(10_000)));
    assert_eq!(plan.engine.space.len(), 1);
    let error = bad(&format!(
        "{HEAD}[space]\np = {{ choice = [{}] }}",
        list(10_001)
    ));
    assert!(
        error.to_string().contains("10001 elements"),
        "{:?}",
        error.all
    );
}
