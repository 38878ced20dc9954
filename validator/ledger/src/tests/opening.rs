//! What is opened, made, brought up to date, and refused.

use super::{NOW, Place, trades, within};
use crate::migrations::{Step, migrate};
use crate::{Ledger, LedgerError, PipelineIs, ReadLedger};

async fn refused(place: &Place) -> LedgerError {
    match Ledger::open(&place.address, "validator", NOW).await {
        Err(error) => error,
        Ok(_) => panic!("opened"),
    }
}

#[test]
fn a_ledger_of_a_newer_validator_is_refused_and_named() {
    within(async {
        for place in [Place::sqlite(), Place::postgres()] {
            let ledger = place.open().await;
            let sql = "UPDATE ledger SET format = 9, made_by = 'validator 9.0'";
            ledger.store.lock().await.statement(sql).await.expect("a statement");
            ledger.close().await.expect("closed");
            let error = refused(&place).await;
            let shown = "the ledger has format 9 and was made by validator 9.0; this validator knows up to 3";
            assert_eq!(error.to_string(), shown);
            let error = ReadLedger::open(&place.address).await.map(|_| ()).expect_err("newer");
            assert_eq!(error.to_string(), shown);
        }
    });
}

#[test]
fn what_is_no_ledger_is_refused_and_left_alone() {
    within(async {
        for (bytes, what) in [
            (b"".as_slice(), "is no ledger: the file is empty"),
            (b"[service]\nstate = 'here'\n".as_slice(), "is no ledger: the file is not of SQLite"),
        ] {
            let place = Place::sqlite();
            std::fs::write(place.path(), bytes).expect("a file");
            let error = refused(&place).await.to_string();
            assert!(error.ends_with(what), "{error}");
            assert_eq!(std::fs::read(place.path()).expect("a file"), bytes);
        }
        let place = Place::sqlite();
        let ledger = place.open().await;
        ledger.store.lock().await.statement("ALTER TABLE ledger RENAME TO other").await.expect("a statement");
        ledger.close().await.expect("closed");
        let error = refused(&place).await;
        assert!(matches!(error, LedgerError::NotALedger { .. }), "{error:?}");

        let place = Place::sqlite();
        std::fs::write(crate::lock::beside(&place.path(), "-wal"), b"left over").expect("a file");
        let error = refused(&place).await;
        assert!(matches!(error, LedgerError::NotALedger { .. }), "{error:?}");
    });
}

#[test]
fn the_file_of_a_writer_that_was_killed_while_making_it_is_made_again() {
    within(async {
        let place = Place::sqlite();
        std::fs::write(crate::lock::beside(&place.path(), ".new"), b"half").expect("a file");
        place.open().await;
    });
}

#[test]
fn another_pipeline_of_the_same_name_is_refused_by_what_differs() {
    within(async {
        for place in [Place::sqlite(), Place::postgres()] {
            let (ledger, _book, _) = place.book().await;
            let is = trades();
            let others = [
                ("contract", PipelineIs { contract: [8; 32], ..is.clone() }),
                ("digest key", PipelineIs { digest_key: [8; 32], ..is.clone() }),
                ("topics", PipelineIs { topics: vec!["trades".into(), "quotes".into()], ..is.clone() }),
                ("table", PipelineIs { table: "lake.other".into(), ..is.clone() }),
                ("mode", PipelineIs { mode: "key".into(), ..is.clone() }),
                ("segment width", PipelineIs { width: 256, ..is.clone() }),
            ];
            for (differs, other) in others {
                let refused = ledger.book(&other).await.map(|_| ());
                assert!(
                    matches!(&refused, Err(LedgerError::OtherPipeline { what, .. }) if *what == differs),
                    "{differs}: {refused:?}"
                );
            }
            let quotes = PipelineIs { name: "quotes".into(), ..is };
            ledger.book(&quotes).await.map(|_| ()).expect("another name is another pipeline");
            let names = ReadLedger::open(&place.address).await.expect("readable").names().await.expect("names");
            assert_eq!(names, ["trades", "quotes"]);
        }
    });
}

#[test]
fn an_older_format_is_copied_and_brought_up_to_date_a_transaction_a_step() {
    within(async {
        let place = Place::sqlite();
        let (ledger, book, _) = place.book().await;
        drop(book);
        let step = |from, statements| Step { from, statements, of_postgres: &[] };
        let mut store = ledger.store.lock().await;
        let broken = [step(3, &["CREATE TABLE later (number INTEGER) STRICT"]), step(4, &["CREATE TABLE later (x)"])];
        migrate(&mut store, 3, &broken, "validator 0.2").await.expect_err("the second step fails");
        store.rollback().await;
        let copy = crate::lock::beside(&place.path(), ".before-3");
        assert!(copy.metadata().expect("a copy").len() > 0);
        let sql = "SELECT format FROM ledger";
        let format = store.rows(sql, &[], &[crate::value::Kind::Int]).await.expect("a format");
        assert_eq!(format, [[4.into()]], "the first step holds");
        store.statement("SELECT number FROM later").await.expect("the first step's table");
        crate::ledger::pipelines(&mut store).await.expect("the roll is of the new format");
    });
}

#[test]
fn a_ledger_of_format_1_is_brought_up_to_date_and_goes_on() {
    within(async {
        for place in [Place::sqlite(), Place::postgres()] {
            let (ledger, book, _) = place.book().await;
            let mut store = ledger.store.lock().await;
            // What format 1 did not have goes, and the roll is of that format.
            let (head, pipelines) = crate::ledger::pipelines(&mut store).await.expect("its pipelines");
            let names = pipelines.iter().map(|(row, _)| row.shown.as_str());
            let roll = crate::pipeline::roll(names, 1, &head.made_by, head.made_ms);
            store.statement("DROP TABLE inbox").await.expect("a statement");
            for table in ["seats", "parcels", "asks"].iter().filter(|_| place.server.is_some()) {
                store.statement(&format!("DROP TABLE {table}")).await.expect("a statement");
            }
            store.write("UPDATE ledger SET format = 1, roll = $1", &[&(&roll).into()]).await.expect("a statement");
            drop((store, book));
            ledger.close().await.expect("closed");
            let older = ReadLedger::open(&place.address).await.map(|_| ());
            assert!(matches!(older, Err(LedgerError::NotALedger { .. })), "{older:?}");
            place.book().await;
            let mut reader = ReadLedger::open(&place.address).await.expect("up to date");
            assert_eq!(reader.waiting_marks("trades").await.expect("an inbox"), 0);
            reader.verify("trades", trades().digest_key).await.expect("sound");
        }
    });
}

#[test]
fn a_reader_reads_beside_the_writer_and_writes_nothing() {
    within(async {
        for place in [Place::sqlite(), Place::postgres()] {
            let (_ledger, _book, _) = place.book().await;
            let mut reader = ReadLedger::open(&place.address).await.expect("beside it");
            assert_eq!(reader.names().await.expect("names"), ["trades"]);
            assert_eq!(reader.summary("trades", NOW).await.expect("a summary"), None);
            let unknown = reader.summary("quotes", NOW).await;
            assert!(matches!(unknown, Err(LedgerError::Unknown { .. })), "{unknown:?}");
            reader.store.begin().await.expect("begun");
            reader.store.statement("DELETE FROM pipelines").await.expect_err("it only reads");
        }
    });
}
