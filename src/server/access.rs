//! Who may ask.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Who may ask. The token itself is not kept, so that nothing can print it.
#[derive(Clone)]
pub struct Access(Option<[u8; 32]>);

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No token, or another.
    Token,
    /// A name of the server that no program of this machine would use.
    Host,
    /// A web page of another server.
    Page,
}

impl Access {
    /// Whoever brings the token; without one, programs of this machine.
    pub fn new(token: Option<&str>) -> Self {
        Self(token.map(digest))
    }

    /// Checks the header fields `Authorization`, `Host` and `Origin` of a request.
    pub(super) fn check(
        &self,
        authorization: Option<&[u8]>,
        host: Option<&[u8]>,
        origin: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let Some(token) = &self.0 else {
            // A web page whose name was made to lead to this machine sends its own name.
            if !host.is_none_or(is_local) {
                return Err(Refusal::Host);
            }
            // Browsers let any page send photos here, although it can't read the answer.
            let own = |origin: &[u8]| host.is_some() && origin.strip_prefix(b"http://") == host;
            return if origin.is_none_or(own) {
                Ok(())
            } else {
                Err(Refusal::Page)
            };
        };
        let given = authorization.and_then(bearer).unwrap_or_default();
        // Digests of one length, compared in constant time: the time tells nothing of the token.
        if digest(given).ct_eq(token).into() {
            Ok(())
        } else {
            Err(Refusal::Token)
        }
    }
}

fn digest(token: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The token of `Bearer TOKEN`.
fn bearer(field: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = field.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then_some(token.trim_ascii())
}

/// Whether a `Host` names this machine as it names itself.
fn is_local(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address: Option<std::net::IpAddr> = name.parse().ok();
    name.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_to_be_the_whole_token() {
        let access = Access::new(Some("a secret"));
        let with = |field: &str| access.check(Some(field.as_bytes()), Some(b"example.org"), None);
        assert_eq!(with("Bearer a secret"), Ok(()));
        assert_eq!(with("bearer  a secret "), Ok(()));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer a secre",
            "Bearer a secret2",
            "Basic a secret",
            "a secret",
        ] {
            assert_eq!(with(wrong), Err(Refusal::Token), "{wrong:?}");
        }
        assert_eq!(access.check(None, None, None), Err(Refusal::Token));
    }

    #[test]
    fn without_a_token_only_local_names_are_answered() {
        let access = Access::new(None);
        let at = |host: &str| access.check(None, Some(host.as_bytes()), None);
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:7879",
            "127.9.9.9",
            "[::1]:80",
        ] {
            assert_eq!(at(host), Ok(()), "{host}");
        }
        for host in [
            "example.org",
            "localhost.example.org:80",
            "10.0.0.1",
            "[::2]",
            "",
            "127.1",
        ] {
            assert_eq!(at(host), Err(Refusal::Host), "{host}");
        }
        assert_eq!(access.check(None, None, None), Ok(()));
    }

    #[test]
    fn pages_of_other_servers_are_refused_without_a_token() {
        let host = Some(b"127.0.0.1:7879".as_slice());
        let from = |origin: &str| Access::new(None).check(None, host, Some(origin.as_bytes()));
        assert_eq!(from("http://127.0.0.1:7879"), Ok(()));
        for other in [
            "https://example.org",
            "http://127.0.0.1:8000",
            "https://127.0.0.1:7879",
            "null",
            "",
        ] {
            assert_eq!(from(other), Err(Refusal::Page), "{other}");
        }
        let access = Access::new(Some("a secret"));
        let with_token = access.check(Some(b"Bearer a secret"), host, Some(b"https://example.org"));
        assert_eq!(with_token, Ok(()));
    }
}
