//! `flowseg serve --http`, asked over real sockets.
#![cfg(unix)]

use crate::common;

use common::{fails, flowseg, photo};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server of the small built-in model on the CPU, which ends with it.
pub(crate) struct Server {
    child: Child,
    pub address: SocketAddr,
}

/// What came back.
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        assert!(self.head.contains("application/json"), "{}", self.head);
        let text = std::str::from_utf8(&self.body).unwrap();
        assert_eq!(text.trim_end().lines().count(), 1, "{text}");
        serde_json::from_str(text).unwrap()
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

impl Server {
    pub(crate) fn start(token: Option<&str>, more: &[&str]) -> Self {
        Self::start_on("cpu", token, more, &[])
    }

    /// With these variables.
    pub(crate) fn start_on(
        device: &str,
        token: Option<&str>,
        more: &[&str],
        environment: &[(&str, &Path)],
    ) -> Self {
        Self::start_in(Path::new("."), device, token, more, environment)
    }

    /// In this folder.
    pub(crate) fn start_in(
        folder: &Path,
        device: &str,
        token: Option<&str>,
        more: &[&str],
        environment: &[(&str, &Path)],
    ) -> Self {
        // The tests themselves may run where Ctrl-C is ignored.
        let mut command = Command::new("env");
        command.arg("--default-signal").arg(flowseg().get_program());
        command.args(["serve", "--http", "127.0.0.1:0", "--device", device]);
        command.args(["--model", "scenes"]).args(more);
        command.current_dir(folder);
        command.envs(environment.iter().copied());
        match token {
            Some(token) => command.env("FLOWSEG_TOKEN", token),
            None => command.env_remove("FLOWSEG_TOKEN"),
        };
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("serving at http://").unwrap();
        Self {
            address: address.parse().unwrap(),
            child,
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        let patience = Some(Duration::from_secs(120));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    /// Sends bytes and reads until the server closes or the answer is whole.
    pub(crate) fn send(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        read_answer(stream)
    }

    pub(crate) fn request(&self, line: &str, fields: &str, body: &[u8]) -> Answer {
        let address = self.address;
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n{fields}\r\n"
        );
        self.send(&[head.as_bytes(), body].concat())
    }

    /// Asks for the end, and waits for it: the exit status and the log.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        self.signal();
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }

    /// Asks for the end without reading the log, and waits for it: the exit status, if it comes.
    pub(crate) fn end_unread(mut self) -> Option<i32> {
        self.signal();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    fn signal(&self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        // SAFETY: a signal to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn read_answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head: head.to_ascii_lowercase(),
        body: bytes.split_off(end + 4),
    }
}

#[test]
fn masks_are_those_of_segment() {
    let folder = tempfile::tempdir().unwrap();
    let photo = photo(folder.path(), "a.png");
    let out = folder.path().join("out");
    let formats = [
        "index",
        "palette",
        "overlay",
        "contour",
        "colours",
        "probability",
        "yolo",
        "npy",
    ];
    // Files of `segment` say what they were made with.
    let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap();
    for steps in ["1", "3"] {
        flowseg()
            .args([
                "segment", "--device", "cpu", "--model", "scenes", "--steps", steps,
            ])
            .args(["--format", &formats.join(","), "-o"])
            .arg(&out)
            .arg(&photo)
            .assert()
            .success();
        let server = Server::start(None, &[]);
        let bytes = fs::read(&photo).unwrap();
        let files = [
            "png",
            "palette.png",
            "overlay.png",
            "contour.png",
            "colours.png",
            "probability.png",
            "txt",
            "npy",
        ];
        for (format, file) in formats.iter().zip(files) {
            let line = format!("POST /segment?format={format}&steps={steps}");
            let answer = server.request(&line, "", &bytes);
            assert_eq!(answer.status, 200, "{format}: {}", answer.head);
            let expected = fs::read(out.join(format!("a.{file}"))).unwrap();
            let same = if file.ends_with("png") {
                pixels(&answer.body) == pixels(&expected)
            } else {
                answer.body == expected
            };
            assert!(same, "{format} differs");
        }
        if steps == "3" {
            // What the model recommends, and the mask where no format is named.
            let answer = server.request("POST /segment", "", &bytes);
            let expected = fs::read(out.join("a.png")).unwrap();
            assert!(pixels(&answer.body) == pixels(&expected));
            assert!(answer.head.contains("content-type: image/png"));
        }
    }
}

#[test]
fn json_has_the_shares_and_the_models_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(photo(folder.path(), "a.png")).unwrap();
    let server = Server::start(None, &[]);
    let answer = server.request("POST /segment?format=json&model=cells", "", &bytes);
    assert_eq!(answer.status, 200, "{}", answer.head);
    let json = answer.json();
    assert_eq!((&json["width"], &json["height"]), (&60.into(), &40.into()));
    let shares = json["shares"].as_object().unwrap();
    let pixels: Vec<f64> = shares
        .values()
        .map(|share| share.as_f64().unwrap() * 2400.0)
        .collect();
    let sum: f64 = pixels.iter().sum();
    assert!(shares.len() == 2 && (sum - 2400.0).abs() < 1e-9, "{json}");
    // In double precision: every share is that of whole pixels.
    let whole = |pixels: &f64| (pixels - pixels.round()).abs() < 1e-9;
    assert!(pixels.iter().all(whole), "{json}");
    let models = server.request("GET /models", "", b"").json();
    let names: Vec<&str> = models
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[..4], ["scenes", "street", "fashion", "cells"]);
    assert_eq!(models[0]["default"], true);
    assert_eq!(
        server.request("GET /health", "", b"").json()["status"],
        "ok"
    );
}

#[test]
fn bad_requests_are_answered_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(photo(folder.path(), "a.png")).unwrap();
    let server = Server::start(None, &["--max-body", "1", "--timeout", "1"]);
    let cut = &bytes[..bytes.len() / 2];
    let cases: [(&str, &[u8], u16, &str); 11] = [
        ("POST /segment", b"", 400, "empty"),
        ("POST /segment", b"no photo", 400, "photo"),
        ("POST /segment", cut, 400, "photo"),
        ("POST /segment?steps=0", &bytes, 400, "1 to 1000"),
        ("POST /segment?format=coco", &bytes, 400, "overlay"),
        ("POST /segment?size=3", &bytes, 400, "size"),
        ("POST /segment?model=/etc/passwd", &bytes, 400, "/models"),
        ("GET /segment", b"", 405, "POST"),
        ("POST /models", b"", 405, "GET"),
        ("GET /", b"", 404, "no such path"),
        ("POST /segment/", &bytes, 404, "/segment"),
    ];
    for (line, body, status, word) in cases {
        let answer = server.request(line, "", body);
        assert_eq!(answer.status, status, "{line}: {}", answer.head);
        assert!(answer.error().contains(word), "{line}: {}", answer.error());
    }
    // What is no HTTP, a name of another machine, and a head without end.
    assert_eq!(server.send(b"no request at all\r\n\r\n").status, 400);
    let rebound =
        server.send(b"GET /models HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n");
    assert_eq!(rebound.status, 403);
    // Its answer may be lost with what the server did not read any more.
    let field = format!("X-Long: {}\r\n\r\n", "a".repeat(40_000));
    let mut stream = server.connect();
    let _ = stream.write_all(format!("GET /models HTTP/1.1\r\n{field}").as_bytes());
    let mut start = [0; 12];
    if stream.read_exact(&mut start).is_ok() {
        assert_eq!(&start, b"HTTP/1.1 431");
    }
    // A body that says that it is too long, and one that does not.
    let host = server.address;
    let head = format!("POST /segment HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    let said = format!("{head}Content-Length: 1048577\r\n\r\n");
    let answer = server.send(said.as_bytes());
    assert_eq!(
        (answer.status, answer.error().contains("1.0 MiB")),
        (413, true)
    );
    assert!(answer.error().contains("--max-body"));
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n110000\r\n").into_bytes();
    chunked.resize(chunked.len() + 0x10_0001, b'x');
    assert_eq!(server.send(&chunked).status, 413);
    // A client that sends half a photo and no more.
    let start = Instant::now();
    let slow = format!("{head}Content-Length: 100\r\n\r\nhalf");
    let answer = server.send(slow.as_bytes());
    assert_eq!(answer.status, 408, "{}", answer.head);
    assert!(start.elapsed() < Duration::from_secs(30));
    // One that closes its side after half a photo, and one whose chunk has no length.
    let mut stream = server.connect();
    stream.write_all(slow.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let malformed = format!("{head}Transfer-Encoding: chunked\r\n\r\nhalf\r\n");
    for answer in [read_answer(stream), server.send(malformed.as_bytes())] {
        assert_eq!(answer.status, 400, "{}", answer.head);
        assert!(answer.error().contains("send it again"));
    }
    // One that sends half a head and no more.
    let start = Instant::now();
    let mut stream = server.connect();
    stream.write_all(b"GET /health HTT").unwrap();
    let mut nothing = Vec::new();
    let _ = stream.read_to_end(&mut nothing);
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(!nothing.starts_with(b"HTTP/1.1 200"));
    // After all of this it still works, and has logged a line for each.
    assert_eq!(
        server.request("POST /segment?steps=1", "", &bytes).status,
        200
    );
    let (status, log) = server.end();
    assert_eq!(status, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    for part in [
        format!("POST /segment {} 200 ", bytes.len()),
        "POST /segment 0 413 ".to_owned(),
        "GET /segment 0 405 ".to_owned(),
        "POST /segment 4 408 ".to_owned(),
        "a malformed request".to_owned(),
    ] {
        assert!(log.contains(&part), "no {part:?} in {log}");
    }
}

#[test]
fn a_token_is_asked_for_and_never_logged() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(photo(folder.path(), "a.png")).unwrap();
    let server = Server::start(Some("open-sesame"), &[]);
    let ask = |fields: &str| server.request("POST /segment?steps=1&format=json", fields, &bytes);
    for fields in [
        "",
        "Authorization: Bearer open-sesam\r\n",
        "Authorization: Basic open-sesame\r\n",
    ] {
        let answer = ask(fields);
        assert_eq!(answer.status, 401, "{fields}");
        assert!(
            answer.head.contains("www-authenticate: bearer"),
            "{}",
            answer.head
        );
        assert!(answer.error().contains("token"));
    }
    assert_eq!(ask("Authorization: Bearer open-sesame\r\n").status, 200);
    assert_eq!(server.request("GET /models", "", b"").status, 401);
    assert_eq!(server.request("GET /health", "", b"").status, 200);
    let (_, log) = server.end();
    assert!(!log.contains("sesam"), "{log}");
    // Another address than this machine's own takes one, and a free port.
    let serve = |address: &str| {
        let mut command = flowseg();
        command
            .env_remove("FLOWSEG_TOKEN")
            .args(["serve", "--http", address]);
        command
    };
    fails(&mut serve("0.0.0.0:0"), &["FLOWSEG_TOKEN", "127.0.0.1"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    fails(
        &mut serve(&taken.local_addr().unwrap().to_string()),
        &["cannot listen"],
    );
    serve("not an address").assert().failure().code(2);
    // One that is set by mistake to nothing does not open the server.
    fails(
        serve("127.0.0.1:0").env("FLOWSEG_TOKEN", " "),
        &["FLOWSEG_TOKEN", "unset"],
    );
}

#[test]
fn many_clients_are_answered_or_sent_away() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(photo(folder.path(), "a.png")).unwrap();
    let server = Server::start(None, &["--queue", "4"]);
    let expected = server.request("POST /segment?steps=2", "", &bytes).body;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..12)
            .map(|_| {
                scope.spawn(|| {
                    let answer = server.request("POST /segment?steps=2", "", &bytes);
                    if answer.status == 200 {
                        assert!(answer.body == expected);
                    } else {
                        assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
                        assert!(answer.error().contains("too many photos"));
                    }
                    answer.status
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    assert!(
        statuses.iter().all(|status| [200, 503].contains(status)),
        "{statuses:?}"
    );
    assert!(
        statuses.iter().filter(|status| **status == 200).count() >= 4,
        "{statuses:?}"
    );
}

#[test]
fn a_full_queue_sends_away_and_ctrl_c_finishes_what_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(photo(folder.path(), "a.png")).unwrap();
    let server = Server::start(None, &["--queue", "1"]);
    let taken = |places: usize| {
        let start = Instant::now();
        while server.request("GET /health", "", b"").json()["photos"] != places {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "there are never {places} photos"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    // A client that leaves makes room.
    let head = |steps: usize| {
        let (host, length) = (server.address, bytes.len());
        format!(
            "POST /segment?steps={steps} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )
    };
    let mut leaving = server.connect();
    leaving.write_all(head(1000).as_bytes()).unwrap();
    leaving.write_all(&bytes).unwrap();
    taken(1);
    let answer = server.request("POST /segment", "", &bytes);
    assert_eq!(answer.status, 503, "{}", answer.head);
    assert!(answer.head.contains("retry-after: 1"));
    // One that closes its connection with its request may still wait for the answer.
    std::thread::sleep(Duration::from_millis(1000));
    drop(leaving);
    let start = Instant::now();
    while server.request("POST /segment?steps=1", "", &bytes).status != 200 {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the place stays taken"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    // Whoever has an answer finds its place free.
    for _ in 0..8 {
        let answer = server.request("POST /segment?steps=1", "", &bytes);
        assert_eq!(answer.status, 200, "{}", answer.head);
    }
    taken(0);
    // Ctrl-C lets the photo that is being computed come to its end.
    let mut last = server.connect();
    last.write_all(head(60).as_bytes()).unwrap();
    last.write_all(&bytes).unwrap();
    taken(1);
    server.signal();
    let answer = read_answer(last);
    assert_eq!(answer.status, 200, "{}", answer.head);
    let mask = image::load_from_memory(&answer.body).unwrap();
    assert_eq!((mask.width(), mask.height()), (60, 40));
    let mut server = server;
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect(server.address).is_err());
}

/// A computation that breaks off costs its own answer only, but whoever watches the server learns that
/// it is of no use any more.
#[test]
fn a_server_on_a_lost_device_says_that_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(photo(folder.path(), "a.png")).unwrap();
    let lose = folder.path().join("lose");
    let environment = [
        ("FLOWSEG_LOSE_DEVICE", lose.as_path()),
        // The crash's log.
        ("XDG_STATE_HOME", folder.path()),
        // Nobody reads the server's own log before the end, and a full pipe would block it.
        ("RUST_BACKTRACE", Path::new("0")),
    ];
    let server = Server::start_on("wgpu", None, &[], &environment);
    assert_eq!(server.request("GET /health", "", b"").status, 200);
    fs::write(&lose, "").unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let answer = server.request("POST /segment?steps=1", "", &bytes);
    assert_eq!(answer.status, 500);
    // What is no photo says nothing of the device.
    let answer = server.request("POST /segment?steps=1", "", b"no photo");
    assert_eq!(answer.status, 400);
    let health = server.request("GET /health", "", b"");
    assert_eq!(
        (health.status, &health.json()["status"]),
        (503, &"failing".into())
    );
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("flowseg: the device failed ("), "{log}");
}

/// The page's files, and no others, are there for everyone who can reach the server.
#[test]
fn the_page_is_served_beside_the_masks() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page");
    fs::create_dir_all(page.join("models")).unwrap();
    fs::write(folder.path().join("secret.txt"), "secret").unwrap();
    fs::write(page.join("index.html"), "<title>page</title>").unwrap();
    fs::write(page.join("flowseg.wasm"), b"\0asm").unwrap();
    fs::write(page.join("models/a.safetensors"), [7; 5]).unwrap();
    let server = Server::start(Some("sesame"), &["--web", page.to_str().unwrap()]);
    for (path, media_type, body) in [
        ("/", "text/html", &b"<title>page</title>"[..]),
        ("/index.html", "text/html", b"<title>page</title>"),
        ("/flowseg.wasm", "application/wasm", b"\0asm"),
        ("/models/a.safetensors", "application/octet-stream", &[7; 5]),
    ] {
        let answer = server.request(&format!("GET {path}"), "", b"");
        assert_eq!((answer.status, &answer.body[..]), (200, body), "{path}");
        assert!(answer.head.contains(media_type), "{path}: {}", answer.head);
    }
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/models",
        "/models/",
        "//",
    ] {
        let answer = server.request(&format!("GET {path}"), "", b"");
        assert!(
            matches!(answer.status, 401 | 404),
            "{path}: {}",
            answer.status
        );
    }
    assert_eq!(server.request("POST /", "", b"").status, 404);
    let empty = folder.path().display().to_string();
    fails(
        flowseg().args([
            "serve",
            "--http",
            "127.0.0.1:0",
            "--device",
            "cpu",
            "--web",
            &empty,
        ]),
        &["index.html"],
    );
}
