//! `flowseg serve --http`: what it holds, keeps and lists, and requests of unusual kinds.
#![cfg(target_os = "linux")]

use crate::common;
use crate::server::{Server, read_answer};

use common::photo;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A model file of the repository.
fn model(name: &str) -> PathBuf {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models");
    models.join(format!("{name}.safetensors"))
}

/// A model file without the classes of its card.
fn without_classes(bytes: &[u8]) -> Vec<u8> {
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    let (header, tensors) = rest.split_at(length);
    let mut header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let mut found = false;
    for text in header["__metadata__"].as_object_mut().unwrap().values_mut() {
        let card = serde_json::from_str(text.as_str().unwrap());
        let Ok(serde_json::Value::Object(mut card)) = card else {
            continue;
        };
        if card.contains_key("classes") {
            card.insert("classes".into(), serde_json::json!([]));
            card.insert("order".into(), serde_json::json!([]));
            *text = serde_json::to_string(&card).unwrap().into();
            found = true;
        }
    }
    assert!(found);
    let header = header.to_string();
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), tensors].concat()
}

#[test]
fn installed_models_are_listed_once_and_read_again_when_they_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(photo(folder.path(), "a.png")).unwrap();
    let models = folder.path().join("flowseg/models");
    fs::create_dir_all(&models).unwrap();
    let mine = models.join("mine.safetensors");
    fs::copy(model("cells"), &mine).unwrap();
    // The built-in one of this name counts.
    fs::copy(model("scenes"), models.join("cells.safetensors")).unwrap();
    let start = without_classes(&fs::read(model("scenes")).unwrap());
    fs::write(models.join("start.safetensors"), start).unwrap();
    let environment = [("XDG_DATA_HOME", folder.path()), ("HOME", folder.path())];
    let server = Server::start_on("cpu", None, &[], &environment);
    let listed = server.request("GET /models", "", b"").json();
    let names = listed.as_array().unwrap().iter();
    let names: Vec<&str> = names.map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["scenes", "street", "fashion", "cells", "mine"]);
    let classes = || {
        let line = "POST /segment?format=json&steps=1&model=mine";
        let answer = server.request(line, "", &bytes);
        assert_eq!(answer.status, 200, "{}", answer.head);
        answer.json()["shares"].as_object().unwrap().len()
    };
    assert_eq!((classes(), classes()), (2, 2));
    let other = models.join("other");
    fs::copy(model("scenes"), &other).unwrap();
    fs::rename(other, &mine).unwrap();
    assert!(classes() > 2);
}

#[test]
fn an_answer_keeps_its_place_until_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    // Far more than a connection holds by itself.
    let large = folder.path().join("large.png");
    image::GrayImage::new(4000, 3000).save(&large).unwrap();
    let large = fs::read(large).unwrap();
    let small = fs::read(photo(folder.path(), "a.png")).unwrap();
    let server = Server::start(None, &["--queue", "1", "--timeout", "600"]);
    let (host, length) = (server.address, large.len());
    let mut slow = server.connect();
    let head = format!(
        "POST /segment?steps=1&format=npy HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    slow.write_all(&[head.as_bytes(), &large].concat()).unwrap();
    let mut start = [0; 12];
    slow.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    let photos = || server.request("GET /health", "", b"").json()["photos"].clone();
    assert_eq!(photos(), 1);
    let refused = server.request("POST /segment?steps=1", "", &small);
    assert_eq!(refused.status, 503, "{}", refused.head);
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > 4000 * 3000);
    assert_eq!(photos(), 0);
    let answer = server.request("POST /segment?steps=1", "", &small);
    assert_eq!(answer.status, 200, "{}", answer.head);
}

#[test]
fn files_are_answered_wherever_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(photo(folder.path(), "a.png")).unwrap();
    // What is called as photos are in answers.
    fs::write(folder.path().join("photo"), "").unwrap();
    let temporary = folder.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let environment = [("TMPDIR", temporary.as_path())];
    let server = Server::start_in(folder.path(), "cpu", None, &[], &environment);
    let ask = |format: &str| {
        let line = format!("POST /segment?steps=1&format={format}");
        let answer = server.request(&line, "", &bytes);
        assert_eq!(answer.status, 200, "{format}: {}", answer.head);
        answer
    };
    assert_eq!(ask("labelme").json()["imagePath"], "photo");
    // As the system does with what lies there for long.
    fs::remove_dir_all(&temporary).unwrap();
    fs::create_dir(&temporary).unwrap();
    let mask = image::load_from_memory(&ask("png").body).unwrap();
    assert_eq!((mask.width(), mask.height()), (60, 40));
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn a_tga_is_told_by_its_media_type() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(photo(folder.path(), "a.tga")).unwrap();
    let server = Server::start(None, &[]);
    let ask = |fields| server.request("POST /segment?steps=1", fields, &bytes);
    assert_eq!(ask("").status, 400);
    // As curl -F sends a file.
    let form = ask("Content-Type: multipart/form-data; boundary=x\r\n");
    assert_eq!(form.status, 415, "{}", form.head);
    assert!(form.error().contains("--data-binary"));
    let mixed = ask("content-type: Multipart/Mixed; boundary=x\r\n");
    assert_eq!(mixed.status, 415, "{}", mixed.head);
    let answer = ask("Content-Type: image/x-tga\r\n");
    assert_eq!(answer.status, 200, "{}", answer.head);
}

#[test]
fn a_refused_client_is_not_told_to_send_its_photo() {
    let server = Server::start(Some("sesame"), &["--max-body", "1"]);
    let host = server.address;
    let head = |fields: &str| {
        format!(
            "POST /segment HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nConnection: close\r\n{fields}\r\n"
        )
    };
    let start = Instant::now();
    let token = "Authorization: Bearer sesame\r\n";
    for (fields, status) in [
        ("Content-Length: 100\r\n".to_owned(), 401),
        (format!("{token}Content-Length: 2000000\r\n"), 413),
    ] {
        let answer = server.send(head(&fields).as_bytes());
        assert_eq!(answer.status, status, "{}", answer.head);
        assert!(!answer.error().is_empty());
    }
    assert!(start.elapsed() < Duration::from_secs(60));
    // One that is not refused is told.
    let mut stream = server.connect();
    let fields = format!("{token}Content-Length: 8\r\n");
    stream.write_all(head(&fields).as_bytes()).unwrap();
    let mut start = [0; 25];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"no photo").unwrap();
    assert_eq!(read_answer(stream).status, 400);
}

#[test]
fn heads_and_kept_files_are_answered_without_a_body() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path();
    fs::write(page.join("index.html"), "<title>page</title>").unwrap();
    let server = Server::start(None, &["--web", page.to_str().unwrap()]);
    for path in ["/", "/index.html", "/health", "/models"] {
        let whole = server.request(&format!("GET {path}"), "", b"");
        let head = server.request(&format!("HEAD {path}"), "", b"");
        assert_eq!((whole.status, head.status), (200, 200), "{path}");
        assert!(head.body.is_empty(), "{path}");
        let length = format!("content-length: {}", whole.body.len());
        assert!(head.head.contains(&length), "{path}: {}", head.head);
    }
    assert_eq!(server.request("HEAD /segment", "", b"").status, 405);
    assert_eq!(server.request("HEAD /nothing", "", b"").status, 404);
    let whole = server.request("GET /", "", b"");
    assert!(whole.head.contains("cache-control: no-cache"));
    let tags = whole
        .head
        .lines()
        .find_map(|line| line.strip_prefix("etag: "));
    let ask = |tag: &str| server.request("GET /", &format!("If-None-Match: {tag}\r\n"), b"");
    let same = ask(tags.unwrap());
    assert_eq!((same.status, same.body.len()), (304, 0));
    assert!(same.head.contains("etag: "));
    assert_eq!(ask("\"other\"").status, 200);
}

/// Requests as clients other than browsers and curl send them.
#[test]
fn half_closed_and_encoded_requests_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(photo(folder.path(), "a.png")).unwrap();
    let server = Server::start(None, &[]);
    // The client says that nothing follows, and waits.
    let mut stream = server.connect();
    let length = bytes.len();
    let head = format!(
        "POST /segment?steps=20 HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream
        .write_all(&[head.as_bytes(), &bytes].concat())
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = read_answer(stream);
    assert_eq!(answer.status, 200, "{}", answer.head);
    let ask = |fields| server.request("POST /segment?steps=1", fields, &bytes);
    let packed = ask("Content-Encoding: gzip\r\n");
    assert_eq!(packed.status, 415, "{}", packed.head);
    assert!(packed.head.contains("accept-encoding: identity"));
    assert!(packed.error().contains("Content-Encoding"));
    assert_eq!(ask("Content-Encoding: identity\r\n").status, 200);
    // The body in chunks.
    let head = "POST /segment?steps=1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\
                Connection: close\r\n\r\n";
    let chunk = format!("{length:X}\r\n");
    let request = [head.as_bytes(), chunk.as_bytes(), &bytes, b"\r\n0\r\n\r\n"].concat();
    assert_eq!(server.send(&request).status, 200);
}

/// A pipe holds 64 KiB, and each line of the log more than 4 KiB here.
#[test]
fn a_server_whose_log_nobody_reads_answers_and_ends() {
    let server = Server::start(None, &[]);
    let path = format!("/{}", "x".repeat(4096));
    for _ in 0..40 {
        assert_eq!(server.request(&format!("GET {path}"), "", b"").status, 404);
    }
    assert_eq!(server.request("GET /health", "", b"").status, 200);
    assert_eq!(server.end_unread(), Some(0));
}
