//! A broker that deletes: the head-room is predicted, and said where it is short.

use std::fs;

use fixtures_harness::{HttpStub, Reply};

use super::shop::Shop;

/// Bytes of padding of a message, so that some hundred fill what the mock broker keeps.
const PADDING: usize = 32_768;

#[test]
fn a_log_that_is_deleted_has_a_head_room_and_a_short_one_is_said() {
    let hook = HttpStub::start(|_| Reply::new(200, ""));
    let mut shop = Shop::open(&format!(
        "[channels.hook]\ntype = \"webhook\"\nurl = {:?}\n\n\
         [[alerts]]\nname = \"retention\"\nwhen = \"head_room < 1d\"\nnotify = [\"hook\"]\n",
        hook.url()
    ));
    let pipeline = shop.path().join("pipeline.toml");
    let text = fs::read_to_string(&pipeline).expect("it is there");
    fs::write(&pipeline, format!("{text}\n[compare]\ndrop = {{ padding = \"test\" }}\n")).expect("it can be written");
    shop.start();
    let sold = shop.sell(10);
    shop.land(sold);
    shop.until("a judged pipeline", |shop| match shop.shown() {
        shown if shown["state"] == "healthy" => Ok(()),
        shown => Err(shown.to_string()),
    });
    let head_room = "validator_retention_headroom_seconds{pipeline=\"trades\",topic=\"market.trades\",partition=\"0\"}";
    assert_eq!(shop.metric(head_room), None, "nothing was deleted");
    let padding = "x".repeat(PADDING);
    shop.until("a head-room", |shop| {
        let sold = shop.sell_with(40, &padding);
        shop.land(sold);
        shop.checkpoints(3);
        match shop.metric(head_room) {
            Some(seconds) if seconds >= 0.0 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    shop.until("the alert", |_| if hook.asked().is_empty() { Err("nothing yet".to_owned()) } else { Ok(()) });
    assert!(hook.asked()[0].body.contains("\"alert\":\"retention\""), "{:?}", hook.asked()[0]);
    let log = fs::read_to_string(shop.path().join("run.log")).expect("it is there");
    assert!(log.contains("the brokers will soon delete messages that are not consumed"), "{log}");
    assert_eq!(shop.shown()["state"], "degraded");
    // A reading that began anew loses nothing and has nothing twice.
    assert!(log.contains("reads ahead as far as it can"), "{log}");
    let sold = shop.sell(10);
    let all = sold.end;
    shop.land(sold);
    shop.until("all of them", |shop| match shop.shown() {
        shown if shown["messages"]["intact"] == all && shown["messages"]["consumed"] == all => Ok(()),
        shown => Err(shown["messages"].to_string()),
    });
    assert_eq!(shop.stop(), Some(0));
}
