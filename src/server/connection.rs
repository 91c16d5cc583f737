//! Connections that end when their client does not read, or hardly does.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Bytes that a client has to take within its patience, unless fewer are left.
const PIECE: usize = 1 << 20;

/// A stream whose writes fail once the other side has taken less than [`PIECE`] for so long.
pub(super) struct Timed<S> {
    stream: S,
    patience: Duration,
    /// Runs from the first write that waits.
    end: Pin<Box<Sleep>>,
    runs: bool,
    /// Bytes taken since then.
    taken: usize,
}

impl<S> Timed<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            end: Box::pin(tokio::time::sleep(patience)),
            runs: false,
            taken: 0,
        }
    }

    /// What became of a write of these bytes.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.taken = self.taken.saturating_add(bytes);
            self.runs &= self.taken < PIECE;
        }
        self.in_time(context, written)
    }

    /// What became of a flush or an end, which leave nothing to take.
    fn done(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        self.runs &= done.is_pending();
        self.in_time(context, done)
    }

    fn in_time<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            return done;
        }
        if !self.runs {
            self.end.as_mut().reset(Instant::now() + self.patience);
            (self.runs, self.taken) = (true, 0);
        }
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    // Without these two, answers are copied before they are sent.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.done(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(context);
        self.done(context, closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    const PAUSE: Duration = Duration::from_millis(10);

    /// Takes so many bytes after every pause.
    struct Slow {
        bytes: usize,
        pause: Pin<Box<Sleep>>,
    }

    impl AsyncWrite for Slow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            if self.pause.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.pause.as_mut().reset(Instant::now() + PAUSE);
            Poll::Ready(Ok(self.bytes.min(bytes.len())))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Writes so many bytes to a client that takes some after every pause, with a patience of twenty
    /// pauses.
    fn sent(mut bytes: usize, at_once: usize) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        runtime.block_on(async {
            let slow = Slow {
                bytes: at_once,
                pause: Box::pin(tokio::time::sleep(PAUSE)),
            };
            let mut stream = Timed::new(slow, 20 * PAUSE);
            let piece = vec![0; PIECE];
            while bytes > 0 {
                let left = &piece[..bytes.min(PIECE)];
                bytes -= poll_fn(|context| Pin::new(&mut stream).poll_write(context, left)).await?;
            }
            Ok(())
        })
    }

    #[test]
    fn a_client_has_to_read_at_a_pace() {
        // For longer than the patience, but a piece after each pause.
        sent(40 * PIECE, PIECE).unwrap();
        // Something after each pause, but too little.
        let error = sent(10_000, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
