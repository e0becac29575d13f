//! Server-sent events, as far as the coordinator uses them: `id:`, `data:`, comments.

use crate::failure::{Failure, Kind, OrFail as _, Result};

/// Longest line of a stream. An event is a few hundred bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Splits bytes into events.
#[derive(Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
    data: String,
}

impl Parser {
    /// Takes what came and returns the data of every event that is whole by now.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                if !self.data.is_empty() {
                    events.push(std::mem::take(&mut self.data));
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
            if self.data.len() > LINE_BYTES_MAX {
                return Err(Failure::new(Kind::Internal, "an event is too long"));
            }
        }
        if self.buffer.len() > LINE_BYTES_MAX {
            return Err(Failure::new(Kind::Internal, "an event is too long"));
        }
        Ok(events)
    }
}

/// The next events of a response; `None` when the stream has ended.
pub(crate) async fn next(
    response: &mut reqwest::Response,
    parser: &mut Parser,
) -> Result<Option<Vec<String>>> {
    match response.chunk().await.or_fail(Kind::Unreachable, "events")? {
        Some(bytes) => parser.push(&bytes).map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_however_the_bytes_were_cut() {
        let stream = b": hello\n\nid: 1\ndata: {\"a\":1}\n\nid: 2\r\ndata: x\r\ndata: y\r\n\r\n";
        for size in [1, 2, 7, stream.len()] {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for piece in stream.chunks(size) {
                events.extend(parser.push(piece).unwrap());
            }
            assert_eq!(events, ["{\"a\":1}", "x\ny"], "{size}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        assert!(Parser::default().push(&[b'x'; LINE_BYTES_MAX + 1]).is_err());
    }
}
