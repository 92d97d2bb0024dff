//! Waiting before the next lookup: for another request of this process, or for those who share the store.

use crate::flight::{Landing, News, Permit, Ticket};
use fast_cache_core::key::{Key, KeyRef};
use fast_cache_core::time::Timestamp;
use fast_cache_store::{Elsewhere, Inquired, Inquiry};
use std::sync::Arc;
use std::task::{Context, Poll};

/// The most keys for which one request asks those who share the store.
const MOST_ASKED: usize = 4;

/// What a request does about others for the same key.
#[derive(Debug)]
pub enum Part<F> {
    /// It leads, or waits for the one that does.
    Board,
    /// It leads already.
    Lead(Permit<F>),
    /// It goes on by itself.
    Alone,
    /// It takes the stale answer that stood in for the one that led.
    StandIn,
    /// It takes the failure of the one that led, if that is good for it too.
    Share(Arc<F>),
}

/// What a request waits for.
pub enum Awaited<F> {
    /// Another request of this process.
    Ticket(Ticket<F>),
    /// The word of those who share the store.
    Inquiry(Asking<F>),
}

/// An inquiry that is under way, and the part that its request had.
pub struct Asking<F> {
    inquiry: Inquiry,
    digest: u128,
    part: Part<F>,
}

impl<F> Awaited<F> {
    /// Asks those who share the store for a key, and for the lease of it where the request leads.
    pub fn inquire(elsewhere: &dyn Elsewhere, key: Key, part: Part<F>) -> Self {
        let digest = key.borrow().digest;
        let lead = matches!(part, Part::Lead(_));
        Self::Inquiry(Asking {
            inquiry: elsewhere.inquire(key, lead),
            digest,
            part,
        })
    }

    /// The digest of the key for which others were asked.
    pub fn asked(&self) -> Option<u128> {
        match self {
            Self::Ticket(_) => None,
            Self::Inquiry(asking) => Some(asking.digest),
        }
    }

    /// The part that the request has now. Not to be polled again once it is known.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Part<F>> {
        match self {
            Self::Ticket(ticket) => ticket.poll(context.waker()).map(|news| match news {
                News::Lead(permit) => Part::Lead(permit),
                News::Landed(Landing::StoodIn) => Part::StandIn,
                News::Landed(Landing::Failed(Some(failure))) => Part::Share(failure),
                News::Landed(_) => Part::Alone,
            }),
            Self::Inquiry(asking) => {
                let inquired = asking.inquiry.as_mut().poll(context);
                inquired.map(|inquired| asking.part_after(inquired))
            }
        }
    }

    /// The part of a request that waits no longer.
    pub fn give_up(self, now: Timestamp) -> Part<F> {
        match self {
            Self::Ticket(ticket) => {
                ticket.give_up(now);
                Part::Alone
            }
            Self::Inquiry(mut asking) => asking.part_after(Inquired::Unknown),
        }
    }
}

impl<F> Asking<F> {
    fn part_after(&mut self, inquired: Inquired) -> Part<F> {
        match (std::mem::replace(&mut self.part, Part::Alone), inquired) {
            (Part::Lead(permit), Inquired::Absent(Some(lease))) => {
                Part::Lead(permit.with_lease(self.digest, lease))
            }
            (part, _) => part,
        }
    }
}

/// Whether those who share the store need not be asked for a key any more, when a request with this permit has asked them
/// for the keys with the digests `asked`.
pub fn was_asked<F>(
    asked: &[u128],
    key: KeyRef<'_>,
    permit: Option<&Permit<F>>,
    elsewhere: &dyn Elsewhere,
) -> bool {
    let times = asked.iter().filter(|digest| **digest == key.digest).count();
    // Whoever asks before each lookup asks once more to lead.
    let first = elsewhere.asks_always() && asked.first() == Some(&key.digest);
    asked.len() >= MOST_ASKED
        || match permit {
            Some(permit) => permit.has_lease_of(key.digest) || times > usize::from(first),
            None => times > 0,
        }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::{Awaited, Part, was_asked};
    use crate::flight::{Boarding, Flights, Permit};

    type Failure = u8;
    use fast_cache_core::key::Key;
    use fast_cache_core::time::Timestamp;
    use fast_cache_store::{Elsewhere, Inquired, Inquiry, Lease, LeaseEnd, Leased, Settling};
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    struct NoMatter;

    impl Leased for NoMatter {
        fn end(self: Box<Self>, _: LeaseEnd) {}
    }

    /// Others who never have anything, and give the lease to whoever wants to lead.
    struct Others {
        always: bool,
        answer: bool,
    }

    impl Elsewhere for Others {
        fn asks_always(&self) -> bool {
            self.always
        }

        fn inquire(&self, _: Key, lead: bool) -> Inquiry {
            let answer = self.answer;
            Box::pin(async move {
                if !answer {
                    std::future::pending::<()>().await;
                }
                Inquired::Absent(lead.then(|| Lease::new(NoMatter)))
            })
        }

        fn settled(&self) -> Option<Settling> {
            None
        }
    }

    fn key(number: u8) -> Key {
        Key::new(u128::from(number), Box::new([number]))
    }

    fn lead() -> Permit<Failure> {
        let flights = Arc::<Flights<Failure>>::default();
        match flights.board(key(1).borrow(), 1, NOW) {
            Boarding::Lead(permit) => permit,
            other => panic!("{other:?}"),
        }
    }

    fn poll(awaited: &mut Awaited<Failure>) -> Poll<Part<Failure>> {
        awaited.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn whoever_leads_gets_the_lease_of_the_key_that_was_asked_for() {
        let others = Others {
            always: false,
            answer: true,
        };
        let mut awaited = Awaited::inquire(&others, key(2), Part::Lead(lead()));
        assert_eq!(awaited.asked(), Some(2));
        let Poll::Ready(Part::Lead(permit)) = poll(&mut awaited) else {
            panic!("it leads");
        };
        assert!(permit.has_lease_of(2));
        assert!(was_asked(&[], key(2).borrow(), Some(&permit), &others));
        assert!(!was_asked(&[], key(3).borrow(), Some(&permit), &others));
        let mut awaited = Awaited::inquire(&others, key(2), Part::Alone);
        assert!(matches!(poll(&mut awaited), Poll::Ready(Part::Alone)));
    }

    #[test]
    fn whoever_waits_no_longer_goes_on_as_before() {
        let others = Others {
            always: false,
            answer: false,
        };
        let mut awaited = Awaited::inquire(&others, key(2), Part::Lead(lead()));
        assert!(poll(&mut awaited).is_pending());
        let Part::Lead(permit) = awaited.give_up(NOW) else {
            panic!("it leads");
        };
        assert!(!permit.has_lease_of(2));
        assert!(was_asked(&[2], key(2).borrow(), Some(&permit), &others));
    }

    #[test]
    fn others_are_asked_once_and_by_whoever_always_asks_once_more_to_lead() {
        let [once, always] = [false, true].map(|always| Others {
            always,
            answer: true,
        });
        let (asked, permit) = (key(1), lead());
        let nobody = None::<&Permit<Failure>>;
        assert!(!was_asked(&[], asked.borrow(), nobody, &once));
        assert!(was_asked(&[1], asked.borrow(), nobody, &once));
        assert!(was_asked(&[1], asked.borrow(), Some(&permit), &once));
        assert!(!was_asked(&[1], asked.borrow(), Some(&permit), &always));
        assert!(was_asked(&[1, 1], asked.borrow(), Some(&permit), &always));
        assert!(was_asked(&[1], asked.borrow(), nobody, &always));
        assert!(was_asked(&[2, 3, 4, 5], asked.borrow(), nobody, &once));
    }
}
