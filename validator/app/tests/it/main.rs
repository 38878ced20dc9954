//! Integration tests of the whole validator.

mod scene;
mod section4;
mod worlds;
