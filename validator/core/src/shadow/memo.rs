//! What is made when it is asked for, and kept until what it was made of changes.

use std::sync::OnceLock;

/// See the module. Two of them are equal: what was made of equal states is.
#[derive(Debug, Clone)]
pub(super) struct Memo<T>(OnceLock<Box<T>>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> PartialEq for Memo<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Memo<T> {
    /// What is kept; else it is made.
    pub fn get(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(|| Box::new(make()))
    }

    /// What is kept.
    pub fn kept(&self) -> Option<&T> {
        self.0.get().map(Box::as_ref)
    }

    /// What it was made of has changed.
    pub fn forget(&mut self) {
        self.0.take();
    }
}
