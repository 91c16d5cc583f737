//! `flowseg serve`: lends this machine's device to another machine.

use crate::device::{self, Choice};
use crate::terminal::out;
use anyhow::{Context, bail};
use burn::server::{RemoteServer, TokenAuthorizer, WebSocketTransport};
use std::net::{IpAddr, Ipv4Addr, TcpListener};

/// Let another machine compute on a device of this one
///
/// The other machine uses it with `--device remote:ws://HOST:PORT`. The connection is not encrypted:
/// use it on a network that you trust, or through an SSH tunnel. Several devices are numbered from 0,
/// as in remote:ws://HOST:PORT#1.
#[derive(clap::Args)]
pub struct Arguments {
    /// What to serve: auto, cpu, wgpu:N, cuda:N; several, separated by commas, if all are of one kind
    #[arg(
        long = "device",
        value_name = "DEVICE,...",
        default_value = "auto",
        value_delimiter = ','
    )]
    devices: Vec<Choice>,
    /// Address to listen on; other than loopback it needs FLOWSEG_TOKEN in the environment, here and at
    /// the client
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on; 0 chooses a free one
    #[arg(long, value_name = "N", default_value_t = 7878)]
    port: u16,
}

/// Runs the command until Ctrl-C or SIGTERM.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let token = device::token();
    if token.is_none() && !arguments.host.is_loopback() {
        bail!(
            "anyone who can reach {} could compute here: set {} to a secret, or leave --host out",
            arguments.host,
            device::TOKEN
        );
    }
    let address = (arguments.host, arguments.port);
    let listener = TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {}:{}", arguments.host, arguments.port))?;
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
