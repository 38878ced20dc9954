//! Work that threads share.
//!
//! Contract: all of it is done with however few threads the system gives, for the calling one takes part.

use std::thread;

/// What each thread made of its share, on at most so many; `work` takes from what is left until nothing is.
pub fn share<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    share_with(threads, work, thread::Builder::new)
}

fn share_with<T: Send>(threads: usize, work: impl Fn() -> T + Sync, next: impl Fn() -> thread::Builder) -> Vec<T> {
    thread::scope(|scope| {
        let mut workers = Vec::new();
        for _ in 1..threads {
            match next().spawn_scoped(scope, &work) {
                Ok(worker) => workers.push(worker),
                Err(error) => {
                    tracing::debug!(%error, "{} of {threads} threads", workers.len() + 1);
                    break;
                }
            }
        }
        let own = work();
        let others =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        std::iter::once(own).chain(others).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn done(threads: usize, next: impl Fn() -> thread::Builder) -> (usize, usize) {
        let left = AtomicUsize::new(0);
        let work = || std::iter::from_fn(|| (left.fetch_add(1, Ordering::Relaxed) < 1_000).then_some(1)).sum::<usize>();
        let shares = share_with(threads, work, next);
        (shares.len(), shares.iter().sum())
    }

    #[test]
    fn all_is_done_with_as_many_threads_as_there_are() {
        assert_eq!(done(0, thread::Builder::new), (1, 1_000));
        assert_eq!(done(4, thread::Builder::new), (4, 1_000));
        let given = AtomicUsize::new(0);
        // No system has room for the stack of the fourth.
        let few = || match given.fetch_add(1, Ordering::Relaxed) {
            0..3 => thread::Builder::new(),
            _ => thread::Builder::new().stack_size(usize::MAX / 4),
        };
        assert_eq!(done(1_024, few), (4, 1_000));
        assert_eq!(done(1_024, || thread::Builder::new().stack_size(usize::MAX / 4)), (1, 1_000));
    }
}
