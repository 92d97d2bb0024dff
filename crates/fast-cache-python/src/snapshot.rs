//! What of a request is remembered until its answer has come: the application may write into the scope meanwhile.

use crate::application::Cached;
use crate::scope::{Rest, Target};
use fast_cache_core::fields::Line;
use fast_cache_core::key::search::Searched;
use fast_cache_core::key::{Identity, Secret};
use fast_cache_core::request::{Method, Request};

/// The parts of a request that say what it is about.
#[derive(Debug)]
pub(crate) struct Snapshot {
    identity: Identity,
    method: String,
    scheme: Vec<u8>,
    path: String,
    raw_path: Option<Vec<u8>>,
    root_path: String,
    query: Vec<u8>,
    /// Its keys are the cache's own, so that a response which answers several queries is found by them.
    pub(crate) searches: bool,
}

impl Snapshot {
    /// Of a request for a route in HTTP mode; others need none.
    pub(crate) fn of(
        cached: &Cached,
        target: &Target<'_>,
        rest: &Rest<'_>,
        root_path: &str,
    ) -> Option<Box<Self>> {
        if !cached.policy.is_http() {
            return None;
        }
        let request = rest.request(target, root_path, &[])?;
        let identity = *cached.identity(request.method.name())?;
        Some(Box::new(Self {
            identity,
            method: request.method.name().to_owned(),
            scheme: request.scheme.to_vec(),
            path: request.path.to_owned(),
            raw_path: request.raw_path.map(<[u8]>::to_vec),
            root_path: root_path.to_owned(),
            query: request.query.to_vec(),
            searches: true,
        }))
    }

    /// The request, with its header lines.
    pub(crate) fn request<'a>(&'a self, lines: &'a [Line<'a>]) -> Request<'a> {
        Request {
            method: Method::from_name(&self.method),
            scheme: &self.scheme,
            path: &self.path,
            raw_path: self.raw_path.as_deref(),
            root_path: &self.root_path,
            query: &self.query,
            lines,
        }
    }

    /// What the keys of `request`, which is the one remembered here, are made of.
    pub(crate) fn searched<'a>(
        &'a self,
        cached: &'a Cached,
        secret: &'a Secret,
        request: &'a Request<'a>,
    ) -> Searched<'a> {
        Searched {
            identity: &self.identity,
            inputs: &cached.inputs,
            secret,
            request,
            host: host_of(request.lines),
        }
    }
}

/// The value of the last `Host`, as keys take it.
pub(crate) fn host_of<'a>(lines: &[Line<'a>]) -> Option<&'a [u8]> {
    let host = lines.iter().rev().find(|line| line.is("host"));
    host.map(|line| line.value)
}
