//! `validator init`: topics and tables as sinks write them, and what the command makes of them.

mod bad_input;
mod k2;
mod large;
mod real;
mod shapes;
mod sinks;
mod stage;
mod written;
