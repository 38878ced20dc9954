//! Integration tests of the core, one binary.

mod content_sentences;
mod dice;
mod entries;
mod judge_sentences;
mod second_judge;
mod segment_independence;
mod worked_examples;
