//! A host that plays exchanges: a request at a time, though the application may take long to answer.

use super::account::{Account, Drop, How};
use super::told;
use super::wire::{Origin, Wire};
use crate::choices::Pair;
use crate::fields::lines;
use fast_cache_core::exchange::{Client, Decision, Fetch, Head, Judged, Serve, begin};
use fast_cache_core::fields::Line;
use fast_cache_core::key::inputs::Inputs;
use fast_cache_core::key::search::Searched;
use fast_cache_core::key::{Identity, Key, Secret, Selecting, build_key};
use fast_cache_core::policy::Policy;
use fast_cache_core::purge::Purge;
use fast_cache_core::reason::Reason;
use fast_cache_core::request::{Method, Request};
use fast_cache_core::rules::invalidation::{Target, is_unsafe};
use fast_cache_core::rules::request::Noted;
use fast_cache_core::rules::validation::Agreement;
use fast_cache_core::stored::Stored;
use fast_cache_core::time::Timestamp;
use fast_cache_engine::clock::Clock;
use fast_cache_engine::drops::invalidation;
use fast_cache_engine::find::{find, find_by_search};
use fast_cache_engine::held::{forget, is_current};
use fast_cache_store::{Entry, LocalStore, MemoryStore};
use std::sync::Arc;

/// A stored answer, and the account of how it came to be.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) lines: Vec<Pair>,
    pub(crate) body: Vec<u8>,
    pub(crate) account: Account,
}

/// The host.
pub(crate) struct Host {
    pub(crate) store: MemoryStore<Kept>,
    pub(crate) clock: Clock,
    pub(crate) policy: Policy,
    pub(crate) inputs: Inputs,
    pub(crate) secret: Secret,
    pub(crate) identity: Identity,
    /// What was dropped, and when in the order of events.
    pub(crate) drops: Vec<Drop>,
    /// How many events there were.
    pub(crate) events: usize,
}

/// A request that is with the application.
pub(crate) struct Pending {
    pub(super) wire: Wire,
    pub(super) born: usize,
    pub(super) requested: Timestamp,
    errand: Option<Errand>,
}

/// What the cache wants of the answer.
struct Errand {
    fetch: Fetch,
    key: Key,
    held: Option<Arc<Entry<Kept>>>,
}

impl Pending {
    /// Whether the application was asked to confirm what is stored.
    pub(crate) fn may_be_confirmed(&self) -> bool {
        let errand = self.errand.as_ref();
        errand.is_some_and(|errand| errand.fetch.validates())
    }
}

impl Host {
    /// Takes a request: what is left to ask the application.
    pub(crate) fn ask(&mut self, wire: Wire) -> Option<Pending> {
        self.events += 1;
        let requested = self.clock.now();
        let born = self.events;
        let pending = |wire: Wire, errand| {
            Some(Pending {
                wire,
                born,
                requested,
                errand,
            })
        };
        let method = Method::from_name(wire.method);
        if !matches!(method, Method::Get | Method::Head) {
            return pending(wire, None);
        }
        let all = lines(&wire.lines);
        let request = wire.request(&all);
        let noted = Noted::from_lines(&all);
        let asks = told::Told::by(&wire.lines);
        let listens = self.policy.client_directives;
        let Ok(lookup) = begin(request.method, request.lines, &noted, &self.policy, |_| {
            None
        }) else {
            drop(all);
            return pending(wire, None);
        };
        assert!(!(listens && asks.says("no-store")), "{wire:?}");
        let mut buffer = Vec::new();
        let key = build_key(
            &self.identity,
            &self.inputs,
            &self.secret,
            &request,
            noted.host,
            &mut buffer,
        )
        .to_owned();
        let (mut found, mut absent) = (None, Reason::Absent);
        if lookup.wants_stored() {
            let selecting = self.selecting(&all);
            let finding = find(&self.store, key.borrow(), &self.secret, selecting);
            (found, absent) = (finding.found, finding.absent);
            if found.is_none() && self.policy.is_http() {
                found = self.searched(&request, noted.host, |searched| {
                    find_by_search(&self.store, searched, selecting)
                });
            }
        }
        let stored = found
            .as_ref()
            .map(|found| (found.entry.response().expect("a response"), found.soft));
        let decision = lookup.decide(stored, absent, requested);
        let held = found.as_ref().map(|found| Arc::clone(&found.entry));
        let forward = match decision {
            Decision::Serve(serve) => {
                let (stored, soft) = stored.expect("what is served was found");
                self.check(&wire, stored, &serve, How::Found { soft });
                serve.refresh?
            }
            Decision::Forward(forward) => {
                assert!(!(listens && asks.says("only-if-cached")), "{wire:?}");
                forward
            }
            Decision::Unsatisfied => {
                assert!(
                    listens && (asks.unclear || asks.says("only-if-cached")),
                    "{wire:?}"
                );
                return None;
            }
        };
        let errand = Errand {
            fetch: forward.fetch(self.store.birth(), 0),
            key,
            held: held.filter(|_| forward.wants_stored()),
        };
        assert!(!forward.validates || errand.held.is_some());
        drop(all);
        pending(wire, Some(errand))
    }

    /// Takes the application's answer.
    pub(crate) fn answer(&mut self, pending: &Pending, origin: &Origin) {
        self.events += 1;
        let update = lines(&origin.lines);
        let method = Method::from_name(pending.wire.method);
        if self.policy.is_http() && is_unsafe(method) {
            self.invalidate(&pending.wire, origin, &update);
        }
        let Some(Errand { fetch, key, held }) = &pending.errand else {
            return;
        };
        let stored = held.as_ref().and_then(|entry| entry.response());
        let head = Head {
            status: origin.status,
            lines: &update,
        };
        let is_current = || {
            held.as_ref()
                .is_some_and(|entry| is_current(&self.store, &self.secret, entry))
        };
        let now = self.clock.now();
        match fetch.on_response(&head, &self.policy, &self.inputs, stored, is_current, now) {
            Judged::Pass(_) | Judged::Fail(_) => {}
            Judged::Record(record) => {
                // That it could not be kept is no fault.
                let _ = self.record(pending, key, record, origin, &update);
            }
            Judged::StandIn => {
                let stored = stored.expect("what stands in was found");
                let all = lines(&pending.wire.lines);
                let client = Client::of(&all, method, &self.policy);
                assert!((500..600).contains(&origin.status) && fetch.may_stand_in(stored, now));
                self.check(
                    &pending.wire,
                    stored,
                    &client.serve(stored, now),
                    How::StandsIn,
                );
            }
            Judged::Freshen(freshening) => {
                assert!(origin.status == 304 && method == Method::Get);
                let entry = held.as_ref().expect("what is confirmed was found");
                self.freshen(pending, key, freshening, entry, &update, true);
            }
            Judged::Update(freshening) => {
                assert!(origin.status == 200 && method == Method::Head);
                let entry = held.as_ref().expect("what is updated was found");
                let old = entry.response().expect("a response");
                match freshening.agreement(old, &lines(&old.representation.lines), &update) {
                    Agreement::Confirmed => {
                        self.freshen(pending, key, freshening, entry, &update, false);
                    }
                    Agreement::Nothing => {}
                    Agreement::Outdated => forget(&self.store, &self.secret, entry),
                }
            }
        }
    }

    /// Drops, to the end.
    pub(crate) fn drop(&mut self, purge: &Purge, dropped: impl IntoIterator<Item = Drop>) {
        if let Some(mut walk) = self.store.purge(purge) {
            while !self.store.resolve(&mut walk, 4) {}
        }
        self.events += 1;
        self.drops.extend(dropped);
    }

    fn invalidate(&mut self, wire: &Wire, origin: &Origin, update: &[Line<'_>]) {
        let all = lines(&wire.lines);
        let noted = Noted::from_lines(&all);
        let target = Target::of(&wire.request(&all), noted.host);
        let method = Method::from_name(wire.method);
        let purge = invalidation(&target, method, origin.status, update).unwrap_or_default();
        let dropped = (200..400)
            .contains(&origin.status)
            .then(|| Drop::of_target(wire, self.events + 1));
        self.drop(&purge, dropped);
    }

    pub(super) fn selecting<'a>(&self, lines: &'a [Line<'a>]) -> Selecting<'a> {
        Selecting {
            lines,
            normalize_language: self.policy.options.normalize_language,
        }
    }

    pub(super) fn searched<T>(
        &self,
        request: &Request<'_>,
        host: Option<&[u8]>,
        run: impl FnOnce(&Searched<'_>) -> T,
    ) -> T {
        run(&Searched {
            identity: &self.identity,
            inputs: &self.inputs,
            secret: &self.secret,
            request,
            host,
        })
    }

    pub(super) fn check(&self, wire: &Wire, stored: &Stored<Kept>, serve: &Serve, how: How) {
        super::form::check(wire, stored, serve);
        super::account::check(self, wire, stored, serve, how);
    }
}
