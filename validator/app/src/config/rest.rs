//! `[catalogs.NAME]` of `type = "rest"`, under the names that Iceberg's other clients use.

use validator_core::secret::Secret;
use validator_table::{RestAccess, RestConfig, S3Config};

use super::catalog::read_timeout;
use super::problem::Problem;
use super::secret::{read_secret, secret_of};
use super::section::Section;
use super::source::sounds_secret;
use super::store::read_pem;
use super::url::check_url;
use super::walk::{Located, Walk};

/// What gives the keys around it a meaning.
const CREDENTIAL: &str = "write `credential = \"${CATALOG_CREDENTIAL}\"` beside it";

/// Reads the keys of a REST catalog; `store` is its `storage`.
pub fn read_rest(
    section: &Section<'_>,
    store: &S3Config,
    walk: &Walk<'_>,
    warnings: &mut Vec<Problem>,
) -> Option<RestConfig> {
    let uri = section.required_text("uri", "uri = \"http://localhost:8181\"");
    if let Some(uri) = &uri {
        check_url(section, "uri", uri);
    }
    let text = |key| section.optional_text(key).map(|text: Located<String>| text.value);
    let (warehouse, prefix) = (text("warehouse"), text("prefix"));
    let access = read_access(section, walk, warnings);
    let headers = read_headers(section, walk, warnings);
    let ca = section.text("ca").and_then(|path| read_pem(section, "ca", &path, walk));
    let timeout = read_timeout(section);
    Some(RestConfig {
        uri: uri?.value,
        warehouse,
        prefix,
        access,
        headers,
        ca,
        timeout,
        vended: store.access_key_id.is_none() && store.anonymous != Some(true),
    })
}

fn read_access(section: &Section<'_>, walk: &Walk<'_>, warnings: &mut Vec<Problem>) -> RestAccess {
    let credential = read_secret(section, "credential", walk, warnings);
    let token = read_secret(section, "token", walk, warnings);
    let server = section.optional_text("oauth2-server-uri");
    if let Some(server) = &server {
        check_url(section, "oauth2-server-uri", server);
    }
    let mut parameters = Vec::new();
    for key in ["scope", "audience", "resource"] {
        let parameter = section.optional_text(key);
        if let (Some(parameter), None) = (&parameter, &credential) {
            section.note_at(Problem::new(format!("`{key}` wants a `credential`")).hint(CREDENTIAL), &parameter.span);
        }
        parameters.extend(parameter.map(|parameter| (key.to_owned(), parameter.value)));
    }
    if let (Some(server), None) = (&server, &credential) {
        section.note_at(Problem::new("`oauth2-server-uri` wants a `credential`").hint(CREDENTIAL), &server.span);
    }
    match (credential, token) {
        (Some(_), Some(token)) => {
            section
                .note_at(Problem::new("give `token` or `credential`, not both").hint("take `token` out"), &token.span);
            RestAccess::Open
        }
        (None, Some(token)) => RestAccess::Token(token.value),
        (Some(credential), None) => {
            let text = credential.value.expose();
            let (id, secret) = text.split_once(':').map_or((None, text), |(id, secret)| (Some(id.to_owned()), secret));
            if secret.is_empty() {
                let problem = Problem::new("`credential` is `id:secret`, and its secret is empty");
                section.note_at(problem, &credential.span);
            }
            let (secret, server_uri) = (Secret::new(secret), server.map(|server| server.value));
            RestAccess::Client { id, secret, server_uri, parameters }
        }
        (None, None) => RestAccess::Open,
    }
}

/// `header.NAME`; any of them may be a key.
fn read_headers(section: &Section<'_>, walk: &Walk<'_>, warnings: &mut Vec<Problem>) -> Vec<(String, Secret)> {
    let mut headers = Vec::new();
    for (name, item) in section.family("header") {
        let mut aside = Vec::new();
        let kept = if sounds_secret(&name) { &mut *warnings } else { &mut aside };
        let Some(value) = secret_of(&item, &name, walk, kept) else { continue };
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            section.note_at(
                Problem::new(format!("`{name}` is no name of a header")).hint("write `X-Tenant = \"market\"`"),
                &item.key_span,
            );
        } else if value.value.expose().chars().any(|c| c.is_control()) {
            section.note_at(Problem::new(format!("the header `{name}` holds a control character")), &value.span);
        }
        headers.push((name, value.value));
    }
    headers
}
