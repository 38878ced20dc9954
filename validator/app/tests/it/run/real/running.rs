//! A running service that is asked how it is, over HTTP, as an operator's probe asks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::DateTime;
use fixtures_harness::{Look, wait_until};
use serde_json::Value as Json;

use super::super::service::{STOP_WITHIN, Service};
use super::RECOVERED_WITHIN;

/// What anything else may take, on a loaded machine.
const WITHIN: Duration = Duration::from_secs(90);

/// See the module.
pub struct Running {
    service: Service,
    address: SocketAddr,
    pipeline: String,
}

impl Running {
    /// Starts the service of a folder, which listens on a port that the system gives.
    pub fn start(folder: &Path, pipeline: &str) -> Self {
        Self::of(Service::start(folder), folder, pipeline)
    }

    /// One that was started.
    pub fn of(service: Service, folder: &Path, pipeline: &str) -> Self {
        Self::of_log(service, &folder.join("run.log"), pipeline)
    }

    /// One whose talk is in that file.
    pub fn of_log(mut service: Service, log: &Path, pipeline: &str) -> Self {
        let said = service.child().wait_for_line("serving on ", WITHIN);
        said.unwrap_or_else(|why| panic!("{why}\n{}", service.child().log_tail()));
        let log = std::fs::read_to_string(log).expect("it has a log");
        let (_, last) = log.rsplit_once("serving on ").expect("it was said");
        let address = last.split_whitespace().next().unwrap_or_default().parse().expect("an address");
        Self { service, address, pipeline: pipeline.to_owned() }
    }

    /// What `/api/v1/pipelines/NAME` says now.
    pub fn status(&self) -> Result<Json, String> {
        let answer = self.get(&format!("/api/v1/pipelines/{}", self.pipeline)).map_err(|error| error.to_string())?;
        serde_json::from_str(&answer).map_err(|error| format!("{error}: {answer}"))
    }

    /// Waits until its report says so; the report.
    pub fn until_report(&mut self, what: &str, is: impl Fn(&Json) -> bool) -> Json {
        let path = format!("/api/v1/pipelines/{}/report", self.pipeline);
        let seen = wait_until(what, WITHIN, || {
            let report = self.get(&path).map_err(|error| error.to_string());
            match report
                .and_then(|text| serde_json::from_str::<Json>(&text).map_err(|error| format!("{error}: {text}")))
            {
                Ok(report) if is(&report) => Look::Done(report),
                Ok(report) => Look::NotYet(report.to_string()),
                Err(why) => Look::NotYet(why),
            }
        });
        seen.unwrap_or_else(|why| panic!("{why}\n{}", self.service.child().log_tail()))
    }

    /// SIGKILL.
    pub fn kill(self) {
        self.service.kill();
    }

    /// What a path says.
    ///
    /// # Errors
    /// It does not answer.
    pub fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
    }

    /// Waits until it says so; what it said then.
    pub fn until(&mut self, what: &str, mut is: impl FnMut(&Json) -> bool) -> Json {
        let seen = wait_until(what, WITHIN, || {
            if let Some(status) = self.service.child().ended() {
                return Look::Never(format!("it ended with {status}"));
            }
            match self.status() {
                Ok(status) if is(&status) => Look::Done(status),
                Ok(status) => Look::NotYet(status.to_string()),
                Err(why) => Look::NotYet(why),
            }
        });
        seen.unwrap_or_else(|why| panic!("{why}\n{}", self.service.child().log_tail()))
    }

    /// Waits until it says that it cannot judge, for a reason with that word; what it said then.
    pub fn until_it_cannot_judge(&mut self, word: &str) -> Json {
        self.until(&format!("a state that names {word}"), |status| {
            status["state"] == "cannot_judge" && status["why"].as_str().is_some_and(|why| why.contains(word))
        })
    }

    /// Waits until a look is applied that began after now; what it said then, and how long that took.
    pub fn until_it_judges(&mut self) -> (Json, Duration) {
        let (asked, asked_ms) = (Instant::now(), now_ms());
        let status = self.until("a look that is applied", |status| {
            status["state"] == "healthy" && judged_at_ms(status).is_some_and(|at| at > asked_ms)
        });
        (status, asked.elapsed())
    }

    /// The same after an outage: it must not take a minute. Says how long it took.
    pub fn until_it_recovers(&mut self, from: &str) -> Json {
        let (status, took) = self.until_it_judges();
        println!("recovered from {from} in {took:?}");
        assert!(took < RECOVERED_WITHIN, "{from}: {took:?}");
        status
    }

    /// The process.
    pub fn id(&mut self) -> u32 {
        self.service.child().id()
    }

    /// SIGTERM: it must end soon, and in order.
    pub fn stop(mut self) {
        let tail = self.service.child().log_tail();
        let (code, took) = self.service.stop();
        assert!(code == Some(0) && took < STOP_WITHIN, "{code:?} after {took:?}\n{tail}");
    }
}

/// Milliseconds since the epoch.
pub fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// When the last applied look began.
pub fn judged_at_ms(status: &Json) -> Option<i64> {
    let at = status["judged_at"].as_str()?;
    DateTime::parse_from_rfc3339(at).ok().map(|at| at.timestamp_millis())
}
