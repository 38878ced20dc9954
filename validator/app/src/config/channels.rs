//! `[channels.NAME]`: who is told of alerts.

use super::item::Item;
use super::problem::Problem;
use super::secret::read_secret;
use super::section::Section;
use super::url::check_url;
use super::walk::Walk;
use crate::run::alerts::Channel;

/// What a channel is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Lines of the log.
    Log,
    /// A signed POST.
    Webhook,
    /// Alertmanager.
    Alertmanager,
}

/// The words of `type`.
pub const CHANNELS: [(&str, Kind); 3] =
    [("log", Kind::Log), ("webhook", Kind::Webhook), ("alertmanager", Kind::Alertmanager)];

/// How often an alert that fires is sent to Alertmanager again, unless said: as Prometheus does.
pub const RESEND_MS_DEFAULT: i64 = 60_000;

/// Reads `[channels.NAME]`.
pub fn read_channel(item: &Item<'_>, walk: &Walk<'_>, warnings: &mut Vec<Problem>) -> Option<Channel> {
    let section = item.section(format!("channels.{}", item.key));
    if !section.is_present() {
        return None;
    }
    if !section.has("type") {
        section.missing("type", "type = \"webhook\"");
    }
    // Of another type nothing is known, so no key of it can be unknown.
    let kind = section.choice("type", &CHANNELS, &[])?.value;
    let channel = match kind {
        Kind::Log => Some(Channel::Log),
        Kind::Webhook => {
            let url = read_url(&section);
            let secret = read_secret(&section, "secret", walk, warnings).map(|secret| secret.value);
            let token = read_secret(&section, "token", walk, warnings).map(|token| token.value);
            url.map(|url| Channel::Webhook { url, secret, token })
        }
        Kind::Alertmanager => {
            let url = read_url(&section);
            let resend_ms = read_resend(&section);
            let user = section.optional_text("user").map(|user| user.value);
            let password = read_secret(&section, "password", walk, warnings);
            let token = read_secret(&section, "token", walk, warnings);
            if let (Some(token), Some(_)) = (&token, &user) {
                let problem = Problem::new("give `token` or `user` and `password`, not both");
                section.note_at(problem.hint("take `token` out"), &token.span);
            }
            if let (Some(password), None) = (&password, &user) {
                let problem = Problem::new("`password` wants a `user`");
                section.note_at(problem.hint("write `user = \"validator\"` beside it"), &password.span);
            }
            let (password, token) = (password.map(|secret| secret.value), token.map(|secret| secret.value));
            url.map(|url| Channel::Alertmanager { url, resend_ms, user, password, token })
        }
    };
    section.finish();
    channel
}

fn read_url(section: &Section<'_>) -> Option<String> {
    let url = section.required_text("url", "url = \"http://localhost:9093\"")?;
    check_url(section, "url", &url);
    Some(url.value)
}

fn read_resend(section: &Section<'_>) -> i64 {
    let Some(resend) = section.duration_ms("resend") else { return RESEND_MS_DEFAULT };
    if resend.value < 1_000 {
        section.note_at(Problem::new("`resend` is at least one second").hint("write `resend = \"1m\"`"), &resend.span);
    }
    resend.value
}
