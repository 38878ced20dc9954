//! Members of a group over a real broker: partitions are shared, move when one goes, and nothing is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fixtures_harness::{KafkaCluster, Look, TopicSpec, kafka_cluster, unique_name, wait_until};
use validator_core::position::TopicPartition;
use validator_tap::{KafkaConfig, Membership, TapError};

/// Longer than a session and two rebalances, on a loaded machine.
const WITHIN: Duration = Duration::from_secs(60);

fn good<T, E: std::error::Error>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{}", fixtures_harness::chain(&error)))
}

fn topic(cluster: &KafkaCluster, partitions: i32) -> String {
    let name = unique_name("membership");
    good(cluster.create_topic(&TopicSpec::new(&name, partitions)));
    name
}

fn join(cluster: &KafkaCluster, group: &str, member: &str, topics: &[&str]) -> Membership {
    let membership = good(Membership::join(&KafkaConfig::new(cluster.bootstrap(), ""), group, member));
    membership.share(topics.iter().map(|topic| (*topic).to_owned()).collect());
    membership
}

fn all(topics: &[(&str, i32)]) -> BTreeSet<TopicPartition> {
    let of = |(topic, count): &(&str, i32)| {
        let topic = (*topic).to_owned();
        (0..*count).map(move |partition| TopicPartition { topic: topic.clone(), partition })
    };
    topics.iter().flat_map(of).collect()
}

/// Waits until the members have everything between them, each of it once and each of them something.
fn until_shared(
    what: &str,
    members: &[&Membership],
    everything: &BTreeSet<TopicPartition>,
) -> Vec<BTreeSet<TopicPartition>> {
    let shared = wait_until(what, WITHIN, || {
        let ours: Vec<_> = members.iter().map(|member| good(member.ours())).collect();
        let mut times: BTreeMap<&TopicPartition, usize> = BTreeMap::new();
        ours.iter().flatten().for_each(|tp| *times.entry(tp).or_default() += 1);
        let is_once = times.len() == everything.len() && times.values().all(|times| *times == 1);
        let is_shared = is_once && ours.iter().all(|ours| !ours.is_empty());
        let words: Vec<_> = members.iter().map(|member| member.last_word()).collect();
        if is_shared { Look::Done(ours) } else { Look::NotYet(format!("{ours:?} {words:?}")) }
    });
    shared.unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn members_share_partitions_and_take_over_those_of_one_that_went() {
    let cluster = kafka_cluster();
    let (first, second) = (topic(cluster, 3), topic(cluster, 3));
    let group = unique_name("group");
    let everything = all(&[(&first, 3), (&second, 3)]);
    let topics = [first.as_str(), second.as_str()];
    let a = join(cluster, &group, "a", &topics);
    until_shared("one member has all", &[&a], &everything);
    let b = join(cluster, &group, "b", &topics);
    let c = join(cluster, &group, "c", &topics);
    let ours = until_shared("three share", &[&a, &b, &c], &everything);
    assert!(ours.iter().all(|ours| ours.len() == 2), "{ours:?}");
    // Static: one that comes back within its session gets what it had, and nobody else notices.
    drop(b);
    let b = join(cluster, &group, "b", &topics);
    assert_eq!(until_shared("b is back", &[&a, &b, &c], &everything), ours);
    drop(c);
    until_shared("two share", &[&a, &b], &everything);
    // A topic that is shared from now on.
    let third = topic(cluster, 2);
    let (more, topics) = (all(&[(&first, 3), (&second, 3), (&third, 2)]), [topics[0], topics[1], third.as_str()]);
    for member in [&a, &b] {
        member.share(topics.iter().map(|topic| (*topic).to_owned()).collect());
    }
    until_shared("a topic more", &[&a, &b], &more);
    for topic in topics {
        assert_eq!(good(cluster.committed_by(topic)), BTreeSet::new(), "nothing is committed");
    }
}

#[test]
fn a_second_process_of_one_name_takes_the_place_of_the_first() {
    let cluster = kafka_cluster();
    let topic = topic(cluster, 2);
    let group = unique_name("group");
    let first = join(cluster, &group, "a", &[&topic]);
    let everything = all(&[(&topic, 2)]);
    until_shared("the first has all", &[&first], &everything);
    let second = join(cluster, &group, "a", &[&topic]);
    until_shared("the second has all", &[&second], &everything);
    let replaced = wait_until("the first is told", WITHIN, || match first.ours() {
        Err(TapError::MemberReplaced { what }) => Look::Done(what),
        other => Look::NotYet(format!("{other:?}")),
    });
    assert_eq!(replaced.unwrap_or_else(|why| panic!("{why}")), "another process is that member now");
}
