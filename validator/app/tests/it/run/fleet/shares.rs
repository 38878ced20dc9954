//! Three members over a real broker: they share partitions and files, one judges, and another does when it is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fixtures_harness::{Look, TopicSpec, kafka_cluster, unique_name, wait_until};

use super::super::real::running::{Running, now_ms};
use super::super::real::scene::{PIPELINE, Scene, send, straight};
use super::team::{Team, log};
use crate::real_kafka::good;

const PARTITIONS: i32 = 6;
/// Files of a round that others may have a part in.
const MORE_FILES: i64 = 20;
/// What anything may take on a loaded machine.
pub const WITHIN: Duration = Duration::from_secs(120);
/// What a recovery may take.
const RECOVERED_WITHIN: Duration = Duration::from_secs(60);

/// The partitions that a member last said it reads.
fn reads(scene: &Scene, name: &str) -> BTreeSet<String> {
    let log = log(scene.folder(), name);
    let last = log.lines().rev().find(|line| line.contains(" reads ")).unwrap_or_default();
    let words = last.split(['"', '\\']).filter(|word| word.contains('@'));
    words.map(|word| word.split('@').next().unwrap_or_default().to_owned()).collect()
}

/// Waits until the members that are there read each partition, every one at one member.
fn until_shared(scene: &Scene, names: &[&str]) {
    let shared = wait_until("partitions that are shared", WITHIN, || {
        let all: BTreeMap<&str, BTreeSet<String>> = names.iter().map(|name| (*name, reads(scene, name))).collect();
        let sum: usize = all.values().map(BTreeSet::len).sum();
        let distinct: BTreeSet<&String> = all.values().flatten().collect();
        let is_shared = all.values().all(|of| !of.is_empty());
        if sum == PARTITIONS as usize && distinct.len() == sum && is_shared {
            Look::Done(())
        } else {
            Look::NotYet(format!("{all:?}"))
        }
    });
    shared.unwrap_or_else(|why| panic!("{why}\n{}", log(scene.folder(), names[0])));
}

/// How often a member has scanned for the judge.
fn scans_of(scene: &Scene, name: &str) -> usize {
    log(scene.folder(), name).matches("scanned files for the judge").count()
}

fn start(team: &mut Team, scene: &Scene, name: &str) -> Running {
    team.start(name);
    Running::of_log(team.take(name), &scene.join(&format!("run-{name}.log")), PIPELINE)
}

#[test]
fn three_members_share_the_work_and_the_next_judges_when_one_is_killed() {
    let cluster = kafka_cluster();
    let topic = unique_name("fleet");
    good(cluster.create_topic(&TopicSpec::new(&topic, PARTITIONS)));
    let mut scene = Scene::of(cluster, &topic);
    let mut team = Team::of(scene.folder());
    const FILES: i64 = 40;
    const ROWS: i64 = 50;
    for partition in 0..PARTITIONS {
        send(cluster, &topic, partition, 0..FILES * ROWS);
    }
    for file in 0..FILES {
        scene.land(&(0..PARTITIONS).flat_map(|of| straight(of, file * ROWS..(file + 1) * ROWS)).collect::<Vec<_>>());
    }
    let mut members: BTreeMap<&str, Running> =
        ["a", "b", "c"].into_iter().map(|name| (name, start(&mut team, &scene, name))).collect();
    let mut upto = FILES * ROWS;
    let many = upto * i64::from(PARTITIONS);
    let judge = until_judge(&team);
    members.get_mut(judge.as_str()).expect("a member").until("all messages, once", |status| {
        status["messages"]["intact"] == many && status["messages"]["consumed"] == many && status["state"] == "healthy"
    });
    until_shared(&scene, &["a", "b", "c"]);
    let others: Vec<&str> = members.keys().copied().filter(|name| *name != judge).collect();
    for name in &others {
        let status = members[name].status().expect("it answers");
        assert_eq!(
            (&status["state"], &status["why"]),
            (&"standing_by".into(), &format!("member {judge} judges, and this one stands by").into())
        );
        assert!(members[name].get("/readyz").expect("it answers").contains("standing_by"));
        assert!(
            !members[name].get("/metrics").expect("it answers").contains("validator_messages_total"),
            "it counts none"
        );
    }
    let (began, mut scans) = (Instant::now(), others.iter().map(|name| scans_of(&scene, name)).sum::<usize>());
    // A judge that is quick leaves nothing to others in some looks.
    while scans == 0 {
        assert!(began.elapsed() < WITHIN, "files are not shared:\n{}", log(scene.folder(), &judge));
        let more = upto..upto + MORE_FILES;
        upto = more.end;
        (0..PARTITIONS).for_each(|partition| send(cluster, &topic, partition, more.clone()));
        // Of one commit: a step that adds one file leaves nothing to others.
        let of_file = |file: i64| (0..PARTITIONS).flat_map(|of| straight(of, file..file + 1)).collect();
        scene.land_files(&more.map(of_file).collect::<Vec<_>>());
        let many = upto * i64::from(PARTITIONS);
        let running = members.get_mut(judge.as_str()).expect("a member");
        running.until("all messages, once", |status| status["messages"]["intact"] == many);
        scans = others.iter().map(|name| scans_of(&scene, name)).sum();
    }
    println!("{scans} scans by others than the judge {judge}");

    // The judge is killed; what comes meanwhile is judged by the next one, each message once.
    members.remove(judge.as_str()).expect("a member").kill();
    let (killed, killed_ms) = (Instant::now(), now_ms());
    for partition in 0..PARTITIONS {
        send(cluster, &topic, partition, upto..upto + 10);
    }
    scene.land(&(0..PARTITIONS).flat_map(|of| straight(of, upto..upto + 10)).collect::<Vec<_>>());
    let many = (upto + 10) * i64::from(PARTITIONS);
    let next = wait_until("the next judge", WITHIN, || match team.judge() {
        Some(name) if name != judge => Look::Done(name),
        other => Look::NotYet(format!("{other:?}")),
    });
    let next = next.unwrap_or_else(|why| panic!("{why}"));
    let took = killed.elapsed();
    let running = members.get_mut(next.as_str()).expect("a member");
    running.until("all messages, once", |status| {
        let judged_at = super::super::real::running::judged_at_ms(status);
        status["messages"]["intact"] == many && judged_at.is_some_and(|at| at > killed_ms)
    });
    println!("{next} judges {took:?} after {judge} was killed; all is judged after {:?}", killed.elapsed());
    assert!(killed.elapsed() < RECOVERED_WITHIN, "{:?}", killed.elapsed());
    until_shared(&scene, &others);
    // It comes back, and stands by with what falls to it.
    members.insert("back", start(&mut team, &scene, &judge));
    let mut all = others.clone();
    all.push(judge.as_str());
    until_shared(&scene, &all);
    members.into_values().for_each(Running::stop);
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), format!("holds | consumed {many}, intact {many} | intact {many}, total {many}"));
    assert_eq!(good(cluster.committed_by(&topic)), BTreeSet::new(), "nobody has committed anything");
}

#[test]
fn a_judge_that_was_paused_comes_back_and_judges_no_more() {
    let cluster = kafka_cluster();
    let topic = unique_name("fleet-paused");
    good(cluster.create_topic(&TopicSpec::new(&topic, PARTITIONS)));
    let mut scene = Scene::of(cluster, &topic);
    let mut team = Team::of(scene.folder());
    let all = |ids: std::ops::Range<i64>| (0..PARTITIONS).flat_map(|of| straight(of, ids.clone())).collect::<Vec<_>>();
    (0..PARTITIONS).for_each(|of| send(cluster, &topic, of, 0..10));
    scene.land(&all(0..10));
    let mut members: BTreeMap<&str, Running> =
        ["a", "b"].into_iter().map(|name| (name, start(&mut team, &scene, name))).collect();
    let judge = until_judge(&team);
    let other = if judge == "a" { "b" } else { "a" };
    let many = 10 * i64::from(PARTITIONS);
    let is_whole = |status: &serde_json::Value, many: i64| status["messages"]["intact"] == many;
    members.get_mut(judge.as_str()).expect("a member").until("all messages", |status| is_whole(status, many));

    let process = libc::pid_t::try_from(members.get_mut(judge.as_str()).expect("a member").id()).expect("it fits");
    // SAFETY: a system call without pointers, to our child, which is not reaped.
    let signal = |signal| assert_eq!(unsafe { libc::kill(process, signal) }, 0);
    signal(libc::SIGSTOP);
    let paused = Instant::now();
    (0..PARTITIONS).for_each(|of| send(cluster, &topic, of, 10..20));
    scene.land(&all(10..20));
    members.get_mut(other).expect("a member").until("all messages, by the other", |status| is_whole(status, 2 * many));
    println!("{other} has judged all {:?} after {judge} was paused", paused.elapsed());
    assert!(paused.elapsed() < RECOVERED_WITHIN, "{:?}", paused.elapsed());
    signal(libc::SIGCONT);
    let back = members.get_mut(judge.as_str()).expect("a member");
    back.until("it stands by", |status| status["state"] == "standing_by");
    (0..PARTITIONS).for_each(|of| send(cluster, &topic, of, 20..30));
    scene.land(&all(20..30));
    members.get_mut(other).expect("a member").until("all messages", |status| is_whole(status, 3 * many));
    assert_eq!(team.judge().as_deref(), Some(other));
    members.into_values().for_each(Running::stop);
    let (rest, many) = (scene.at_rest(), 3 * many);
    assert_eq!(rest.summary(), format!("holds | consumed {many}, intact {many} | intact {many}, total {many}"));
}

/// Waits until somebody judges.
/// Who has the seat, once somebody has.
pub fn until_judge(team: &Team) -> String {
    let judge = wait_until("a judge", WITHIN, || match team.judge() {
        Some(name) => Look::Done(name),
        None => Look::NotYet("nobody".to_owned()),
    });
    judge.unwrap_or_else(|why| panic!("{why}"))
}
