//! The algorithms as the host calls them: quality, and every awkward history.

#![cfg(test)]

mod auto;
mod cmaes;
mod dehb;
mod gp;
mod grid;
mod lab;
mod sobol;
mod tpe;
