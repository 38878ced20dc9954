//! A TCP proxy before a broker that hands out so many bytes of its answers and then cuts every connection.
//!
//! The broker must advertise the proxy's address, or clients go round it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

/// Bytes carried at once: the budget is exceeded by less.
const CHUNK_BYTES: usize = 4 << 10;

/// A running proxy; its threads end when their connections do, the listening one with the process.
pub struct Proxy {
    port: u16,
    inner: Arc<Inner>,
}

struct Inner {
    broker: OnceLock<String>,
    /// Bytes that may still be handed out.
    budget: AtomicI64,
    spent: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl Proxy {
    /// Listens on a free port, without a broker behind it yet.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the system has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let inner =
            Arc::new(Inner { broker: OnceLock::new(), budget: AtomicI64::new(i64::MAX), spent: OnceLock::new() });
        let serving = Arc::clone(&inner);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                serving.connect(client);
            }
        });
        Self { port, inner }
    }

    /// Its address, for the broker to advertise.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on it leads to this broker.
    pub fn lead_to(&self, broker: &str) {
        self.inner.broker.set(broker.to_owned()).expect("it leads to one broker");
    }

    /// After so many more bytes of answers it carries nothing any more and calls `spent`, once. Where that is true it
    /// carries everything again.
    pub fn cut_after(&self, bytes: i64, spent: impl Fn() -> bool + Send + Sync + 'static) {
        assert!(self.inner.spent.set(Box::new(spent)).is_ok(), "it is cut once");
        self.inner.budget.store(bytes, Ordering::SeqCst);
    }
}

impl Inner {
    /// Joins a client to the broker; without one, or while nothing is carried, the client is turned away.
    fn connect(self: &Arc<Self>, client: TcpStream) {
        let Some(broker) = self.broker.get().filter(|_| self.budget.load(Ordering::SeqCst) > 0) else { return };
        let Ok(server) = TcpStream::connect(broker) else { return };
        let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else { return };
        std::thread::spawn(move || carry(from_client, server, |_| true));
        let inner = Arc::clone(self);
        std::thread::spawn(move || carry(from_server, client, |bytes| inner.may_carry(bytes)));
    }

    fn may_carry(&self, bytes: usize) -> bool {
        let bytes = i64::try_from(bytes).expect("a chunk is small");
        let before = self.budget.fetch_sub(bytes, Ordering::SeqCst);
        if before > 0
            && before <= bytes
            && let Some(spent) = self.spent.get()
            && spent()
        {
            self.budget.store(i64::MAX, Ordering::SeqCst);
        }
        before > bytes
    }
}

/// Carries bytes one way until either side ends or `may` forbids it; both ways end then.
fn carry(mut from: TcpStream, mut to: TcpStream, may: impl Fn(usize) -> bool) {
    let mut chunk = [0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        if !may(read) || to.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    // A side that is closed already is no failure.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
