//! The page around the program in a browser: messages, turns of its event loop, fetched files,
//! files that the user picks, and downloads.
//!
//! `assets/web/index.html` is the page; the elements that are used here have the ids below.

use js_sys::{Array, Promise, Uint8Array};
use std::future::Future;
use std::pin::Pin;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, BlobPropertyBag, Document, Element, File, HtmlAnchorElement, HtmlCanvasElement,
    HtmlElement, HtmlInputElement, ReadableStreamDefaultReader, Response, Url, UrlSearchParams,
    Window, console,
};

/// The canvas that the window is drawn on.
const CANVAS: &str = "flowseg";
/// What is shown until the window is there, and in its place if it cannot be.
const LOADING: &str = "loading";
/// Where errors are shown.
const MESSAGE: &str = "message";
/// The field for files.
const FILES: &str = "files";

fn window() -> Option<Window> {
    web_sys::window()
}

fn document() -> Option<Document> {
    window()?.document()
}

fn element(id: &str) -> Option<Element> {
    document()?.get_element_by_id(id)
}

/// An error of JavaScript in one line.
fn line(error: &JsValue) -> String {
    let text = error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()))
        .or_else(|| error.as_string());
    text.unwrap_or_else(|| format!("{error:?}"))
}

/// Tells an error on the page, below the window, and in the browser's console.
pub(crate) fn tell(text: &str) {
    console::error_1(&format!("flowseg: {text}").into());
    if let Some(message) = element(MESSAGE) {
        message.set_text_content(Some(text));
        let _ = message.remove_attribute("hidden");
    }
}

/// Tells in place of the window why it cannot be shown.
pub(crate) fn give_up(text: &str) {
    tell(text);
    if let Some(loading) = element(LOADING) {
        let _ = loading.set_attribute("data-failed", "");
        let _ = loading.remove_attribute("hidden");
    }
}

/// Shows the window instead of what stands there while it loads.
pub(crate) fn show_window() {
    if let Some(loading) = element(LOADING) {
        let _ = loading.set_attribute("hidden", "");
    }
    focus();
}

/// Publishes a fact about the window as an attribute of the canvas, for scripts of the page.
pub(crate) fn publish(name: &str, value: &str) {
    let name = format!("data-{name}");
    if let Some(canvas) = element(CANVAS)
        && canvas.get_attribute(&name).as_deref() != Some(value)
    {
        let _ = canvas.set_attribute(&name, value);
    }
}

pub(crate) fn canvas() -> Option<HtmlCanvasElement> {
    element(CANVAS)?.dyn_into().ok()
}

/// A parameter of the page's address.
pub(crate) fn parameter(name: &str) -> Option<String> {
    let search = window()?.location().search().ok()?;
    UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// What the browser calls itself.
pub(crate) fn browser() -> String {
    let agent = window().and_then(|window| window.navigator().user_agent().ok());
    agent.unwrap_or_else(|| "unknown browser".to_owned())
}

/// Lets the page draw and react before the rest is done.
pub(crate) async fn next_turn() {
    let promise = Promise::new(&mut |resolve, _| {
        let asked = window().map(|window| window.set_timeout_with_callback(&resolve));
        if !matches!(asked, Some(Ok(_))) {
            let _ = resolve.call0(&JsValue::NULL);
        }
    });
    let _ = JsFuture::from(promise).await;
}

/// Does work on the page's only thread as soon as the page has drawn. `finish` is called with the
/// result.
pub(crate) fn later<T: 'static>(
    work: impl FnOnce() -> T + 'static,
    finish: impl FnOnce(T) + 'static,
) {
    wasm_bindgen_futures::spawn_local(async move {
        next_turn().await;
        finish(work());
    });
}

/// Fetches a file from beside the page. `progress` is called with the bytes so far and, if the server
/// tells it, their number.
///
/// # Errors
/// One line with the address.
pub(crate) async fn fetch(
    address: &str,
    progress: impl Fn(u64, Option<u64>),
) -> Result<Vec<u8>, String> {
    let failed = |reason: String| format!("cannot fetch {address} ({reason}): reload the page");
    let told = |error: JsValue| failed(line(&error));
    let window = window().ok_or_else(|| failed("there is no window".into()))?;
    let response = JsFuture::from(window.fetch_with_str(address)).await;
    let response: Response = response.map_err(told)?.dyn_into().map_err(told)?;
    if !response.ok() {
        return Err(failed(format!(
            "the server answers {} {}",
            response.status(),
            response.status_text()
        )));
    }
    let length = response.headers().get("content-length").ok().flatten();
    let length = length.and_then(|length| length.parse().ok());
    let body = response
        .body()
        .ok_or_else(|| failed("it is empty".into()))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut bytes = Vec::new();
    loop {
        let read = JsFuture::from(reader.read()).await.map_err(told)?;
        let done = js_sys::Reflect::get(&read, &"done".into()).map_err(told)?;
        if done.is_truthy() {
            return Ok(bytes);
        }
        let value = js_sys::Reflect::get(&read, &"value".into()).map_err(told)?;
        let chunk: Uint8Array = value.dyn_into().map_err(told)?;
        let start = bytes.len();
        bytes.resize(start + chunk.length() as usize, 0);
        chunk.copy_to(&mut bytes[start..]);
        progress(bytes.len() as u64, length);
    }
}

/// Offers bytes to the user as a file.
///
/// # Errors
/// A browser that refuses; one line.
pub(crate) fn download(name: &str, bytes: &[u8]) -> Result<(), String> {
    let told = |error: JsValue| line(&error);
    let document = document().ok_or("there is no page")?;
    let parts = Array::of1(&Uint8Array::from(bytes));
    let kind = BlobPropertyBag::new();
    kind.set_type("application/octet-stream");
    let blob = Blob::new_with_u8_array_sequence_and_options(&parts, &kind).map_err(told)?;
    let address = Url::create_object_url_with_blob(&blob).map_err(told)?;
    let link = document.create_element("a").map_err(told)?;
    let link: HtmlAnchorElement = link.dyn_into().map_err(|_| "there are no links")?;
    link.set_href(&address);
    link.set_download(name);
    link.click();
    // The browser has not begun to read yet when the click returns.
    wasm_bindgen_futures::spawn_local(async move {
        for _ in 0..1000 {
            next_turn().await;
        }
        let _ = Url::revoke_object_url(&address);
    });
    Ok(())
}

/// Opens the browser's dialog for files with these endings, such as `.png`. What is chosen arrives
/// where [`on_files`] says.
pub(crate) fn ask_for_files(endings: &[String], several: bool) {
    let input = element(FILES).and_then(|input| input.dyn_into::<HtmlInputElement>().ok());
    match input {
        Some(input) => {
            input.set_accept(&endings.join(","));
            input.set_multiple(several);
            // The same file may be chosen again.
            input.set_value("");
            input.click();
        }
        None => tell("the page has no field for files: drop them into the window"),
    }
}

/// Calls `choose` whenever the user has chosen files, and what it returns with their names and contents once
/// they are read.
pub(crate) fn on_files<F>(choose: impl Fn() -> F + 'static)
where
    F: FnOnce(Vec<(String, Vec<u8>)>) + 'static,
{
    let Some(input) = element(FILES).and_then(|input| input.dyn_into::<HtmlInputElement>().ok())
    else {
        return;
    };
    let of_event = input.clone();
    let changed = Closure::<dyn Fn()>::new(move || {
        let files: Vec<File> = of_event.files().map_or_else(Vec::new, |files| {
            (0..files.length()).filter_map(|at| files.get(at)).collect()
        });
        let open = choose();
        wasm_bindgen_futures::spawn_local(async move {
            let mut read = Vec::new();
            for file in files {
                match JsFuture::from(file.array_buffer()).await {
                    Ok(buffer) => read.push((file.name(), Uint8Array::new(&buffer).to_vec())),
                    Err(error) => tell(&format!("cannot read {}: {}", file.name(), line(&error))),
                }
            }
            if !read.is_empty() {
                open(read);
            }
        });
    });
    let _ = input.add_event_listener_with_callback("change", changed.as_ref().unchecked_ref());
    // It is called as long as the page is open.
    changed.forget();
}

/// Gives the keyboard to the window.
pub(crate) fn focus() {
    if let Some(canvas) = element(CANVAS).and_then(|canvas| canvas.dyn_into::<HtmlElement>().ok()) {
        let _ = canvas.focus();
    }
}

/// A future that is polled on the page's only thread.
pub(crate) type Task<T> = Pin<Box<dyn Future<Output = T>>>;
