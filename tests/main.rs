//! Tests that run the real binary: a single crate, so that there is one program to link.

mod documents;
mod generator;
