//! Integration tests of the whole validator.

mod bad_input;
mod scene;
mod section4;
mod transcript;
mod worlds;
