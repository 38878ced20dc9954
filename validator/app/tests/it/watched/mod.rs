//! What a running validator shows and tells: over real HTTP, to a real Prometheus and a real Alertmanager.

mod alertmanager;
mod api;
mod hostile;
mod outbox;
mod post;
mod prometheus;
mod reloaded;
mod retention;
mod served;
mod shop;
mod told;
mod webhook;
