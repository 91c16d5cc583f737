//! `flowseg serve`: masks over HTTP, or this machine's device lent to another machine.

use super::arguments::{ModelArgument, PrecisionArgument, solver_steps, whole};
use super::interrupt::Stop;
use crate::device::{self, Choice};
use crate::server::{self, Access, Engine, Limits, Page, Service};
use crate::terminal::out;
use anyhow::{Context, bail};
#[cfg(feature = "remote")]
use burn::server::{RemoteServer, TokenAuthorizer, WebSocketTransport};
#[cfg(feature = "remote")]
use std::net::Ipv4Addr;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// Arguments that are of masks only. An argument that another one excludes counts as no missing one, so that what
/// requires --http has to exclude what excludes it.
#[cfg(feature = "remote")]
const OF_MASKS: [&str; 8] = [
    "http",
    "model",
    "precision",
    "web",
    "steps",
    "queue",
    "max_body",
    "timeout",
];

/// Segment photos that are sent over HTTP
///
/// POST the file of a photo to /segment (a TGA with Content-Type: image/x-tga); ?model=NAME, steps=N
/// and format=F choose the model, the solver steps and the format. The answer is the mask as `flowseg
/// segment` writes it (format=index or png, the default), a file of another format (palette, overlay,
/// contour, colours, probability, labelme, yolo or npy) or the shares of the classes (format=json).
/// GET /models lists the models. GET /health answers 200, or 503 while the model cannot compute. Ctrl-C
/// ends the server once all photos are answered, or 10 seconds after the last one is computed, whatever
/// clients have not read.
///
/// Example: curl --data-binary @photo.jpg 'http://127.0.0.1:7879/segment?format=overlay' -o overlay.png
///
/// Without --http, in a build with remote devices, it lends this machine's device to another machine,
/// which uses it with `--device remote:ws://HOST:PORT`. Several devices are numbered from 0, as in
/// remote:ws://HOST:PORT#1.
///
/// Either way the connection is not encrypted: use a network that you trust, or an SSH tunnel.
#[derive(clap::Args)]
#[command(
    mut_arg("model", |model| model.requires("http")),
    mut_arg("precision", |precision| precision.requires("http"))
)]
pub(super) struct Arguments {
    /// Serve masks at this address and port, by default 127.0.0.1:7879; port 0 takes a free one. An
    /// address other than loopback requires FLOWSEG_TOKEN in the environment, which clients have to
    /// send as Authorization: Bearer TOKEN
    #[arg(
        long,
        value_name = "ADDRESS",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:7879",
        value_parser = address,
        required = !cfg!(feature = "remote")
    )]
    http: Option<SocketAddr>,
    #[command(flatten)]
    model: ModelArgument,
    #[command(flatten)]
    precision: PrecisionArgument,
    /// Also show the viewer's page at this address: the folder that .ci/web has built, as it is when the
    /// server starts
    #[arg(long, value_name = "DIR", requires = "http")]
    web: Option<PathBuf>,
    /// Solver steps of requests that name none, 1 to 1000; by default what the model recommends
    #[arg(long, requires = "http", value_parser = solver_steps())]
    steps: Option<u64>,
    /// Photos that are received, waiting, being computed or answered at a time; additional ones are refused
    /// with 503
    #[arg(long, requires = "http", value_name = "PHOTOS", default_value_t = 16, value_parser = whole(1..=1024))]
    queue: u64,
    /// The largest photo file in MiB; larger ones are refused with 413
    #[arg(long, requires = "http", value_name = "MIB", default_value_t = 32, value_parser = whole(1..=1024))]
    max_body: u64,
    /// Seconds in which a client has to send a photo, and to read its mask, or each MiB of a larger one
    #[arg(long, requires = "http", value_name = "SECONDS", default_value_t = 30, value_parser = whole(1..=3600))]
    timeout: u64,
    /// auto, cpu, wgpu:N, cuda:N; without --http several, with commas between, if all are of one
    /// kind
    #[arg(
        long = "device",
        value_name = "DEVICE,...",
        default_value = "auto",
        value_delimiter = ','
    )]
    devices: Vec<Choice>,
    /// Without --http: address to listen on; one other than loopback requires FLOWSEG_TOKEN in the
    /// environment, here and at the client
    #[cfg(feature = "remote")]
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), conflicts_with_all = OF_MASKS)]
    host: IpAddr,
    /// Without --http: port to listen on; 0 takes a free one
    #[cfg(feature = "remote")]
    #[arg(
        long,
        value_name = "N",
        default_value_t = 7878,
        conflicts_with_all = OF_MASKS
    )]
    port: u16,
}

/// An address and a port; `localhost` is 127.0.0.1. Other names are not looked up.
fn address(text: &str) -> Result<SocketAddr, String> {
    let numbers = match text.rsplit_once(':') {
        Some((host, port)) if host.eq_ignore_ascii_case("localhost") => {
            format!("127.0.0.1:{port}")
        }
        _ => text.to_owned(),
    };
    let form = "write an address in numbers and a port, such as 127.0.0.1:7879";
    numbers.parse().map_err(|_| form.to_owned())
}

/// Runs the command until Ctrl-C or SIGTERM.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match arguments.http {
        Some(address) => masks(arguments, address),
        #[cfg(feature = "remote")]
        None => devices(arguments),
        #[cfg(not(feature = "remote"))]
        None => bail!("give an address for masks: --http 127.0.0.1:7879"),
    }
}

/// The token, without which only this machine may ask.
fn token(address: IpAddr, instead: &str) -> anyhow::Result<Option<String>> {
    let token = device::token()?;
    if token.is_none() && !address.is_loopback() {
        bail!(
            "anyone who can reach {address} could compute here: set {} to a secret, or {instead}",
            device::TOKEN
        );
    }
    Ok(token)
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| {
        format!(
            "cannot listen on {address}: choose another address or port, or stop the program that uses it"
        )
    })
}

/// Serves masks.
fn masks(arguments: &Arguments, address: SocketAddr) -> anyhow::Result<()> {
    let token = token(address.ip(), "serve at 127.0.0.1")?;
    let [choice] = &arguments.devices[..] else {
        bail!("--http computes on one device: choose one with --device");
    };
    let page = arguments.web.as_deref().map(Page::open).transpose()?;
    let stop = Stop::listen_until("the photos already received")?;
    let listener = listen(address)?;
    let device = super::arguments::open(choice)?.device;
    let steps = arguments.steps.map(|steps| steps as usize);
    let name = arguments.model.model.clone();
    let precision = arguments.precision.on(&device)?;
    let engine = Engine::start(name, device, precision, steps, arguments.queue as usize)?;
    let limits = Limits {
        body_bytes: (arguments.max_body as usize) << 20,
        patience: std::time::Duration::from_secs(arguments.timeout),
    };
    let service = Service {
        engine,
        page,
        access: Access::new(token.as_deref()),
        limits,
    };
    out!("serving at http://{}", listener.local_addr()?);
    server::serve(listener, service, || stop.asked()).context("the server stopped")
}

/// Serves devices.
#[cfg(feature = "remote")]
fn devices(arguments: &Arguments) -> anyhow::Result<()> {
    let token = token(arguments.host, "leave --host out")?;
    let listener = listen(SocketAddr::new(arguments.host, arguments.port))?;
    let devices = arguments.devices.iter();
    let devices = devices.map(|choice| Ok(super::arguments::open(choice)?.device));
    let mut server = RemoteServer::new(devices.collect::<anyhow::Result<Vec<_>>>()?);
    if let Some(token) = token {
        server = server.with_authorizer(TokenAuthorizer::new(token)?);
    }
    out!("serving at ws://{}", listener.local_addr()?);
    server
        .serve(WebSocketTransport::from_listener(listener))
        .context("the server stopped")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_numbers_or_localhost() {
        let known = |text: &str| address(text).map(|address| address.to_string());
        assert_eq!(known("localhost:7879").as_deref(), Ok("127.0.0.1:7879"));
        assert_eq!(known("[::1]:0").as_deref(), Ok("[::1]:0"));
        for text in ["localhost", "localhost:x", "example.org:80", "127.0.0.1"] {
            assert!(
                known(text).is_err_and(|error| error.contains("127.0.0.1:7879")),
                "{text}"
            );
        }
    }
}
