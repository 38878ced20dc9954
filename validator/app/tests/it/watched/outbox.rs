//! A receiver that refuses, is slow or fails, and a process that is killed before it could tell: validation goes on, and what was
//! to be told is told.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use fixtures_harness::{Asked, Ending, HttpStub, Reply};
use serde_json::Value as Json;

use super::shop::Shop;

const SOUND: u8 = 0;
const FAILS: u8 = 1;
const REFUSES: u8 = 2;
const HANGS: u8 = 3;

/// A receiver whose mood a test sets.
struct Receiver {
    mood: Arc<AtomicU8>,
    gate: Arc<(Mutex<bool>, Condvar)>,
    taken: Arc<Mutex<Vec<Asked>>>,
    stub: HttpStub,
}

impl Receiver {
    fn start(mood: u8) -> Self {
        let (mood, gate) = (Arc::new(AtomicU8::new(mood)), Arc::new((Mutex::new(false), Condvar::new())));
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (now, opens, take) = (Arc::clone(&mood), Arc::clone(&gate), Arc::clone(&taken));
        let stub = HttpStub::start(move |asked| match now.load(Ordering::SeqCst) {
            FAILS => Reply::new(500, "no"),
            REFUSES => Reply::new(200, "").ending(Ending::Refused),
            HANGS => {
                let (open, opened) = &*opens;
                let open = open.lock().expect("nobody panics with it");
                drop(opened.wait_while(open, |open| !*open).expect("nobody panics with it"));
                Reply::new(503, "it took too long")
            }
            _ => {
                take.lock().expect("nobody panics with it").push(asked.clone());
                Reply::new(204, "")
            }
        });
        Self { mood, gate, taken, stub }
    }

    fn set(&self, mood: u8) {
        self.mood.store(mood, Ordering::SeqCst);
        *self.gate.0.lock().expect("nobody panics with it") = mood != HANGS;
        self.gate.1.notify_all();
    }

    /// Deliveries that were taken: state, and the key of the repetition.
    fn taken(&self) -> Vec<(String, String)> {
        let of = |asked: &Asked| {
            let body: Json = serde_json::from_str(&asked.body).expect("JSON");
            let delivery = asked.header("validator-delivery").expect("it is there").to_owned();
            (body["state"].as_str().unwrap_or_default().to_owned(), delivery)
        };
        self.taken.lock().expect("nobody panics with it").iter().map(of).collect()
    }

    /// Keys of all deliveries that were tried.
    fn tried(&self) -> Vec<String> {
        self.stub.asked().iter().filter_map(|asked| asked.header("validator-delivery").map(str::to_owned)).collect()
    }

    fn alerts(&self) -> String {
        format!(
            "[channels.hook]\ntype = \"webhook\"\nurl = \"{}/hook\"\nsecret = \"s3cret-of-the-receiver\"\n\n\
             [[alerts]]\nname = \"lost\"\nwhen = \"messages(missing) > 0\"\nnotify = [\"hook\"]\n",
            self.stub.url()
        )
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Whoever still hangs in the handler would keep the server.
        self.set(SOUND);
    }
}

#[test]
fn a_receiver_that_is_away_holds_nothing_up_and_is_told_when_it_is_back() {
    let receiver = Receiver::start(FAILS);
    let mut shop = Shop::open(&receiver.alerts());
    shop.start();
    shop.lose_one();
    for (mood, what) in [(FAILS, "500"), (REFUSES, "a closed connection"), (HANGS, "silence")] {
        receiver.set(mood);
        let before = receiver.tried().len();
        shop.until(what, |_| match receiver.tried().len() {
            now if now > before => Ok(()),
            now => Err(format!("{now} deliveries were tried")),
        });
        // While the delivery is under way: messages come, rows land, and all is judged and kept.
        let sold = shop.sell(10);
        let intact = shop.shown()["messages"]["intact"].as_u64().expect("a count");
        shop.land(sold);
        shop.checkpoints(5);
        shop.until("ten more", |shop| match shop.shown()["messages"]["intact"].as_u64() {
            Some(now) if now >= intact + 10 => Ok(()),
            now => Err(format!("{now:?} after {intact}")),
        });
        assert_eq!(shop.metric("validator_outbox_messages"), Some(1.0), "{what}");
        assert!(receiver.taken().is_empty(), "{what}");
    }
    receiver.set(SOUND);
    shop.until("the delivery", |_| if receiver.taken().is_empty() { Err("nothing yet".to_owned()) } else { Ok(()) });
    shop.until("an empty outbox", |shop| match shop.metric("validator_outbox_messages") {
        Some(0.0) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let taken = receiver.taken();
    assert_eq!(taken.iter().map(|(state, _)| state.as_str()).collect::<Vec<_>>(), ["firing"]);
    assert!(
        receiver.tried().iter().all(|key| *key == taken[0].1),
        "every try has the same key: {:?}",
        receiver.tried()
    );
    assert_eq!(shop.stop(), Some(0));
}

#[test]
fn an_alert_that_fired_and_was_not_sent_when_the_process_was_killed_is_sent_by_the_next() {
    let receiver = Receiver::start(FAILS);
    let mut shop = Shop::open(&receiver.alerts());
    shop.start();
    let lost = shop.lose_one();
    shop.until("an alert that waits", |shop| match (shop.firing("lost"), shop.metric("validator_outbox_messages")) {
        (Some(1), Some(1.0)) if !receiver.tried().is_empty() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    shop.kill();
    let keys = receiver.tried();
    receiver.set(SOUND);
    shop.start();
    shop.until("the delivery", |_| if receiver.taken().is_empty() { Err("nothing yet".to_owned()) } else { Ok(()) });
    shop.checkpoints(10);
    assert_eq!(receiver.taken(), [("firing".to_owned(), keys[0].clone())], "the same alert, once");
    // Killed once more: it was told, and is not told again. Its end is.
    shop.kill();
    shop.start();
    shop.checkpoints(10);
    assert_eq!(receiver.taken().len(), 1);
    shop.land([lost]);
    shop.until("its end", |_| if receiver.taken().len() > 1 { Ok(()) } else { Err(format!("{:?}", receiver.taken())) });
    shop.checkpoints(10);
    let states: Vec<String> = receiver.taken().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, ["firing", "resolved"]);
    assert_eq!(shop.stop(), Some(0));
}
