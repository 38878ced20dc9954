//! The keys of alerts and of their channels.

use super::{Key, Kind, Table};
use crate::config::alerts::GROUPINGS;
use crate::config::channels::CHANNELS;

/// `[[alerts]]`
pub static ALERT: Table = Table {
    path: "alerts",
    says: "What `run` watches: one section for each alert. In `validator.toml` they are of every pipeline. An alert is told \
           once when it begins and once when it is over. Conditions and their figures: docs/metrics.md.",
    selector: "",
    either: &[],
    keys: &[
        Key::new("name", Kind::Text, "\"lost\"", "The alert's name.").always(),
        Key::new(
            "when",
            Kind::Text,
            "\"findings(missing) > 0\"",
            "The condition: comparisons of figures, with `and`, `or`, `not` and parentheses.",
        )
        .always(),
        Key::new("for", Kind::Duration, "\"5m\"", "How long it must be true before the alert begins.").or("\"0s\""),
        Key::new("resolve_after", Kind::Duration, "\"10m\"", "How long it must be false before the alert is over.")
            .or("\"0s\""),
        Key::new(
            "by",
            Kind::Words(|| GROUPINGS.map(|(word, _)| word).to_vec()),
            "\"cause\"",
            "Each verdict and cause of open findings has an alert of its own.",
        )
        .or("one alert"),
        Key::new("severity", Kind::Text, "\"page\"", "A word for whoever is told."),
        Key::new("notify", Kind::Texts, "[\"ops\"]", "The channels of `validator.toml` that are told.").always(),
        Key::new("says", Kind::Text, "\"Compare the sink's log.\"", "What to do, for a person."),
        Key::new("runbook", Kind::Text, "\"https://wiki.example.com/lost\"", "Where that is said at length."),
    ],
    free: None,
};

/// `[channels.NAME]`
pub static CHANNEL: Table = Table {
    path: "channels.NAME",
    says: "Who is told of alerts that name NAME.",
    selector: "type",
    either: &[],
    keys: &[
        Key::new(
            "type",
            Kind::Words(|| CHANNELS.map(|(word, _)| word).to_vec()),
            "\"webhook\"",
            "`log`: a line of the log. `webhook`: a POST of the alert as JSON. `alertmanager`: API v2 of Alertmanager.",
        )
        .always(),
        Key::new(
            "url",
            Kind::Text,
            "\"http://localhost:9093\"",
            "Type `webhook`: the whole address. Type `alertmanager`: the server; a path in it is kept.",
        )
        .only(&["webhook", "alertmanager"])
        .always_for(&["webhook", "alertmanager"]),
        Key::new(
            "secret",
            Kind::Secret,
            "\"${WEBHOOK_SECRET}\"",
            "The key of the signature, HMAC-SHA256 over timestamp and body; without it nothing is signed.",
        )
        .only(&["webhook"]),
        Key::new(
            "resend",
            Kind::Duration,
            "\"1m\"",
            "How often an alert that fires is sent again; it ends by itself after \
             four times that.",
        )
        .or("\"1m\"")
        .only(&["alertmanager"]),
        Key::new("user", Kind::Text, "\"validator\"", "For basic authentication.").only(&["alertmanager"]),
        Key::new("password", Kind::Secret, "\"${ALERTMANAGER_PASSWORD}\"", "For basic authentication.")
            .only(&["alertmanager"])
            .with("user"),
        Key::new("token", Kind::Secret, "\"${CHANNEL_TOKEN}\"", "A bearer token, in place of user and password.")
            .only(&["webhook", "alertmanager"]),
    ],
    free: None,
};
