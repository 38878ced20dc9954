//! interface.md section 4, sentence by sentence, through the whole engine: a few messages and rows, and what is said of
//! them, the same however the run is cut into segments.

mod clock;
mod deletes;
mod holes;
mod late_removed;
mod mapped;
mod misrouted;
mod outcome;
mod pairing;
mod scope;
mod storage;
mod undecodable;
