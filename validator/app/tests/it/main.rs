//! Integration tests of the whole validator.

mod worlds;
