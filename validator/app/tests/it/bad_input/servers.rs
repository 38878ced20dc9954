//! Brokers and the schema registry.
