//! A ledger that cannot be written for a while, its database killed or its disk full: no work is taken, nothing is lost, and it goes
//! on by itself.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use fixtures_harness::{Postgres, TopicSpec, kafka_cluster, unique_name};
use fixtures_kit::value::Value;

use super::super::service::Service;
use super::scene::{Scene, send, straight};
use crate::real_kafka::good;
use crate::real_kafka::trades::{self, PRICE, row, with};

#[test]
fn a_database_that_is_killed_stops_the_work_and_loses_none() {
    let cluster = kafka_cluster();
    let topic = unique_name("run-database");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let mut database = good(Postgres::start());
    let state = format!("postgresql://postgres@{}/postgres", database.address());
    let mut scene = Scene::of(cluster, &topic).with_state(&state);
    send(cluster, &topic, 0, 0..10);
    scene.land(&straight(0, 0..10));
    let mut running = scene.start();
    running.until("all of them", |status| status["messages"]["intact"] == 10);

    database.kill();
    running.until_it_cannot_judge("ledger");
    send(cluster, &topic, 0, 10..20);
    // One of them is lost.
    scene.land(&straight(0, 10..19));
    good(database.restart());
    running.until_it_recovers("a database that was killed");
    let status = running.until("all of them", |status| status["messages"]["intact"] == 19);
    assert_eq!(status["messages"]["consumed"], 20, "{status}");
    running.stop();
    let rest = scene.at_rest();
    let counts = "consumed 20, intact 19, overdue 1 | intact 19, total 19";
    assert_eq!(rest.summary(), format!("unjudged | {counts}"));
    assert_eq!(rest.findings(), ["overdue - 0@19"]);
}

/// Somebody holds a table of the ledger: the database answers nothing, and is there all the time.
#[test]
fn a_database_that_says_nothing_is_said_to_be_one_and_costs_nothing() {
    let cluster = kafka_cluster();
    let topic = unique_name("run-silent");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let database = good(Postgres::start());
    let state = format!("postgresql://postgres@{}/postgres", database.address());
    let mut scene = Scene::of(cluster, &topic).with_state(&state);
    send(cluster, &topic, 0, 0..10);
    scene.land(&straight(0, 0..10));
    let mut running = scene.start();
    running.until("all of them", |status| status["messages"]["intact"] == 10);
    std::thread::scope(|scope| {
        let held = scope.spawn(|| database.run("BEGIN; LOCK TABLE checkpoints; SELECT pg_sleep(25); COMMIT"));
        send(cluster, &topic, 0, 10..20);
        scene.land(&straight(0, 10..20));
        running.until_it_cannot_judge("the ledger has not answered for 10 s");
        good(held.join().expect("it is held"));
        running.until_it_recovers("a database that said nothing");
    });
    let status = running.until("all of them", |status| status["messages"]["intact"] == 20);
    assert_eq!((&status["messages"]["consumed"], &status["restarts"]), (&20.into(), &0.into()), "{status}");
    running.stop();
    assert_eq!(scene.at_rest().summary(), "holds | consumed 20, intact 20 | intact 20, total 20");
}

/// Bytes of a disk that has room for the ledger, and not for two thousand findings beside a file that fills it.
const DISK: &str = "size=24m";
const DAMAGED: i64 = 2_000;

#[test]
fn a_disk_that_is_full_stops_the_work_and_loses_none() {
    let cluster = kafka_cluster();
    let topic = unique_name("run-disk");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let mut scene = Scene::of(cluster, &topic);
    std::fs::create_dir(scene.join("state")).expect("the folder takes folders");
    send(cluster, &topic, 0, 0..10);
    scene.land(&straight(0, 0..10));
    // A disk of its own, that no other process sees.
    let mut command = Command::new("unshare");
    let script = format!("mount -t tmpfs -o {DISK} tmpfs state && exec \"$0\" run -c validator.toml");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_validator")]);
    command.current_dir(scene.folder());
    let mut running = scene.start_by(Service::start_by(scene.folder(), command));
    running.until("all of them", |status| status["messages"]["intact"] == 10);

    let disk = PathBuf::from(format!("/proc/{}/root{}/state", running.id(), scene.folder().display()));
    let filler = disk.join("filler");
    fill(&filler);
    send(cluster, &topic, 0, 10..10 + DAMAGED);
    let damaged = |id: i64| with(row(&topic, 0, id, id), PRICE, Value::decimal(-trades::price(id).0, 8));
    scene.land_rows((10..10 + DAMAGED).map(damaged).collect());
    let status = running.until_it_cannot_judge("no room is left");
    assert_eq!(status["messages"]["missing"], 0, "{status}");
    std::fs::remove_file(filler).expect("it is removed");
    running.until_it_recovers("a disk that was full");
    let status = running.until("all of them", |status| status["messages"]["corrupted"] == DAMAGED);
    assert_eq!((&status["messages"]["intact"], &status["restarts"]), (&10.into(), &0.into()), "{status}");
    let report = running.until_report("all findings in the ledger", |report| report["findings"]["total"] == DAMAGED);
    assert_eq!(report["outcome"], "breached", "{report}");
    running.stop();
}

/// Fills the disk to its last byte.
fn fill(path: &PathBuf) {
    let mut file = File::create(path).expect("there is room");
    let mut chunk = vec![0; 1 << 20];
    while !chunk.is_empty() {
        while file.write_all(&chunk).is_ok() {}
        chunk.truncate(chunk.len() / 2);
    }
}
