//! Segmentation over HTTP: photos that are POSTed come back as masks.
//!
//! | request | answer |
//! |---|---|
//! | `POST /segment?model=&steps=&format=`, the body a photo | a mask as `flowseg segment` writes it, or JSON |
//! | `GET /` and files below it | the page of the viewer (`.ci/web`), if it is served |
//! | `GET /models` | the models that can be named, as JSON |
//! | `GET /health` | `{"status":"ok",..}` as soon as the default model is loaded; 503 and `"failing"` after a computation that failed, as all do on a lost device, or gave no numbers, until one succeeds |
//!
//! `HEAD` is answered as `GET` is, without the body. Errors are one line of JSON, `{"error":".."}`. On loopback everybody of this machine may ask; with
//! a token every request but `/health` and the page's files has to bring it as `Authorization: Bearer TOKEN`.
//!
//! Everything that a client can make the server hold is bounded: connections, the head of a request,
//! the bytes of its body, the photos that wait, are computed or answered, and the time in which a client
//! has to send and to read.

mod access;
mod connection;
mod engine;
mod limits;
mod log;
mod order;
mod page;
mod presence;
mod queue;
mod respond;

pub use access::Access;
pub use engine::{Engine, EngineError};
pub use limits::Limits;
pub use page::{Page, PageError};
pub use respond::Service;

use crate::crash;
use connection::Timed;
// hyper parses HTTP, bounds heads and shuts down gracefully; it and tokio are what the feature
// `remote` brings as well. tiny_http, the smaller choice, has no time limits and had no release since
// 2022; axum would add a router for three paths.
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use log::Log;
use presence::Presence;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Open connections; more wait to be accepted.
const CONNECTIONS: usize = 128;
/// Bytes of the head of a request, and of what is read of a body at once.
const HEAD_BYTES: usize = 16 * 1024;
/// Header fields of a request.
const FIELDS: usize = 64;
/// In which a client has to send the head of a request, if not in less.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How often the server looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);
/// How long a server that is to stop waits for clients once every photo is computed.
const GRACE: Duration = Duration::from_secs(10);

/// Answers requests until `stop` says so, and then finishes those that have begun; what clients have not
/// read within ten seconds of the last photo is lost.
///
/// # Errors
/// A system that refuses.
pub fn serve(listener: TcpListener, service: Service, stop: impl Fn() -> bool) -> io::Result<()> {
    let limits = service.limits;
    let (log, end_of_log) = Log::start()?;
    let _written = Written::from(&log, end_of_log);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let service = Arc::new(service);
    let accepted = runtime.block_on(accept(listener, service.clone(), limits, log, stop));
    // Nobody asks any more: the engine ends its threads when it is dropped.
    drop(runtime);
    drop(service);
    accepted
}

/// Sends the reports of crashes to the log, and waits for its last line on drop, after a panic of the server as well.
struct Written(log::End);

impl Written {
    fn from(log: &Log, end: log::End) -> Self {
        let log = log.clone();
        crash::print_with(Some(Box::new(move |line| log.add(line))));
        Self(end)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // The printer holds the last copy of the log.
        crash::print_with(None);
        self.0.wait();
    }
}

async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    limits: Limits,
    log: Log,
    stop: impl Fn() -> bool,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    // A client may close its side with its request; `Presence` sees one that leaves.
    http.half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME.min(limits.patience))
        .max_headers(FIELDS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(HEAD_BYTES);
    while !stop() {
        let next = async {
            let permit = connections.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let Ok((permit, accepted)) = tokio::time::timeout(LOOK, next).await else {
            continue;
        };
        let accepted = match accepted {
            Ok((stream, _)) => Presence::of(stream),
            Err(error) => Err(error),
        };
        let (stream, presence) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Such as too many open files: some will be closed.
                log.add(format!("cannot accept a connection ({error})"));
                tokio::time::sleep(LOOK).await;
                continue;
            }
        };
        let (service, of_requests) = (service.clone(), log.clone());
        let presence = Arc::new(presence);
        let answers = service_fn(move |request| {
            let (service, presence, log) = (service.clone(), presence.clone(), of_requests.clone());
            async move { respond::respond(&service, &presence, &log, request).await }
        });
        let io = TokioIo::new(Timed::new(stream, limits.patience));
        let connection = graceful.watch(http.serve_connection(io, answers));
        let log = log.clone();
        tokio::spawn(async move {
            if let Err(error) = connection.await
                && (error.is_parse() || error.is_parse_too_large())
            {
                log.add(format!("- - - 400 a malformed request: {error}"));
            }
            drop(permit);
        });
    }
    drop(listener);
    let working = || service.engine.is_working();
    if !finish(graceful.shutdown(), working, GRACE).await {
        log.add("flowseg: some clients have not read their answers".to_owned());
    }
    Ok(())
}

/// Waits until all connections are closed, but no longer than `grace` once nothing works any more; returns whether they
/// are closed.
async fn finish(
    closed: impl Future<Output = ()>,
    works: impl Fn() -> bool,
    grace: Duration,
) -> bool {
    let mut closed = pin!(closed);
    let mut since = Instant::now();
    while tokio::time::timeout(LOOK, closed.as_mut()).await.is_err() {
        if works() {
            since = Instant::now();
        } else if since.elapsed() >= grace {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_end_waits_for_photos_and_not_for_clients_that_do_not_read() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let looks = Cell::new(0);
        let works = || looks.replace(looks.get() + 1) < 3;
        assert!(!runtime.block_on(finish(std::future::pending(), works, Duration::ZERO)));
        assert_eq!(looks.get(), 4);
        // Where all are closed, nothing is waited for.
        let hour = Duration::from_secs(3600);
        assert!(runtime.block_on(finish(std::future::ready(()), || true, hour)));
    }
}
