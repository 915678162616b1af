//! Tests that run the built program. They are one crate, so that cargo links one test program.

mod documents;
mod generator;
