//! `validator init`: topics and tables as sinks write them, and what the command makes of them.

mod avro;
mod bad_input;
mod claims;
mod followed;
mod k2;
mod k2_bronze;
mod k2_candles;
mod k2_cold;
mod k2_dead_letters;
mod k2_equity;
mod k2_losses;
pub mod k2_messages;
pub mod k2_schemas;
mod k2_shared;
mod k2_silver;
mod k2_topics;
pub mod k2_trades;
mod large;
mod odd_sides;
mod real;
mod recorded;
mod shapes;
mod sinks;
pub mod stage;
mod written;
