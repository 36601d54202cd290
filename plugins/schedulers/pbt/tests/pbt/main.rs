//! Population based training as a whole: it never comes to a standstill, and it is better than the
//! same population left alone.

#![cfg(test)]

mod digits;
mod host;
mod standstill;
mod study;
mod toy;
