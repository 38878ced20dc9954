//! Alerts that change while it runs, a file that is wrong, and a table that cannot be looked at.

use std::fs;

use fixtures_harness::{HttpStub, Reply};
use serde_json::Value as Json;

use super::shop::Shop;

/// `lost firing`, in their order.
fn told(hook: &HttpStub) -> Vec<String> {
    let of = |body: &str| {
        let body: Json = serde_json::from_str(body).expect("JSON");
        let word = |of: &str| body[of].as_str().unwrap_or_default().to_owned();
        format!("{} {}", word("alert"), word("state"))
    };
    hook.asked().iter().map(|asked| of(&asked.body)).collect()
}

fn alert(name: &str, when: &str, more: &str) -> String {
    format!("[[alerts]]\nname = {name:?}\nwhen = {when:?}\nnotify = [\"hook\"]\n{more}\n")
}

fn until_told(shop: &mut Shop, hook: &HttpStub, wanted: &[&str]) {
    shop.until("what is told", |_| {
        let now = told(hook);
        if now == wanted { Ok(()) } else { Err(format!("{now:?}, not {wanted:?}")) }
    });
}

#[test]
fn alerts_of_a_file_that_changed_are_those_that_hold() {
    let hook = HttpStub::start(|_| Reply::new(200, ""));
    let channel = format!("[channels.hook]\ntype = \"webhook\"\nurl = {:?}\n\n", hook.url());
    let mut shop = Shop::open(&channel);
    shop.start();
    shop.lose_one();
    shop.until("a missing message", |shop| match shop.shown() {
        shown if shown["messages"]["missing"] == 1 => Ok(()),
        shown => Err(shown.to_string()),
    });
    let lost = alert("lost", "findings(missing) > 0", "");
    shop.write(&format!("{channel}{lost}"));
    until_told(&mut shop, &hook, &["lost firing"]);
    // Of a file that is wrong nothing is taken.
    shop.write(&format!("{channel}{}", lost.replace("hook\"]", "hoop\"]")));
    shop.until("the refusal", |shop| {
        let log = fs::read_to_string(shop.path().join("run.log")).unwrap_or_default();
        if log.contains("there is no channel \"hoop\"") { Ok(()) } else { Err("not refused yet".to_owned()) }
    });
    shop.checkpoints(5);
    assert_eq!(told(&hook), ["lost firing"]);
    // One that no rule asks for any more is over; the others go on.
    shop.write(&format!("{channel}{}", alert("few", "messages(intact) < 1000", "for = \"1s\"")));
    shop.until("the new alert", |_| if told(&hook).len() >= 3 { Ok(()) } else { Err(format!("{:?}", told(&hook))) });
    let mut all = told(&hook);
    all.sort();
    assert_eq!(all, ["few firing", "lost firing", "lost resolved"]);
    // Those of a pipeline file count as well, and are over with it.
    let pipeline = fs::read_to_string(shop.path().join("pipeline.toml")).expect("it is there");
    let own = format!("{pipeline}\n{}", alert("own", "messages(missing) == 1", ""));
    fs::write(shop.path().join("pipeline.toml"), own).expect("the folder takes files");
    shop.until("the pipeline's own", |_| match told(&hook).last().map(String::as_str) {
        Some("own firing") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(shop.stop(), Some(0));
}

#[test]
fn who_cannot_look_says_so_and_takes_it_back() {
    let hook = HttpStub::start(|_| Reply::new(200, ""));
    let channel = format!("[channels.hook]\ntype = \"webhook\"\nurl = {:?}\n\n", hook.url());
    let blind = alert("blind", "cannot_judge or age > 5m", "");
    let lost = alert("lost", "messages(missing) > 0", "");
    let mut shop = Shop::open(&format!("{channel}{blind}{lost}"));
    let sold = shop.sell(10);
    shop.land(sold);
    shop.start();
    shop.until("a judged pipeline", |shop| match shop.shown() {
        shown if shown["state"] == "healthy" => Ok(()),
        shown => Err(shown.to_string()),
    });
    // A catalog whose file is damaged.
    let (catalog, aside) = (shop.path().join("warehouse/catalog.db"), shop.path().join("aside.db"));
    fs::rename(&catalog, &aside).expect("it can be moved");
    fs::write(&catalog, "no database".repeat(1_000)).expect("it can be written");
    until_told(&mut shop, &hook, &["blind firing"]);
    assert_eq!(shop.get("/readyz").0, 502);
    assert!(
        shop.metric("validator_looks_failed_total{pipeline=\"trades\",what=\"catalog\"}")
            .is_some_and(|many| many > 0.0)
    );
    // A restart while nobody can look neither ends it nor tells it again, once the ledger has it that it was told.
    shop.until("what was told, in the ledger", |shop| {
        match (shop.firing("blind"), shop.metric("validator_outbox_messages")) {
            (Some(1), Some(0.0)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    shop.kill();
    shop.start();
    shop.until("a state", |shop| match shop.get("/readyz") {
        (502, _) => Ok(()),
        (code, body) => Err(format!("{code} {body}")),
    });
    assert_eq!(told(&hook), ["blind firing"]);
    fs::rename(&aside, &catalog).expect("it can be moved");
    until_told(&mut shop, &hook, &["blind firing", "blind resolved"]);
    assert_eq!(shop.stop(), Some(0));
}

/// Metrics and burn rates go by it at once.
#[test]
fn a_new_target_is_that_of_metrics_and_burn_rates_at_once() {
    let mut shop = Shop::open("");
    let sold = shop.sell(10);
    shop.land(sold);
    shop.start();
    let target = |shop: &mut Shop| shop.metric("validator_fidelity_target_ratio{pipeline=\"trades\"}");
    let before = target(&mut shop);
    let file = shop.path().join("pipeline.toml");
    let text = fs::read_to_string(&file).expect("it is there");
    assert!(!text.contains("target ="), "{text}");
    fs::write(&file, text.replace("[fidelity]\n", "[fidelity]\ntarget = 0.5\n")).expect("the folder takes files");
    shop.until("the new target", |shop| match target(shop) {
        Some(0.5) => Ok(()),
        other => Err(format!("{other:?}, it was {before:?}")),
    });
    assert_eq!(shop.stop(), Some(0));
}

/// Looks are an hour apart unless somebody asks.
#[test]
fn who_asks_for_a_look_has_one_at_once() {
    let mut shop = Shop::open("");
    let service = fs::read_to_string(shop.path().join("validator.toml")).expect("it is there");
    fs::write(shop.path().join("validator.toml"), service.replace("\"200ms\"", "\"1h\"")).expect("it takes files");
    let sold = shop.sell(10);
    shop.land(sold);
    shop.start();
    let intact = |shop: &mut Shop| shop.shown()["messages"]["intact"].as_u64();
    shop.until("the first look", |shop| if intact(shop) == Some(10) { Ok(()) } else { Err("not yet".to_owned()) });
    let sold = shop.sell(10);
    shop.land(sold);
    shop.until("the messages", |shop| match shop.shown()["messages"]["consumed"].as_u64() {
        Some(20) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // As long as nobody looks they wait.
    assert!(intact(&mut shop) < Some(20));
    shop.service().child().poke();
    shop.until("the second look", |shop| if intact(shop) == Some(20) { Ok(()) } else { Err("not yet".to_owned()) });
    assert_eq!(shop.stop(), Some(0));
}

/// What files name may change without them: so it is by a signal that all is read again, and what has ended begins.
#[test]
fn a_signal_has_all_read_again_and_what_ended_begins() {
    let mut shop = Shop::open("");
    let sold = shop.sell(10);
    shop.land(sold);
    let pipeline = fs::read_to_string(shop.path().join("pipeline.toml")).expect("it is there");
    let other =
        pipeline.replace("\"trades\"", "\"others\"").replace("market.trades\"\nformat", "market.others\"\nformat");
    assert_ne!(other, pipeline.replace("\"trades\"", "\"others\""), "it is of another table");
    fs::write(shop.path().join("others.toml"), other).expect("the folder takes files");
    let service = fs::read_to_string(shop.path().join("validator.toml")).expect("it is there");
    let both = service.replace("[\"pipeline.toml\"]", "[\"pipeline.toml\", \"others.toml\"]");
    fs::write(shop.path().join("validator.toml"), both).expect("the folder takes files");
    shop.start();
    let state_of = |shop: &mut Shop, name: &str| -> Json {
        let (_, body) = shop.get(&format!("/api/v1/pipelines/{name}"));
        serde_json::from_str::<Json>(&body).expect("JSON")["state"].clone()
    };
    shop.until("both as they are", |shop| match (state_of(shop, "trades"), state_of(shop, "others")) {
        (trades, others) if trades == "healthy" && others == "failed" => Ok(()),
        states => Err(format!("{states:?}")),
    });
    shop.make_table("others");
    let log = |shop: &Shop| fs::read_to_string(shop.path().join("run.log")).unwrap_or_default();
    assert!(!log(&shop).contains("goes on by a new file"));
    shop.service().child().hang_up();
    shop.until("both healthy", |shop| match (state_of(shop, "trades"), state_of(shop, "others")) {
        (trades, others) if trades == "healthy" && others != "failed" && others != "starting" => Ok(()),
        states => Err(format!("{states:?}")),
    });
    assert!(log(&shop).contains("goes on by a new file"), "{}", log(&shop));
    assert_eq!(shop.stop(), Some(0));
}
