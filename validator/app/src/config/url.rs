//! URLs of servers: http or https, a host, and no password in them.

use super::problem::Problem;
use super::section::Section;
use super::walk::Located;

/// Notes what is wrong with the URL of a key.
pub fn check_url(section: &Section<'_>, key: &str, url: &Located<String>) {
    let host = url.value.strip_prefix("http://").or_else(|| url.value.strip_prefix("https://"));
    match host.map(|host| host.split('/').next().unwrap_or_default()) {
        None | Some("") => {
            let problem = Problem::new(format!("`{key}` starts with http:// or https:// and names a host"));
            section.note_at(problem, &url.span);
        }
        Some(host) if host.contains('@') => {
            let problem = Problem::new(format!("`{key}` holds a user or password"));
            section.note_at(problem.hint(at_home(key)), &url.span);
        }
        Some(_) => {}
    }
}

/// Where user and password are written instead.
fn at_home(key: &str) -> &'static str {
    if key == "url" { "write them as `user` and `password`" } else { "write them as `credential` or `token`" }
}
