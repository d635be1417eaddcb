//! A terminal in this process: it has a size, understands what is drawn, and keeps every picture that a person could have seen.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use indicatif::{ProgressDrawTarget, TermLike};
use vmmove::output::progress;

#[derive(Clone)]
pub struct Screen(Arc<Mutex<Drawn>>);

struct Drawn {
    parser: vt100::Parser,
    pictures: Vec<String>,
}

impl Screen {
    pub fn new(columns: u16, rows: u16) -> Self {
        Self(Arc::new(Mutex::new(Drawn { parser: vt100::Parser::new(rows, columns, 0), pictures: Vec::new() })))
    }

    /// What the tool takes it for.
    pub fn target(&self) -> progress::Screen {
        let screen = self.clone();
        Arc::new(move || ProgressDrawTarget::term_like(Box::new(screen.clone())))
    }

    /// The pictures, one after the other. How long something takes is counted on the wall, not in the cluster's time: it is left out.
    pub fn pictures(&self) -> Vec<String> {
        let elapsed = regex::Regex::new(r"(?m) +\d+s$").unwrap();
        let drawn = self.0.lock().unwrap();
        let shown = drawn.pictures.iter().filter(|picture| !picture.is_empty());
        let mut pictures: Vec<String> = shown.map(|picture| elapsed.replace_all(picture, " ..s").into_owned()).collect();
        pictures.dedup();
        pictures
    }

    fn add(&self, text: &str) {
        self.0.lock().unwrap().parser.process(text.as_bytes());
    }
}

impl Screen {
    /// The sequence that moves the cursor; of nothing it would be one place.
    fn moves(&self, places: usize, letter: char) {
        if places > 0 {
            self.add(&format!("\u{1b}[{places}{letter}"));
        }
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Screen")
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.0.lock().unwrap().parser.screen().size().1
    }

    fn height(&self) -> u16 {
        self.0.lock().unwrap().parser.screen().size().0
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.moves(lines, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.moves(lines, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.moves(columns, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.moves(columns, 'D');
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(&format!("{text}\r\n"));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\u{1b}[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut drawn = self.0.lock().unwrap();
        let screen = drawn.parser.screen();
        let rows: Vec<String> = screen.rows(0, screen.size().1).map(|row| row.trim_end().to_owned()).collect();
        let picture = rows.join("\n").trim_end().to_owned();
        drawn.pictures.push(picture);
        Ok(())
    }
}
