//! Segmentation over HTTP: photos that are POSTed come back as masks.
//!
//! | request | answer |
//! |---|---|
//! | `POST /segment?model=&steps=&format=`, the body a photo | a mask as `flowseg segment` writes it, or JSON |
//! | `GET /` and files below it | the page of the viewer (`.ci/web`), if it is served |
//! | `GET /models` | the models that can be named, as JSON |
//! | `GET /health` | `{"status":"ok",..}` as soon as the default model is loaded; 503 and `"failing"` after a computation that broke off, as all do on a lost device, until one succeeds |
//!
//! Errors are one line of JSON, `{"error":".."}`. On loopback everybody of this machine may ask; with
//! a token every request but `/health` and the page's files has to bring it as `Authorization: Bearer TOKEN`.
//!
//! Everything that a client can make the server hold is bounded: connections, the head of a request,
//! the bytes of its body, the photos that wait or are computed, and the time in which a client has
//! to send and to read.

mod access;
mod connection;
mod engine;
mod limits;
mod order;
mod page;
mod respond;

pub use access::Access;
pub use engine::{Engine, EngineError};
pub use limits::Limits;
pub use page::{Page, PageError};
pub use respond::Service;

use crate::terminal::err;
use connection::Timed;
// hyper parses HTTP, bounds heads and shuts down gracefully; it and tokio are what the feature
// `remote` brings as well. tiny_http, the smaller choice, has no time limits and had no release since
// 2022; axum would add a router for three paths.
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
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

/// Answers requests until `stop` says so, and then finishes those that have begun.
///
/// # Errors
/// A system that refuses.
pub fn serve(listener: TcpListener, service: Service, stop: impl Fn() -> bool) -> io::Result<()> {
    let limits = service.limits;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let service = Arc::new(service);
    runtime.block_on(accept(listener, service.clone(), limits, stop))?;
    // Nobody asks any more: the engine's threads end.
    drop(runtime);
    if let Some(service) = Arc::into_inner(service) {
        service.engine.join();
    }
    Ok(())
}

async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    limits: Limits,
    stop: impl Fn() -> bool,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
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
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Such as too many open files: some will be closed.
                err!("cannot accept a connection ({error})");
                tokio::time::sleep(LOOK).await;
                continue;
            }
        };
        let service = service.clone();
        let answers = service_fn(move |request| {
            let service = service.clone();
            async move { respond::respond(&service, request).await }
        });
        let io = TokioIo::new(Timed::new(stream, limits.patience));
        let connection = graceful.watch(http.serve_connection(io, answers));
        tokio::spawn(async move {
            if let Err(error) = connection.await
                && (error.is_parse() || error.is_parse_too_large())
            {
                err!("- - - 400 a malformed request: {error}");
            }
            drop(permit);
        });
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}
