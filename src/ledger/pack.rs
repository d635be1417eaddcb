//! Bytes as a ledger keeps them: gzip, one JSON document per line, Base64 inside ConfigMaps.

use std::io::{self, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::model::journal::Entry;
use crate::model::manifest::Manifest;

/// No part of a ledger unpacks to more than this, in bytes: whoever can edit ConfigMaps cannot make a reader eat its memory.
const LARGEST: u64 = 256 << 20;

/// Packs bytes, quickly rather than tightly: each entry that is written packs what its chunk holds. Packed pieces may stand one after another.
pub(super) fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Unpacks all pieces.
pub(super) fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if !packed.is_empty() {
        MultiGzDecoder::new(packed).take(LARGEST + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it unpacks to more than 256 MiB"));
    }
    Ok(bytes)
}

/// One line of JSON per entry.
pub(super) fn lines(entries: &[Entry]) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut bytes, entry)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// Reads what [`lines`] wrote.
pub(super) fn entries(bytes: &[u8]) -> serde_json::Result<Vec<Entry>> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(serde_json::from_slice).collect()
}

/// Bytes as `binaryData` has them.
pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes under a key of `binaryData`; none when it is absent.
pub(super) fn binary(manifest: &Manifest, key: &str) -> io::Result<Vec<u8>> {
    let text = manifest.text(&format!("/binaryData/{key}")).unwrap_or_default();
    STANDARD.decode(text).map_err(io::Error::other)
}
