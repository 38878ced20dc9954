//! `validator init`: topics and tables as sinks write them, and what the command makes of them.

mod bad_input;
mod k2;
mod k2_bronze;
mod k2_dead_letters;
mod k2_equity;
mod k2_gold;
mod large;
mod odd_sides;
mod real;
mod recorded;
mod shapes;
mod sinks;
pub mod stage;
mod written;
