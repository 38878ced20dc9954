//! Containing panics of the parsers below us: hostile bytes must become an error or a fault, never end the run.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};

use thiserror::Error;

/// A panic inside a library, with its message.
#[derive(Debug, Error)]
#[error("parser gave up: {message}")]
pub struct Panicked {
    message: String,
}

thread_local! {
    static CONTAINED: Cell<u32> = const { Cell::new(0) };
}

/// Keeps panics that are contained, and reported as faults, off stderr. To be called once, when the program starts:
/// wraps the panic hook that is there.
pub fn quiet_contained_panics() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if CONTAINED.get() == 0 {
            told(info);
        }
    }));
}

impl Panicked {
    /// What the library said.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Runs `work` and turns a panic into an error. State that `work` was changing must be dropped by the caller then.
///
/// # Errors
/// It panicked.
pub fn contained<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    CONTAINED.set(CONTAINED.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(CONTAINED.get() - 1);
    outcome.map_err(|payload| Panicked { message: message(payload.as_ref()) })
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let failed = contained(|| [1, 2][std::hint::black_box(2)]).unwrap_err();
        assert!(failed.to_string().starts_with("parser gave up: index out of bounds"), "{failed}");
        assert_eq!(contained(|| 7).unwrap(), 7);
    }

    #[test]
    fn only_contained_panics_are_kept_off_stderr() {
        static TOLD: AtomicU32 = AtomicU32::new(0);
        panic::set_hook(Box::new(|_| {
            TOLD.fetch_add(1, Ordering::Relaxed);
        }));
        quiet_contained_panics();
        let _ = contained(|| panic!("quiet"));
        let quiet = TOLD.load(Ordering::Relaxed);
        let _ = catch_unwind(|| panic!("told"));
        let told = TOLD.load(Ordering::Relaxed);
        let _ = panic::take_hook();
        assert_eq!((quiet, told), (0, 1));
    }
}
