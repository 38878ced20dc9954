//! interface.md section 4, sentence by sentence, through the whole engine: a few messages and rows, and what is said of
//! them, the same however the run is cut into segments.

mod clock;
mod compressed;
mod content;
mod dead_letter_tables;
mod dead_letters;
mod deletes;
mod holes;
mod late_removed;
mod mapped;
mod masked;
mod misrouted;
mod nested;
mod outcome;
mod pairing;
mod recorded;
mod recorded_rows;
mod row_filter;
mod scope;
mod storage;
mod suspect;
mod tolerated;
mod undecodable;
mod upsert;
