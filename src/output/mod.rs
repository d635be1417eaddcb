//! Values and events to text. The only floor that prints, and it does so to writers that it is handed.
//!
//! It knows what things are called and how kubectl would show them; it decides nothing and asks no cluster anything.

pub mod board;
pub mod colour;
pub mod columns;
pub mod command;
pub mod confirm;
pub mod custom_columns;
pub mod error;
pub mod escape;
pub mod events;
pub mod explain;
pub mod format;
pub mod go;
pub mod io;
pub mod json;
pub mod jsonpath;
pub mod labels;
pub mod lines;
pub mod log;
pub mod long;
pub mod name;
pub mod order;
pub mod picker;
pub mod place;
pub mod progress;
pub mod rehearsal;
pub mod review;
pub mod stream;
pub mod summary;
pub mod table;
pub mod yaml;
