//! Integration tests of the core, one binary.

mod content_sentences;
mod dice;
mod entries;
mod judge_sentences;
mod judge_upsert;
mod judged_apart;
mod second_judge;
mod second_versions;
mod segment_independence;
mod shadow;
mod worked_examples;
