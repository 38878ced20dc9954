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
    insta::assert_snapshot!(seen(pipeline(&text)), @r#"
    8 problems in rules/trades.toml

    error: `when`, character 1: `burnrate` is no figure
      --> rules/trades.toml:10:8
       |
    10 | when = "burnrate(1h) > 14.4"
       |        ^^^^^^^^^^^^^^^^^^^^^
       = hint: did you mean `burn_rate`?

    error: [[alerts]] has no `name`
      --> rules/trades.toml:12:1
       |
    12 | [[alerts]]
       | ^^^^^^^^^^
       = hint: write `name = "lost"` in [[alerts]]

    error: [[alerts]] has no `notify`
      --> rules/trades.toml:12:1
       |
    12 | [[alerts]]
       | ^^^^^^^^^^
       = hint: write `notify = ["ops"]` in [[alerts]]

    error: `for` is a duration with a unit, like "90s", "2m", "1h30m" or "24h", not a whole number
      --> rules/trades.toml:14:7
       |
    14 | for = 5
       |       ^
       = hint: write `for = "5m"`

    error: `by = "cause"` is for a condition with `findings`, which alone have causes
      --> rules/trades.toml:18:6
       |
    18 | by = "cause"
       |      ^^^^^^^
       = hint: write `when = "findings > 0"`, or take `by` out

    error: `notify` is empty: nobody would be told
      --> rules/trades.toml:19:10
       |
    19 | notify = []
       |          ^^
       = hint: write `notify = ["ops"]`

    error: two alerts are called "b"
      --> rules/trades.toml:21:8
       |
    21 | name = "b"
       |        ^^^
       = hint: give each its own name

    error: unknown key `every` in [[alerts]]
      --> rules/trades.toml:24:1
       |
    24 | every = "1m"
       | ^^^^^
       = hint: `every` belongs in [identity]
    "#);
    insta::assert_snapshot!(seen(pipeline(&format!("{PIPELINE}[alerts]\nname = \"a\"\n"))), @"
    1 problem in rules/trades.toml

    error: `alerts` is a list of tables, [[alerts]], not a table
     --> rules/trades.toml:8:1
      |
    8 | [alerts]
      | ^^^^^^^^
      = hint: `validator schema pipeline` says what each key may be
    ");
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
    insta::assert_snapshot!(seen(service(text)), @r#"
    8 problems in etc/validator.toml

    error: `listen` is an address and a port, not "9464"
     --> etc/validator.toml:2:10
      |
    2 | listen = "9464"
      |          ^^^^^^
      = hint: write `listen = "127.0.0.1:9464"`

    error: `type` is one of `log`, `webhook` or `alertmanager`, not "mail"
     --> etc/validator.toml:4:8
      |
    4 | type = "mail"
      |        ^^^^^^
      = hint: write `type = "webhook"`

    error: `url` starts with http:// or https:// and names a host
     --> etc/validator.toml:7:7
      |
    7 | url = "hooks.example.com"
      |       ^^^^^^^^^^^^^^^^^^^
      = hint: write `url = "http://localhost:9093"`

    error: unknown key `resend` in [channels.b]
     --> etc/validator.toml:8:1
      |
    8 | resend = "1m"
      | ^^^^^^
      = hint: known here: `type`, `url`, `secret` and `token`

    error: [channels.c] has no `url`
     --> etc/validator.toml:9:11
      |
    9 | [channels.c]
      |           ^
      = hint: write `url = "http://localhost:9093"` in [channels.c]

    error: `password` wants a `user`
      --> etc/validator.toml:11:12
       |
    11 | password = "${REGISTRY_TOKEN}"
       |            ^^^^^^^^^^^^^^^^^^^
       = hint: write `user = "validator"` beside it

    error: `resend` is at least one second
      --> etc/validator.toml:12:10
       |
    12 | resend = "1ms"
       |          ^^^^^
       = hint: write `resend = "1m"`

    error: there is no channel "bb"
      --> etc/validator.toml:16:10
       |
    16 | notify = ["bb"]
       |          ^^^^^^
       = hint: write a section [channels.bb] in validator.toml
    "#);
}

#[test]
fn listening_beyond_this_machine_is_warned_of() {
    let service = service("[service]\nlisten = \"0.0.0.0:9464\"\n").expect("it is sound");
    let warnings: Vec<&str> = service.warnings.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(warnings, ["`listen` lets everyone who reaches 0.0.0.0:9464 read what is found"]);
}
