//! Signals that ask a run to stop: SIGINT, SIGTERM and SIGHUP; on Windows Ctrl-C.

use std::io;

/// The number of SIGINT, which counts twice: again means at once.
pub const INTERRUPT: u8 = 2;

/// Listens from its making on; until then a signal ends the process as usual.
#[cfg(unix)]
pub struct Signals(Vec<(u8, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    /// # Errors
    /// The system refuses.
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [(1, SignalKind::hangup()), (INTERRUPT, SignalKind::interrupt()), (15, SignalKind::terminate())];
        kinds.into_iter().map(|(number, kind)| Ok((number, signal(kind)?))).collect::<io::Result<_>>().map(Self)
    }

    /// The number of the next signal.
    pub async fn next(&mut self) -> u8 {
        let waits = self.0.iter_mut().map(|(number, signal)| {
            let number = *number;
            Box::pin(async move {
                if signal.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
                number
            })
        });
        futures::future::select_all(waits).await.0
    }
}

/// Listens from its making on.
#[cfg(not(unix))]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// # Errors
    /// The system refuses.
    pub fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// The number of the next signal.
    pub async fn next(&mut self) -> u8 {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        INTERRUPT
    }
}
