//! Connections: accepted while there is room, answered one request after the other, ended in time.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Site;
use super::limits::{
    ACCEPT_AGAIN_MS, CONNECTION_SECONDS, CONNECTIONS_MAX, HEADER_BYTES_MAX, HEADERS_MAX, HEADERS_SECONDS, STOP_SECONDS,
};
use super::route::{Door, answer};

/// Serves until `stop` is there, then ends what is being answered within the time of the limits.
pub async fn serve(listener: TcpListener, site: Site, stop: impl Future<Output = ()>) {
    let is_local = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let door = Arc::new(Door::new(site, is_local));
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (closing, closed) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &room) => match accepted {
                Ok((stream, place)) => {
                    connections.spawn(connection(stream, Arc::clone(&door), closed.clone(), place));
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted");
                    sleep(Duration::from_millis(ACCEPT_AGAIN_MS)).await;
                }
            }
        }
    }
    drop(closing);
    let _ =
        timeout(Duration::from_secs(STOP_SECONDS), async { while connections.join_next().await.is_some() {} }).await;
    connections.abort_all();
}

/// The next connection, when there is room for it.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn connection(stream: TcpStream, door: Arc<Door>, mut closed: watch::Receiver<()>, _place: OwnedSemaphorePermit) {
    let service = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(answer(&door, &request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEADERS_SECONDS))
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    tokio::select! {
        // What a client did wrong is answered, or not worth a word.
        _ = serving.as_mut() => {}
        () = sleep(Duration::from_secs(CONNECTION_SECONDS)) => {}
        _ = closed.changed() => {
            serving.as_mut().graceful_shutdown();
            let _ = timeout(Duration::from_secs(STOP_SECONDS), serving).await;
        }
    }
}
