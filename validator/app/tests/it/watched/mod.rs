//! What a running validator shows and tells: over real HTTP, to a real Prometheus and a real Alertmanager.

mod alertmanager;
mod api;
mod hostile;
mod post;
mod prometheus;
mod served;
mod webhook;
