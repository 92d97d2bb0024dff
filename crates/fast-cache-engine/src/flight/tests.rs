//! Flights, request by request.

use super::{FAILING_FOR, UNSHARED_FOR};
use fast_cache_core::key::Key;
use fast_cache_core::time::Timestamp;
use fast_cache_store::{Lease, LeaseEnd, Leased};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

/// A failure is a number here.
type Flights = super::Flights<u8>;
type Boarding = super::Boarding<u8>;
type Landing = super::Landing<u8>;
type News = super::ticket::News<u8>;
type Permit = super::Permit<u8>;
type Ticket = super::Ticket<u8>;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn key(number: u8) -> Key {
    Key::new(u128::from(number), Box::new([number]))
}

fn board(flights: &Arc<Flights>, number: u8) -> Boarding {
    flights.board(key(number).borrow(), 1, NOW)
}

fn lead(flights: &Arc<Flights>) -> Permit {
    match board(flights, 1) {
        Boarding::Lead(permit) => permit,
        other => panic!("{other:?}"),
    }
}

fn follow(flights: &Arc<Flights>) -> (Ticket, Arc<Bell>) {
    let Boarding::Follow(ticket) = board(flights, 1) else {
        panic!("nobody leads");
    };
    let bell = Arc::<Bell>::default();
    assert!(poll(&ticket, &bell).is_none());
    (ticket, bell)
}

fn poll(ticket: &Ticket, bell: &Arc<Bell>) -> Option<News> {
    match ticket.poll(&Waker::from(Arc::clone(bell))) {
        Poll::Ready(news) => Some(news),
        Poll::Pending => None,
    }
}

fn landed(follower: &(Ticket, Arc<Bell>)) -> Option<Landing> {
    match poll(&follower.0, &follower.1)? {
        News::Landed(landing) => Some(landing),
        News::Lead(_) => panic!("leads"),
    }
}

fn leads(follower: &(Ticket, Arc<Bell>)) -> Option<Permit> {
    match poll(&follower.0, &follower.1)? {
        News::Lead(permit) => Some(permit),
        News::Landed(landing) => panic!("{landing:?}"),
    }
}

#[test]
fn all_are_told_what_became_of_the_leader() {
    for landing in [Landing::Stored, Landing::Unshared(false)] {
        let flights = Arc::<Flights>::default();
        let permit = lead(&flights);
        let followers: Vec<_> = (0..3).map(|_| follow(&flights)).collect();
        permit.land(&landing, NOW);
        for follower in &followers {
            assert_eq!(follower.1.0.load(Ordering::SeqCst), 1);
            assert_eq!(landed(follower), Some(landing.clone()));
        }
        assert_eq!(flights.under_way(), 0);
        assert!(matches!(board(&flights, 1), Boarding::Lead(_)));
    }
}

#[test]
fn keys_do_not_wait_for_each_other() {
    let flights = Arc::<Flights>::default();
    let _permit = lead(&flights);
    assert!(matches!(board(&flights, 2), Boarding::Lead(_)));
}

#[test]
fn a_key_that_is_unshared_is_remembered_for_a_while() {
    let flights = Arc::<Flights>::default();
    lead(&flights).land(&Landing::Unshared(true), NOW);
    assert!(matches!(board(&flights, 1), Boarding::Alone));
    let later = NOW.plus(UNSHARED_FOR);
    assert!(matches!(
        flights.board(key(1).borrow(), 1, later),
        Boarding::Lead(_)
    ));
}

#[test]
fn what_is_known_of_keys_can_be_forgotten() {
    let flights = Arc::<Flights>::default();
    lead(&flights).land(&Landing::Unshared(true), NOW);
    flights.forget();
    assert!(!lead(&flights).shares_failures());
    fail_twice(&flights);
    flights.forget();
    assert!(!lead(&flights).shares_failures());
}

#[test]
fn one_who_waits_leads_once_more_and_then_nobody_waits() {
    let flights = Arc::<Flights>::default();
    let permit = lead(&flights);
    let (first, second, third) = (follow(&flights), follow(&flights), follow(&flights));
    drop(permit);
    let permit = leads(&first).expect("the first leads");
    assert_eq!(landed(&second), None);
    let fourth = follow(&flights);
    drop(permit);
    for follower in [&second, &third, &fourth] {
        assert_eq!(landed(follower), Some(Landing::Left));
    }
    assert_eq!(flights.under_way(), 0);
}

#[test]
fn a_second_leader_that_succeeds_lands_for_all() {
    let flights = Arc::<Flights>::default();
    let permit = lead(&flights);
    let (first, second) = (follow(&flights), follow(&flights));
    drop(permit);
    let permit = leads(&first).expect("the first leads");
    permit.land(&Landing::Stored, NOW);
    assert_eq!(landed(&second), Some(Landing::Stored));
}

fn failed(number: u8) -> Landing {
    Landing::Failed(Some(Arc::new(number)))
}

/// The requests of one flight of which both leaders fail.
fn fail_twice(flights: &Arc<Flights>) {
    let permit = lead(flights);
    let (first, second) = (follow(flights), follow(flights));
    assert!(!permit.shares_failures());
    permit.land(&failed(1), NOW);
    let permit = leads(&first).expect("the first leads");
    assert!(permit.shares_failures());
    assert_eq!(landed(&second), None);
    permit.land(&failed(2), NOW);
    assert_eq!(landed(&second), Some(failed(2)));
    assert_eq!(flights.under_way(), 0);
}

#[test]
fn a_second_failure_is_shared_and_while_it_is_remembered_so_is_a_first() {
    let flights = Arc::<Flights>::default();
    fail_twice(&flights);
    for number in 3..6 {
        let permit = lead(&flights);
        assert!(permit.shares_failures());
        let followers: Vec<_> = (0..3).map(|_| follow(&flights)).collect();
        permit.land(&failed(number), NOW);
        for follower in &followers {
            assert_eq!(landed(follower), Some(failed(number)));
        }
    }
    let Boarding::Lead(permit) = flights.board(key(2).borrow(), 1, NOW) else {
        panic!("of another key nothing is known");
    };
    assert!(!permit.shares_failures());
    let later = NOW.plus(FAILING_FOR);
    let Boarding::Lead(permit) = flights.board(key(1).borrow(), 1, later) else {
        panic!("nobody leads");
    };
    assert!(!permit.shares_failures());
}

#[test]
fn a_success_makes_that_a_key_was_failing_forgotten() {
    for landing in [Landing::Stored, Landing::Unshared(false)] {
        let flights = Arc::<Flights>::default();
        fail_twice(&flights);
        lead(&flights).land(&landing, NOW);
        fail_twice(&flights);
    }
    for landing in [Landing::StoodIn, Landing::Left] {
        let flights = Arc::<Flights>::default();
        fail_twice(&flights);
        lead(&flights).land(&landing, NOW);
        assert!(lead(&flights).shares_failures());
    }
}

#[test]
fn where_a_key_is_failing_one_still_leads_for_one_who_left() {
    let flights = Arc::<Flights>::default();
    fail_twice(&flights);
    let permit = lead(&flights);
    let (first, second) = (follow(&flights), follow(&flights));
    drop(permit);
    leads(&first).expect("it leads").land(&failed(3), NOW);
    assert_eq!(landed(&second), Some(failed(3)));
}

#[test]
fn a_first_failure_after_one_who_left_is_not_shared() {
    let flights = Arc::<Flights>::default();
    let permit = lead(&flights);
    let (first, second, third) = (follow(&flights), follow(&flights), follow(&flights));
    drop(permit);
    let permit = leads(&first).expect("the first leads");
    assert!(!permit.shares_failures());
    permit.land(&failed(2), NOW);
    let permit = leads(&second).expect("and then the second");
    assert!(permit.shares_failures());
    permit.land(&failed(3), NOW);
    assert_eq!(landed(&third), Some(failed(3)));
}

#[test]
fn nobody_waits_again_after_two_failures_that_are_no_one_elses() {
    let flights = Arc::<Flights>::default();
    lead(&flights).land(&Landing::Failed(None), NOW);
    let permit = lead(&flights);
    let (first, second) = (follow(&flights), follow(&flights));
    permit.land(&failed(1), NOW);
    let permit = leads(&first).expect("the first leads");
    permit.land(&Landing::Failed(None), NOW);
    assert_eq!(landed(&second), Some(Landing::Left));
    assert!(matches!(board(&flights, 1), Boarding::Alone));
}

#[test]
fn a_failure_lives_no_longer_than_those_who_wait_for_it() {
    let flights = Arc::<Flights>::default();
    fail_twice(&flights);
    let permit = lead(&flights);
    let (taking, leaving) = (follow(&flights), follow(&flights));
    let failure = Arc::new(3);
    permit.land(&Landing::Failed(Some(Arc::clone(&failure))), NOW);
    assert_eq!(Arc::strong_count(&failure), 3);
    assert!(landed(&taking).is_some());
    drop(leaving);
    assert_eq!(
        Arc::strong_count(&failure),
        1,
        "a ticket that was read has none"
    );
}

#[test]
fn those_who_have_left_do_not_lead() {
    let flights = Arc::<Flights>::default();
    let permit = lead(&flights);
    let (first, second) = (follow(&flights), follow(&flights));
    drop(first);
    drop(permit);
    assert!(leads(&second).is_some());
}

#[test]
fn one_who_leaves_when_it_is_to_lead_fails_for_the_others() {
    let flights = Arc::<Flights>::default();
    let permit = lead(&flights);
    let (first, second) = (follow(&flights), follow(&flights));
    drop(permit);
    drop(first);
    assert_eq!(landed(&second), Some(Landing::Left));
    assert_eq!(flights.under_way(), 0);
}

#[test]
fn a_failure_without_followers_leaves_nothing() {
    let flights = Arc::<Flights>::default();
    drop(lead(&flights));
    assert_eq!(flights.under_way(), 0);
}

#[test]
fn who_comes_after_a_drop_does_not_wait_for_what_began_before_it() {
    let flights = Arc::<Flights>::default();
    let old = lead(&flights);
    let waiting = follow(&flights);
    let Boarding::Lead(new) = flights.board(key(1).borrow(), 2, NOW) else {
        panic!("waits for an old one");
    };
    old.land(&Landing::Unshared(false), NOW);
    assert_eq!(landed(&waiting), Some(Landing::Unshared(false)));
    assert_eq!(flights.under_way(), 1);
    assert!(matches!(
        flights.board(key(1).borrow(), 2, NOW),
        Boarding::Follow(_)
    ));
    drop(new);
    assert_eq!(flights.under_way(), 0);
}

#[test]
fn nobody_waits_for_one_that_somebody_gave_up() {
    let flights = Arc::<Flights>::default();
    let slow = lead(&flights);
    let (impatient, patient) = (follow(&flights), follow(&flights));
    impatient.0.give_up(NOW);
    assert!(matches!(board(&flights, 1), Boarding::Alone));
    slow.land(&Landing::Stored, NOW);
    assert_eq!(landed(&patient), Some(Landing::Stored));
}

/// Notes how its lease came out.
struct Noted(Arc<Mutex<Vec<LeaseEnd>>>);

impl Leased for Noted {
    fn end(self: Box<Self>, how: LeaseEnd) {
        self.0.lock().expect("no test panics with it").push(how);
    }
}

#[test]
fn a_lease_ends_as_its_permit_lands() {
    for (landing, end) in [
        (Landing::Stored, LeaseEnd::Stored),
        (Landing::StoodIn, LeaseEnd::Failed),
        (Landing::Unshared(true), LeaseEnd::Unshared),
        (Landing::Unshared(false), LeaseEnd::Failed),
        (Landing::Failed(Some(Arc::new(1))), LeaseEnd::Failed),
        (Landing::Left, LeaseEnd::Failed),
    ] {
        let (flights, ends) = (Arc::default(), Arc::default());
        let permit = lead(&flights).with_lease(1, Lease::new(Noted(Arc::clone(&ends))));
        assert!(permit.has_lease_of(1) && !permit.has_lease_of(2));
        permit.land(&landing, NOW);
        assert_eq!(*ends.lock().expect("unharmed"), [end], "{landing:?}");
    }
}

#[test]
fn a_lease_goes_on_to_whoever_leads_next() {
    let (flights, ends) = (Arc::default(), Arc::<Mutex<Vec<_>>>::default());
    let permit = lead(&flights).with_lease(1, Lease::new(Noted(Arc::clone(&ends))));
    let follower = follow(&flights);
    drop(permit);
    assert!(ends.lock().expect("unharmed").is_empty(), "it goes on");
    let next = leads(&follower).expect("it leads now");
    assert!(next.has_lease_of(1));
    drop(next);
    assert_eq!(*ends.lock().expect("unharmed"), [LeaseEnd::Failed]);
}

#[test]
fn a_child_of_a_fork_waits_for_nobody_of_its_parent() {
    let flights = Arc::default();
    let inherited = lead(&flights);
    flights.begin_anew();
    let own = lead(&flights);
    drop(inherited);
    assert_eq!(
        flights.under_way(),
        1,
        "the parent's end is not the child's"
    );
    drop(own);
    assert_eq!(flights.under_way(), 0);
}
