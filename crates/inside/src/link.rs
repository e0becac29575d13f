//! Bytes from member to member over the private network.

use ionet_trust::inside::{PIECE_BYTES, pour};
use std::io::{Error, ErrorKind, Read, Result, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Longest wait for a member to connect, and for its next bytes.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Between two looks whether somebody connected.
const POLL: Duration = Duration::from_millis(2);

/// Waits for one member.
pub(crate) struct Ear {
    listener: TcpListener,
    pub(crate) port: u16,
}

impl Ear {
    /// At a free port.
    pub(crate) fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// The salted digest of `bytes` bytes from whoever says the token first.
    pub(crate) fn hear(self, token: &[u8; 32], salt: &[u8; 32], bytes: u64) -> Result<[u8; 32]> {
        let end = Instant::now() + WAIT_MAX;
        while Instant::now() < end {
            match self.listener.accept() {
                Ok((stream, _)) => match known(stream, token) {
                    Ok(stream) => return digest(stream, salt, bytes),
                    Err(_) => continue, // a stranger: the member may still come
                },
                Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::park_timeout(POLL),
                Err(e) => return Err(e),
            }
        }
        Err(ErrorKind::TimedOut.into())
    }
}

fn known(mut stream: TcpStream, token: &[u8; 32]) -> Result<TcpStream> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut said = [0; 32];
    stream.read_exact(&mut said)?;
    if said != *token {
        return Err(Error::other("a stranger"));
    }
    stream.set_read_timeout(Some(WAIT_MAX))?;
    Ok(stream)
}

fn digest(stream: TcpStream, salt: &[u8; 32], bytes: u64) -> Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new_keyed(salt);
    let (mut piece, mut come) = (vec![0u8; PIECE_BYTES], 0);
    let mut stream = stream.take(bytes);
    while come < bytes {
        let n = stream.read(&mut piece)?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&piece[..n]);
        come += n as u64;
    }
    Ok(*hasher.finalize().as_bytes())
}

/// Sends the key's stream.
pub(crate) fn send(to: SocketAddrV4, token: &[u8; 32], key: &[u8; 32], bytes: u64) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&to.into(), WAIT_MAX)?;
    stream.set_write_timeout(Some(WAIT_MAX))?;
    stream.set_nodelay(true)?;
    stream.write_all(token)?;
    pour(key, bytes, &mut stream)?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_trust::inside::digest_of;

    #[test]
    fn bytes_of_the_member_count_and_no_strangers() {
        let (token, key, salt) = ([1; 32], [2; 32], [3; 32]);
        let bytes = 3 * PIECE_BYTES as u64 + 7;
        let ear = Ear::open().unwrap();
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, ear.port);
        let heard = std::thread::spawn(move || ear.hear(&token, &salt, bytes));
        // The listener may hang up on the stranger while it still speaks.
        let _ = send(at, &[9; 32], &key, 10);
        send(at, &token, &key, bytes).unwrap();
        assert_eq!(heard.join().unwrap().unwrap(), digest_of(&key, bytes, &salt));
    }

    #[test]
    fn too_few_bytes_are_an_error() {
        let (token, key) = ([1; 32], [2; 32]);
        let ear = Ear::open().unwrap();
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, ear.port);
        let heard = std::thread::spawn(move || ear.hear(&token, &[3; 32], 100));
        send(at, &token, &key, 99).unwrap();
        assert_eq!(heard.join().unwrap().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
