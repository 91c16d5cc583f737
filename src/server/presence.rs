//! Whether the client of a connection still waits for its answer.

use std::io::{self, ErrorKind};
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How often the connection is looked at while an answer is computed. A client that closes its side by the
/// first look did so with its request.
const LOOK: Duration = Duration::from_millis(200);

/// The client's side of a connection whose request has arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Open,
    /// Nothing more will be sent. The client may still wait for the answer, or be gone: the network
    /// does not tell.
    Closed,
    /// The connection broke.
    Lost,
}

/// A second handle of a connection, which is only looked at.
pub(super) struct Presence(std::net::TcpStream);

impl Presence {
    /// A connection, and the second handle of it.
    ///
    /// # Errors
    /// A system that has no handle left.
    pub(super) fn of(stream: TcpStream) -> io::Result<(TcpStream, Self)> {
        let stream = stream.into_std()?;
        let other = stream.try_clone()?;
        Ok((TcpStream::from_std(stream)?, Self(other)))
    }

    fn side(&self) -> Side {
        match self.0.peek(&mut [0]) {
            Ok(0) => Side::Closed,
            Ok(_) => Side::Open,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Side::Open
            }
            Err(_) => Side::Lost,
        }
    }

    /// The result of `work`; `None` if the client leaves before. One that closes its side right after its
    /// request, as `nc -N` does, only says that nothing follows; one that closes it later is taken to leave,
    /// so that nothing is computed for nobody.
    pub(super) async fn unless_left<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut first = None;
        loop {
            if let Ok(done) = timeout(LOOK, work.as_mut()).await {
                return Some(done);
            }
            let now = self.side();
            let at_first = *first.get_or_insert(now);
            if now == Side::Lost || now == Side::Closed && at_first == Side::Open {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Shutdown, TcpListener};

    /// What becomes of work of ten looks if the client closes its side after so many milliseconds.
    fn result(closes_after: u64) -> Option<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, _) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            let stream = TcpStream::from_std(stream).unwrap();
            let (_stream, presence) = Presence::of(stream).unwrap();
            let closing = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(closes_after)).await;
                client.shutdown(Shutdown::Write).unwrap();
                client
            });
            let result = presence.unless_left(tokio::time::sleep(10 * LOOK)).await;
            drop(closing.await.unwrap());
            result
        })
    }

    #[test]
    fn a_client_that_closes_its_side_with_its_request_waits_and_one_that_does_later_leaves() {
        assert_eq!(result(0), Some(()));
        assert_eq!(result(600), None);
    }
}
