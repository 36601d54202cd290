//! The algorithms as the host calls them: quality, and every awkward history.

#![cfg(test)]

mod cmaes;
mod gp;
mod grid;
mod tpe;
