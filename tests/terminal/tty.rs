//! A real terminal: a pseudo-terminal with a screen, on which the built binary runs, or another program.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Tty {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    printed: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// All that was ever printed, escape sequences too.
    pub all: String,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

impl Tty {
    /// Starts the binary on a terminal of so many columns and rows (its screen is kept at a size at which something can be read), with these environment variables besides `TERM`.
    pub fn start(line: &str, columns: u16, rows: u16, environment: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_kubectl-vmmove"));
        command.args(line.split_whitespace());
        command.env_remove("NO_COLOR");
        command.env("TERM", "xterm-256color");
        for (name, value) in environment {
            command.env(name, value);
        }
        Self::of(command, columns, rows)
    }

    /// Starts a program on a terminal of so many columns and rows.
    pub fn of(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, printed) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // On Linux reading ends with an error when the last writer has gone.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { master: pair.master, keys, child, printed, screen: vt100::Parser::new(rows.max(8), columns.max(20), 1000), all: String::new() }
    }

    /// What is on the screen now.
    pub fn screen(&self) -> String {
        self.screen.screen().contents()
    }

    /// Whether the cursor is to be seen.
    pub fn has_cursor(&self) -> bool {
        !self.screen.screen().hide_cursor()
    }

    /// Waits until the screen is so.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        while !is_so(&self.screen()) {
            assert!(self.read(), "waited in vain for {what}; the screen shows:\n{}", self.screen());
        }
    }

    /// Waits until a text stands on the screen.
    pub fn shows(&mut self, text: &str) {
        self.until(text, |screen| screen.contains(text));
    }

    pub fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Sends a signal to the program.
    pub fn hears(&self, signal: Signal) {
        let pid = self.child.process_id().and_then(|pid| i32::try_from(pid).ok()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.master.resize(size(columns, rows)).unwrap();
        self.screen.screen_mut().set_size(rows, columns);
    }

    /// Waits for the end and gives the exit code.
    pub fn ends(&mut self) -> u32 {
        while self.read() {}
        self.child.wait().unwrap().exit_code()
    }

    /// Takes in what is printed next; false when nothing comes any more.
    fn read(&mut self) -> bool {
        match self.printed.recv_timeout(PATIENCE) {
            Ok(bytes) => {
                self.screen.process(&bytes);
                self.all.push_str(&String::from_utf8_lossy(&bytes));
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("nothing is printed any more; the screen shows:\n{}", self.screen()),
        }
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        drop(self.child.kill());
    }
}
