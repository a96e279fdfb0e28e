//! Standard output for commands. Whoever reads it may leave early (`| head`): that is no failure, and it is told apart
//! from the broken connections that a command may meet elsewhere.

use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

/// Standard output, buffered. Whoever writes flushes at the end.
pub struct Stdout(BufWriter<StdoutLock<'static>>);

impl Stdout {
    pub fn lock() -> Self {
        Self(BufWriter::with_capacity(64 * 1024, io::stdout().lock()))
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(name_closed_pipe)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).map_err(name_closed_pipe)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(name_closed_pipe)
    }
}

impl fmt::Debug for Stdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stdout")
    }
}

/// Nobody reads our output any more.
#[derive(Clone, Copy, Debug)]
pub struct ClosedPipe;

impl fmt::Display for ClosedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl std::error::Error for ClosedPipe {}

fn name_closed_pipe(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, ClosedPipe),
        _ => error,
    }
}

/// Whether this is what became of a command whose reader left.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<ClosedPipe>))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_told_apart_from_a_broken_connection() {
        let named = name_closed_pipe(io::ErrorKind::BrokenPipe.into());
        assert!(is_closed_pipe(&anyhow::Error::new(named).context("write the events")));
        assert!(!is_closed_pipe(&anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe))));
        assert!(!is_closed_pipe(&anyhow::anyhow!("something else")));
    }
}
