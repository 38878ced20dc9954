//! No room and no right to write: the error says so, nothing is lost, and it goes on when there is room.

use std::os::unix::fs::PermissionsExt;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use validator_core::shadow::delta::PageRow;
use validator_core::shadow::page::PageKey;

use super::random::Model;
use super::{NOW, Place, trades, within};
use crate::{Address, Ledger, LedgerError, Posting};

#[test]
fn a_full_disk_is_named_loses_nothing_and_goes_on_when_there_is_room() {
    within(async {
        let place = Place::sqlite();
        let (ledger, mut book, _) = place.book().await;
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let (delta, model) = Model::default().step(&mut rng);
        book.checkpoint(&Posting::of(&delta, NOW)).await.expect("there is room");
        // Below what it has: SQLite takes the size that it has.
        book.store.lock().await.statement("PRAGMA max_page_count = 1").await.expect("a bound");
        let (mut delta, _) = model.step(&mut rng);
        let page = |b| PageRow { key: PageKey { kind: 1, a: 9, b }, unsettled: true, body: vec![5; 100_000] };
        delta.pages.extend((0..20).map(page));
        for _ in 0..3 {
            let full = book.checkpoint(&Posting::of(&delta, NOW)).await;
            assert!(matches!(full, Err(LedgerError::Full { .. })), "{full:?}");
            assert!(full.is_err_and(|error| error.may_pass()));
        }
        let keys = model.pages.keys().copied().collect::<Vec<_>>();
        let pages = book.pages(&keys).await.expect("reading goes on");
        assert!(pages.iter().all(|(key, page)| page.as_ref() == model.pages.get(key)));
        book.store.lock().await.statement("PRAGMA max_page_count = 100000").await.expect("room");
        book.checkpoint(&Posting::of(&delta, NOW)).await.expect("the same posting again");
        drop(book);
        ledger.close().await.expect("closed");
        let (_ledger, _book, saved) = place.book().await;
        assert_eq!(saved.checkpoint, 2);
        assert_eq!(saved.pages.iter().filter(|page| page.key.a == 9).count(), 20);
    });
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    within(async {
        // Not even root makes a file there.
        let address = Address::Sqlite("/proc/ledger.db".into());
        let refused = Ledger::open(&address, "validator", NOW).await.map(|_| ());
        assert!(matches!(refused, Err(LedgerError::File { what: "open", .. })), "{refused:?}");
    });
}

#[test]
fn a_database_that_cannot_be_written_is_named_and_stays_as_it_is() {
    within(async {
        let place = Place::sqlite();
        let (_ledger, mut book, _) = place.book().await;
        let (delta, _) = Model::default().step(&mut ChaCha8Rng::seed_from_u64(9));
        book.store.lock().await.statement("PRAGMA query_only = 1").await.expect("a pragma");
        let refused = book.checkpoint(&Posting::of(&delta, NOW)).await;
        assert!(matches!(refused, Err(LedgerError::ReadOnly { .. })), "{refused:?}");
        book.store.lock().await.statement("PRAGMA query_only = 0").await.expect("a pragma");
        book.checkpoint(&Posting::of(&delta, NOW)).await.expect("the same posting again");
    });
}

#[test]
fn a_folder_without_the_right_to_write_is_refused_to_who_is_not_root() {
    let place = Place::sqlite();
    within(async {
        let (ledger, book, _) = place.book().await;
        drop(book);
        ledger.close().await.expect("closed");
    });
    let folder = place.path().parent().expect("a folder").to_owned();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).expect("a mode");
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o444)).expect("a mode");
    let lock = crate::lock::beside(&place.path(), ".lock");
    std::fs::set_permissions(&lock, std::fs::Permissions::from_mode(0o444)).expect("a mode");
    // SAFETY: a system call without pointers; it changes this thread alone, which opens the lock first.
    let before = unsafe { libc::setfsuid(65_534) };
    let refused = within(Ledger::open(&place.address, "validator", NOW)).map(|_| ());
    // SAFETY: as above.
    unsafe { libc::setfsuid(libc::uid_t::try_from(before).expect("a user")) };
    for path in [&folder, &place.path(), &lock] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    assert!(matches!(refused, Err(LedgerError::File { what: "open", .. })), "{refused:?}");
    within(async {
        let ledger = place.open().await;
        ledger.book(&trades()).await.map(|_| ()).expect("nothing was lost");
    });
}
