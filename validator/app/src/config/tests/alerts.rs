//! `[[alerts]]`, `[channels.NAME]` and `listen`: what is read, and what is said of what is wrong.

use super::{pipeline, seen, service};
use crate::run::alerts::{Channel, Rule};

const PIPELINE: &str = "\
[pipeline]
name = \"trades\"
topic = \"t\"
table = \"lake.ns.trades\"
format = \"json\"
[identity]
mode = \"content\"
";

const CHANNELS: &str = "\
[channels.log]
type = \"log\"
[channels.hook]
type = \"webhook\"
url = \"https://hooks.example.com/x\"
secret = \"${REGISTRY_TOKEN}\"
[channels.am]
type = \"alertmanager\"
url = \"http://localhost:9093/base\"
resend = \"30s\"
";

#[test]
fn alerts_and_channels_are_read_as_they_are_written() {
    let text = format!(
        "[service]\nlisten = \"127.0.0.1:9464\"\n{CHANNELS}[[alerts]]\nname = \"burn\"\nwhen = \"burn_rate(1h) > 14.4 and \
         burn_rate(5m) > 14.4\"\nfor = \"2m\"\nresolve_after = \"5m\"\nseverity = \"page\"\nnotify = [\"am\", \"log\"]\n\
         [[alerts]]\nname = \"found\"\nwhen = \"findings > 0\"\nby = \"cause\"\nnotify = [\"hook\"]\n"
    );
    let service = service(&text).expect("it is sound");
    assert_eq!(service.listen.map(|address| address.to_string()).as_deref(), Some("127.0.0.1:9464"));
    let [burn, found] = &service.alerts[..] else { panic!("two alerts") };
    assert_eq!(burn.when.to_string(), "burn_rate(1h) > 14.4 and burn_rate(5m) > 14.4");
    assert_eq!((burn.for_ms, burn.resolve_after_ms, burn.by_cause), (120_000, 300_000, false));
    assert_eq!((burn.severity.as_deref(), &burn.notify[..]), (Some("page"), &["am".to_owned(), "log".to_owned()][..]));
    assert_eq!((found.by_cause, found.for_ms, &found.severity), (true, 0, &None));
    assert_eq!(service.channels.keys().collect::<Vec<_>>(), ["am", "hook", "log"]);
    assert_eq!(service.channels["am"].resend_ms(), Some(30_000));
    assert!(matches!(&service.channels["hook"], Channel::Webhook { secret: Some(_), token: None, .. }));
    assert!(!format!("{service:?}").contains("s3cr3t"), "no secret is shown");
}

#[test]
fn an_alert_has_no_say_in_the_hash_of_a_contract() {
    let alert = "[[alerts]]\nname = \"lost\"\nwhen = \"messages(missing) > 0\"\nnotify = [\"ops\"]\n";
    let (with, without) = (pipeline(&format!("{PIPELINE}{alert}")), pipeline(PIPELINE));
    let (with, without) = (with.expect("it is sound"), without.expect("it is sound"));
    assert_eq!(with.config_hash, without.config_hash);
    assert_eq!(with.alerts.iter().map(|rule: &Rule| rule.name.as_str()).collect::<Vec<_>>(), ["lost"]);
}

#[test]
fn what_is_wrong_with_alerts_is_said_at_its_place() {
    let text = format!(
        "{PIPELINE}[[alerts]]\nname = \"a\"\nwhen = \"burnrate(1h) > 14.4\"\nnotify = [\"ops\"]\n[[alerts]]\nwhen = \"lag > 1\"\n\
         for = 5\n[[alerts]]\nname = \"b\"\nwhen = \"lag > 1\"\nby = \"cause\"\nnotify = []\n[[alerts]]\nname = \"b\"\nwhen = \
         \"lag > 2\"\nnotify = [\"ops\"]\nevery = \"1m\"\n"
    );
    insta::assert_snapshot!(seen(pipeline(&text)), @"");
    insta::assert_snapshot!(seen(pipeline(&format!("{PIPELINE}[alerts]\nname = \"a\"\n"))), @"");
}

#[test]
fn what_is_wrong_with_channels_is_said_at_its_place() {
    let text = "\
[service]
listen = \"9464\"
[channels.a]
type = \"mail\"
[channels.b]
type = \"webhook\"
url = \"hooks.example.com\"
resend = \"1m\"
[channels.c]
type = \"alertmanager\"
password = \"${REGISTRY_TOKEN}\"
resend = \"1ms\"
[[alerts]]
name = \"lost\"
when = \"messages(missing) > 0\"
notify = [\"bb\"]
";
    insta::assert_snapshot!(seen(service(text)), @"");
}

#[test]
fn listening_beyond_this_machine_is_warned_of() {
    let service = service("[service]\nlisten = \"0.0.0.0:9464\"\n").expect("it is sound");
    let warnings: Vec<&str> = service.warnings.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(warnings, ["`listen` lets everyone who reaches 0.0.0.0:9464 read what is found"]);
}
