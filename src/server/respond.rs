//! Requests and their responses.

use super::access::{Access, Refusal};
use super::engine::{Engine, Failure, PHOTO, Photo};
use super::limits::Limits;
use super::log::Log;
use super::order::Order;
use super::page::{Page, PageFile};
use super::presence::Presence;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What all requests share.
pub struct Service {
    pub engine: Engine,
    /// The page of the viewer, if it is served.
    pub page: Option<Page>,
    pub access: Access,
    pub limits: Limits,
}

type Answer = Response<Full<Bytes>>;

/// What a TGA is called where photos are [`PHOTO`]: it has no signature, so that only its ending or its
/// media type tells it.
const TGA: &str = "photo.tga";
/// Media types of TGA.
const TGA_TYPES: [&str; 4] = ["image/x-tga", "image/x-targa", "image/tga", "image/targa"];

/// Seconds after which a client may ask again.
const RETRY: HeaderValue = HeaderValue::from_static("1");

/// Why a request gets no mask.
struct Problem {
    status: StatusCode,
    message: String,
    /// A header field that the status asks for.
    field: Option<(header::HeaderName, HeaderValue)>,
    /// Whether the message belongs into the log: it is a fault of the server.
    is_logged: bool,
}

impl Problem {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            field: None,
            is_logged: false,
        }
    }

    fn with(self, name: header::HeaderName, value: HeaderValue) -> Self {
        Self {
            field: Some((name, value)),
            ..self
        }
    }

    fn response(self) -> Answer {
        let line = self.message.replace('\n', " ");
        let mut response = of_json(self.status, &json!({ "error": line }));
        if let Some((name, value)) = self.field {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

fn response(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // Answers are for whoever asked.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn of_json(status: StatusCode, value: &Value) -> Answer {
    response(status, "application/json", format!("{value}\n"))
}

/// The client of a connection left, which ends it.
#[derive(Debug, thiserror::Error)]
#[error("the client left")]
pub(super) struct Left;

/// Answers a request and logs it.
///
/// # Errors
/// If the client leaves before it has an answer.
pub(super) async fn respond(
    service: &Service,
    presence: &Presence,
    log: &Log,
    request: Request<Incoming>,
) -> Result<Answer, Left> {
    let mut line = Line {
        log,
        start: Instant::now(),
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        size: 0,
        status: None,
    };
    let (head, mut body) = request.into_parts();
    let answer = match route(service, presence, &head, &mut body, &mut line).await {
        Ok(answer) => answer.ok_or(Left)?,
        Err(problem) => {
            if problem.is_logged {
                log.add(format!("flowseg: {}", problem.message.replace('\n', " ")));
            }
            // One that waits to be told to send its body is not told so by reading it.
            if line.size > 0 || !waits_to_send(&head) {
                discard(&mut body).await;
            }
            problem.response()
        }
    };
    line.status = Some(answer.status());
    Ok(answer)
}

/// Whether a client sends its body only when it is told to.
fn waits_to_send(head: &Parts) -> bool {
    let expected = head.headers.get(header::EXPECT);
    expected.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Reads what is left of a body, within limits: a client that is still sending when the connection is
/// closed may lose the answer.
async fn discard(body: &mut Incoming) {
    const BYTES: usize = 64 << 20;
    const TIME: Duration = Duration::from_secs(2);
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > BYTES {
                break;
            }
        }
    };
    // What is late is not waited for.
    let _ = tokio::time::timeout(TIME, read).await;
}

/// The line of a request in the log, written when it is dropped: also where the client left before
/// there was a status.
struct Line<'a> {
    log: &'a Log,
    start: Instant,
    method: Method,
    path: String,
    /// Bytes of the body.
    size: usize,
    status: Option<StatusCode>,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let status = self.status.map(|status| status.as_u16().to_string());
        self.log.add(format!(
            "{} {} {} {} {} ms",
            self.method,
            self.path,
            self.size,
            status.as_deref().unwrap_or("left"),
            self.start.elapsed().as_millis()
        ));
    }
}

/// The response, `None` if the client leaves before it is there, or what is wrong. `line` gets the bytes of
/// the request's body.
async fn route(
    service: &Service,
    presence: &Presence,
    head: &Parts,
    body: &mut Incoming,
    line: &mut Line<'_>,
) -> Result<Option<Answer>, Problem> {
    // The body of an answer to HEAD is left out when it is written.
    let reads = head.method == Method::GET || head.method == Method::HEAD;
    let page = service.page.as_ref().filter(|_| reads);
    if let Some(file) = page.and_then(|page| page.file(head.uri.path())) {
        return Ok(Some(of_page(file, head)));
    }
    let allowed = match head.uri.path() {
        "/health" => Method::GET,
        "/models" => Method::GET,
        "/segment" => Method::POST,
        _ => {
            let message = "no such path: use GET /health, GET /models or POST /segment";
            return Err(Problem::new(StatusCode::NOT_FOUND, message));
        }
    };
    if head.method != allowed && !(reads && allowed == Method::GET) {
        let message = format!("{} takes {allowed}", head.uri.path());
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, message);
        let value = HeaderValue::from_static(if allowed == Method::GET {
            "GET, HEAD"
        } else {
            "POST"
        });
        return Err(problem.with(header::ALLOW, value));
    }
    if head.uri.path() == "/health" {
        let [busy, places] = service.engine.load();
        let (code, status) = if service.engine.is_failing() {
            (StatusCode::SERVICE_UNAVAILABLE, "failing")
        } else {
            (StatusCode::OK, "ok")
        };
        let health = json!({ "status": status, "photos": busy, "places": places });
        return Ok(Some(of_json(code, &health)));
    }
    check_access(service, head)?;
    match head.uri.path() {
        "/models" => {
            let models = service.engine.models().await.map_err(of_failure)?;
            Ok(Some(of_json(StatusCode::OK, &models)))
        }
        _ => segment(service, presence, head, body, line).await,
    }
}

/// A file of the page. Everyone may keep it, but has to ask whether it is still the same.
fn of_page(file: &PageFile, head: &Parts) -> Answer {
    let known = head.headers.get(header::IF_NONE_MATCH);
    let mut answer = if known.is_some_and(|tags| file.is_among(tags.as_bytes())) {
        response(StatusCode::NOT_MODIFIED, file.media_type, Bytes::new())
    } else {
        response(StatusCode::OK, file.media_type, file.bytes.clone())
    };
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&file.tag) {
        headers.insert(header::ETAG, tag);
    }
    answer
}

fn check_access(service: &Service, head: &Parts) -> Result<(), Problem> {
    let field = |name| head.headers.get(name).map(HeaderValue::as_bytes);
    let checked = service.access.check(
        field(header::AUTHORIZATION),
        field(header::HOST),
        field(header::ORIGIN),
    );
    checked.map_err(|refusal| match refusal {
        Refusal::Token => {
            let message = "send the server's token, as Authorization: Bearer TOKEN";
            Problem::new(StatusCode::UNAUTHORIZED, message)
                .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
        }
        Refusal::Host => {
            let message =
                "a server without a token only answers requests to localhost and 127.0.0.1";
            Problem::new(StatusCode::FORBIDDEN, message)
        }
        Refusal::Page => {
            let message = "a server without a token does not answer web pages of other servers";
            Problem::new(StatusCode::FORBIDDEN, message)
        }
    })
}

/// The mask of a photo; `None` if the client leaves before it is there.
async fn segment(
    service: &Service,
    presence: &Presence,
    head: &Parts,
    body: &mut Incoming,
    line: &mut Line<'_>,
) -> Result<Option<Answer>, Problem> {
    let bad = |message: String| Problem::new(StatusCode::BAD_REQUEST, message);
    let order = Order::read(head.uri.query().unwrap_or_default()).map_err(bad)?;
    if is_form(head) {
        let message = "a form is not read: send the file of the photo itself as the body, with curl by \
                       --data-binary @photo.jpg instead of -F";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    if is_encoded(head) {
        let message = "a body with Content-Encoding is not read: send the file of the photo itself, without \
                       compression and without that field";
        let identity = HeaderValue::from_static("identity");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
            .with(header::ACCEPT_ENCODING, identity));
    }
    let most = service.limits.body_bytes;
    if body.size_hint().lower() > most as u64 {
        return Err(too_large(most));
    }
    // Before the body is read: bodies that wait are what takes memory.
    let Some(place) = service.engine.place() else {
        let message = "too many photos are being processed: try again later";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, message);
        return Err(problem.with(header::RETRY_AFTER, RETRY));
    };
    let patience = service.limits.patience;
    let received = tokio::time::timeout(patience, receive(body, most, &mut line.size)).await;
    let photo = received.unwrap_or_else(|_| {
        let message = format!("the photo did not arrive within {} s", patience.as_secs());
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, message))
    })?;
    if photo.is_empty() {
        return Err(bad(
            "the body is empty: it has to be the file of a photo".into()
        ));
    }
    let answer = order.answer;
    let photo = Photo {
        name: if is_tga(head) { TGA } else { PHOTO },
        bytes: photo,
    };
    let computing = service
        .engine
        .segment(order, photo, place, line.log.clone());
    let Some(computed) = presence.unless_left(computing).await else {
        return Ok(None);
    };
    let bytes = computed.map_err(of_failure)?;
    Ok(Some(response(StatusCode::OK, answer.media_type(), bytes)))
}

/// Whether the body is sent as a TGA.
fn is_tga(head: &Parts) -> bool {
    TGA_TYPES.iter().any(|known| is_sent_as(head, known))
}

/// Whether the body has several parts, as `curl -F` and forms of pages send a file.
fn is_form(head: &Parts) -> bool {
    let kind = media_type(head).and_then(|sent| sent.split('/').next());
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("multipart"))
}

/// Whether the body has this media type, whatever its parameters.
fn is_sent_as(head: &Parts, known: &str) -> bool {
    media_type(head).is_some_and(|sent| sent.eq_ignore_ascii_case(known))
}

/// The media type of the body, without its parameters.
fn media_type(head: &Parts) -> Option<&str> {
    let sent = head.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    sent.split(';').next().map(str::trim)
}

/// Whether the body is compressed or otherwise encoded.
fn is_encoded(head: &Parts) -> bool {
    let encodings = head.headers.get_all(header::CONTENT_ENCODING).iter();
    let mut names = encodings.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    names.any(|name| {
        let name = name.trim_ascii();
        !name.is_empty() && !name.eq_ignore_ascii_case(b"identity")
    })
}

/// Reads a body of at most so many bytes, and counts them.
async fn receive(body: &mut Incoming, most: usize, size: &mut usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // The connection was closed, or a chunk is malformed.
        let frame = frame.map_err(|_| {
            let message = "the photo did not arrive whole: send it again";
            Problem::new(StatusCode::BAD_REQUEST, message)
        })?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        *size += data.len();
        if *size > most {
            return Err(too_large(most));
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

fn too_large(most: usize) -> Problem {
    let message = format!(
        "the photo is larger than {:.1} MiB: send a smaller one, or start the server with a larger --max-body",
        most as f64 / f64::from(1 << 20)
    );
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn of_failure(failure: Failure) -> Problem {
    let message = failure.to_string();
    match failure {
        Failure::Request(_) => Problem::new(StatusCode::BAD_REQUEST, message),
        // The client learns what failed, and the log as well.
        Failure::Left | Failure::Server(_) => Problem {
            is_logged: true,
            ..Problem::new(StatusCode::INTERNAL_SERVER_ERROR, message)
        },
    }
}
