//! What both protocols share: a line in, a line out, and what becomes of errors.

use serde_json::{Value, json};
use tune_core::Deciders;
use tune_space::Setup;

use crate::request::Request;
use crate::trouble::Trouble;

/// The longest request in bytes: a space of 1,024 parameters with long names and lists fits, and
/// nobody fills the memory with one line.
pub const MAX_LINE: usize = 1 << 20;

/// Starts the plugins of a run afresh. Of the setup, `seed` is that of the run, from which each
/// plugin gets its own; `options` are those that the request gave for the scheduler, to go before
/// those of the command line, and to be left out where the scheduler has no such option.
///
/// The error says what is wrong and what to do.
pub type Launch = Box<dyn FnMut(&Setup) -> Result<Box<dyn Deciders>, String>>;

/// The answer to one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// One line of JSON, without its end.
    pub text: String,
    /// There is nothing more to answer: the request was `stop`.
    pub last: bool,
}

/// A conversation: every line has exactly one reply.
pub trait Protocol {
    /// Its commands, for messages; `stop` goes without saying.
    const COMMANDS: &'static [&'static str];

    /// Answers a request whose line was JSON. What is not right must have changed nothing.
    ///
    /// # Errors
    /// What is wrong.
    fn handle(&mut self, request: &Request) -> Result<Value, Trouble>;

    /// The run is over for this reason: all but `start` is answered with it.
    fn end(&mut self, why: String);

    /// Answers one line.
    fn reply(&mut self, line: &[u8]) -> Reply {
        let handled = Request::read(line).and_then(|request| {
            if request.command() == "stop" {
                request.only(&[])?;
                return Ok((json!({"ok": true}), true));
            }
            if !Self::COMMANDS.contains(&request.command()) {
                return Err(request.unknown(Self::COMMANDS));
            }
            Ok((self.handle(&request)?, false))
        });
        let (value, last) = handled.unwrap_or_else(|trouble| {
            let text = match trouble {
                Trouble::Bad(text) => text,
                Trouble::Over(text) => {
                    self.end(text.clone());
                    format!("{text}\n  hint: the run is over; send `start` for another one")
                }
            };
            (json!({"error": text}), false)
        });
        Reply {
            text: value.to_string(),
            last,
        }
    }
}
