//! What guests return, as the plain records. Everything that a guest returns is checked
//! here against its bounds, once, before any other code sees it.

use tune_core::Limits;
use tune_core::records as plain;

use crate::bindings::{scheduler, searcher, types as wit};

/// An answer outside its bounds.
#[derive(Debug, thiserror::Error)]
#[error("{what}{}", limit.map(|limit| format!(" ({limit})")).unwrap_or_default())]
pub(crate) struct BadValue {
    what: String,
    /// The limit that it is over, by its name in `[limits]`.
    pub(crate) limit: Option<&'static str>,
}

/// An interface whose functions have other types than the contract's.
pub(crate) fn mismatch(error: &wasmtime::Error) -> BadValue {
    BadValue {
        what: format!("its functions have other types than the contract's: {error:#}"),
        limit: None,
    }
}

fn bad<T>(what: String) -> Result<T, BadValue> {
    Err(BadValue { what, limit: None })
}

fn over<T>(limit: &'static str, what: String) -> Result<T, BadValue> {
    let limit = Some(limit);
    Err(BadValue { what, limit })
}

/// Bytes of a message or description for people: a screen full.
const MAX_MESSAGE_BYTES: usize = 8 << 10;
/// Errors in one answer of `init`: more than a plugin has options, few enough to print them all.
const MAX_OPTION_ERRORS: usize = 64;

/// Text for people: cut to a screen full, without control characters.
pub(crate) fn message(text: &str) -> String {
    let kept = text.floor_char_boundary(MAX_MESSAGE_BYTES.min(text.len()));
    let (text, cut) = text.split_at(kept);
    let mut clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if !cut.is_empty() {
        clean.push_str(" [cut]");
    }
    clean
}

pub(crate) fn failure(failure: wit::Failure) -> plain::Failure {
    match failure {
        wit::Failure::BadConfig(m) => plain::Failure::BadConfig(message(&m)),
        wit::Failure::BadData(m) => plain::Failure::BadData(message(&m)),
        wit::Failure::Other(m) => plain::Failure::Other(message(&m)),
    }
}

pub(crate) fn option_errors(errors: Vec<wit::OptionError>) -> Vec<plain::OptionError> {
    errors
        .into_iter()
        .take(MAX_OPTION_ERRORS)
        .map(|e| plain::OptionError {
            key: message(&e.key),
            message: message(&e.message),
            hint: message(&e.hint),
        })
        .collect()
}

/// Checks what guests return.
#[derive(Clone, Copy)]
pub(crate) struct Bounds<'a>(pub(crate) &'a Limits);

impl Bounds<'_> {
    fn name(self, what: &str, name: String) -> Result<String, BadValue> {
        if name.is_empty() {
            return bad(format!("the name of a {what} is empty"));
        }
        if name.len() > self.0.name_bytes as usize {
            return over(
                "name_bytes",
                format!(
                    "the name of a {what} has {} bytes, {} are allowed: `{}...`",
                    name.len(),
                    self.0.name_bytes,
                    message(name.get(..name.floor_char_boundary(32)).unwrap_or_default())
                ),
            );
        }
        if name.chars().any(char::is_control) {
            return bad(format!(
                "the name of a {what} has control characters: `{}`",
                message(&name)
            ));
        }
        Ok(name)
    }

    fn count(
        self,
        limit: &'static str,
        what: &str,
        count: usize,
        allowed: u32,
    ) -> Result<(), BadValue> {
        if count > allowed as usize {
            return over(limit, format!("{count} {what}, {allowed} are allowed"));
        }
        Ok(())
    }

    pub(crate) fn report(self, report: wit::Report) -> Result<plain::Report, BadValue> {
        self.count(
            "metrics",
            "metrics in a report",
            report.metrics.len(),
            self.0.metrics,
        )?;
        let mut metrics = Vec::with_capacity(report.metrics.len());
        for metric in report.metrics {
            metrics.push(plain::Metric {
                name: plain::Name::shared(&self.name("metric", metric.name)?),
                value: canonical(metric.value),
            });
        }
        Ok(plain::Report {
            metrics,
            finished: report.finished,
            cost: report.cost,
        })
    }

    fn value(self, name: &str, value: wit::Value) -> Result<plain::Value, BadValue> {
        Ok(match value {
            wit::Value::Boolean(b) => plain::Value::Boolean(b),
            wit::Value::Integer(i) => plain::Value::Integer(i),
            wit::Value::Number(x) => plain::Value::Number(canonical(x)),
            wit::Value::Text(t) | wit::Value::Structured(t)
                if t.len() > self.0.text_bytes as usize =>
            {
                return over(
                    "text_bytes",
                    format!(
                        "the value of `{name}` has {} bytes, {} are allowed",
                        t.len(),
                        self.0.text_bytes
                    ),
                );
            }
            wit::Value::Text(t) => plain::Value::Text(t),
            wit::Value::Structured(j) => plain::Value::Structured(j),
        })
    }

    fn config(self, config: wit::Config) -> Result<plain::Config, BadValue> {
        self.count(
            "parameters",
            "parameters in a configuration",
            config.len(),
            self.0.parameters,
        )?;
        let entry = |(name, value)| {
            let name = self.name("parameter", name)?;
            let value = self.value(&name, value)?;
            Ok((name, value))
        };
        let entries: Result<_, BadValue> = config.into_iter().map(entry).collect();
        let plain = match plain::Config::distinct(entries?) {
            Ok(plain) => plain,
            Err(twice) => return bad(format!("`{twice}` stands twice in a configuration")),
        };
        if plain.byte_len() > self.0.suggestion_bytes {
            return over(
                "suggestion_bytes",
                format!(
                    "a configuration of {} bytes, {} are allowed",
                    plain.byte_len(),
                    self.0.suggestion_bytes
                ),
            );
        }
        Ok(plain)
    }

    pub(crate) fn suggestion(
        self,
        suggestion: searcher::Suggestion,
    ) -> Result<plain::Suggestion, BadValue> {
        Ok(match suggestion {
            searcher::Suggestion::Configure(p) => plain::Suggestion::Configure(plain::Proposal {
                config: self.config(p.config)?,
                budget: p.budget.map(canonical),
                start_from: p.start_from,
                seed: p.seed,
            }),
            searcher::Suggestion::Wait => plain::Suggestion::Wait,
            searcher::Suggestion::Exhausted => plain::Suggestion::Exhausted,
        })
    }

    pub(crate) fn actions(
        self,
        actions: Vec<scheduler::Action>,
    ) -> Result<Vec<plain::Action>, BadValue> {
        use plain::Action as P;
        use scheduler::Action as W;
        self.count(
            "actions",
            "actions in one answer",
            actions.len(),
            self.0.actions,
        )?;
        actions
            .into_iter()
            .map(|action| {
                Ok(match action {
                    W::Pause(t) => P::Pause(t),
                    W::Stop(t) => P::Stop(t),
                    W::Keep(t) => P::Keep(t),
                    W::Exploit(e) => P::Exploit(plain::Exploit {
                        target: e.target,
                        source: e.source,
                        config: self.config(e.config)?,
                    }),
                    W::SetConfig((t, config)) => P::SetConfig(t, self.config(config)?),
                    W::SetWorkers((t, workers)) => P::SetWorkers(t, workers),
                    W::QuietUntil((t, until)) => P::QuietUntil(t, until),
                })
            })
            .collect()
    }

    pub(crate) fn turn(self, turn: scheduler::Turn) -> Result<plain::Turn, BadValue> {
        Ok(plain::Turn {
            actions: self.actions(turn.actions)?,
            next: match turn.next {
                scheduler::Next::Run(t) => plain::Next::Run(t),
                scheduler::Next::Create => plain::Next::Create,
                scheduler::Next::Idle => plain::Next::Idle,
                scheduler::Next::Done => plain::Next::Done,
            },
        })
    }
}

/// One NaN for all: its bits differ between processors.
pub(crate) fn canonical(x: f64) -> f64 {
    if x.is_nan() { f64::NAN } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, value: f64) -> wit::Metric {
        wit::Metric {
            name: name.to_owned(),
            value,
        }
    }

    fn report_of(metrics: Vec<wit::Metric>) -> Result<plain::Report, BadValue> {
        let limits = Limits {
            metrics: 2,
            name_bytes: 4,
            ..Limits::default()
        };
        Bounds(&limits).report(wit::Report {
            metrics,
            finished: false,
            cost: None,
        })
    }

    #[test]
    fn reports_within_bounds_pass_and_nan_is_canonical() {
        let strange = f64::from_bits(0xfff8_0000_0000_0001);
        let report = report_of(vec![metric("loss", strange), metric("acc", 1.0)]).unwrap();
        assert_eq!(report.metrics[0].value.to_bits(), f64::NAN.to_bits());
    }

    #[test]
    fn reports_out_of_bounds_say_what_is_wrong() {
        for (metrics, wrong) in [
            (
                vec![metric("a", 0.0), metric("b", 0.0), metric("c", 0.0)],
                "3 metrics in a report, 2",
            ),
            (
                vec![metric("losses", 0.0)],
                "has 6 bytes, 4 are allowed: `losses...`",
            ),
            (vec![metric("", 0.0)], "is empty"),
            (vec![metric("a\n", 0.0)], "control characters: `a `"),
        ] {
            let error = report_of(metrics).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn configurations_out_of_bounds_say_what_is_wrong() {
        let limits = Limits {
            parameters: 2,
            text_bytes: 3,
            ..Limits::default()
        };
        let config = |config: Vec<(&str, wit::Value)>| {
            let config = config.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
            Bounds(&limits).config(config)
        };
        let int = wit::Value::Integer(1);
        let text = wit::Value::Text("long".to_owned());
        assert_eq!(
            config(vec![("b", int.clone()), ("a", int.clone())])
                .unwrap()
                .len(),
            2
        );
        for (values, wrong) in [
            (
                vec![("a", int.clone()), ("a", int.clone())],
                "`a` stands twice",
            ),
            (vec![("a", text)], "the value of `a` has 4 bytes, 3"),
            (
                vec![("a", int.clone()), ("b", int.clone()), ("c", int)],
                "3 parameters",
            ),
        ] {
            let error = config(values).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_configuration_has_a_size_beside_the_sizes_of_its_parts() {
        let with = |suggestion_bytes| Limits {
            suggestion_bytes,
            ..Limits::default()
        };
        // A number is 8 bytes, a text as long as it is: 1 + 8 + 2 + 5.
        let config = || {
            let text = wit::Value::Text("texts".to_owned());
            vec![
                ("a".to_owned(), wit::Value::Number(1.0)),
                ("bb".to_owned(), text),
            ]
        };
        assert_eq!(Bounds(&with(16)).config(config()).unwrap().len(), 2);
        let error = Bounds(&with(15)).config(config()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a configuration of 16 bytes, 15 are allowed (suggestion_bytes)"
        );
        assert_eq!(error.limit, Some("suggestion_bytes"));
    }

    #[test]
    fn answers_with_too_many_actions_are_refused() {
        let limits = Limits {
            actions: 1,
            ..Limits::default()
        };
        let stop = || scheduler::Action::Stop(1);
        assert_eq!(Bounds(&limits).actions(vec![stop()]).unwrap().len(), 1);
        assert!(Bounds(&limits).actions(vec![stop(), stop()]).is_err());
    }

    #[test]
    fn messages_are_cut_and_cleaned() {
        assert_eq!(message("a\x1b[1m\nb"), "a [1m b");
        assert_eq!(
            message(&"é".repeat(5_000)).len(),
            MAX_MESSAGE_BYTES + " [cut]".len()
        );
    }
}
