//! Flights under every order in which threads can take their turns, or many of them. Nobody may wait for ever: shuttle
//! reports a thread that does.

use fast_cache_core::key::Key;
use fast_cache_core::time::Timestamp;
use shuttle::future::block_on;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::{check_random, thread};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// A failure is a number here.
type Flights = super::Flights<u8>;
type Boarding = super::Boarding<u8>;
type Landing = super::Landing<u8>;
type News = super::News<u8>;
type Permit = super::Permit<u8>;
type Ticket = super::Ticket<u8>;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const TURNS: usize = 2_000;

fn board(flights: &Arc<Flights>, birth: u64) -> Boarding {
    let key = Key::new(1, Box::new([1]));
    flights.board(key.borrow(), birth, NOW)
}

fn lead(flights: &Arc<Flights>) -> Permit {
    match board(flights, 1) {
        Boarding::Lead(permit) => permit,
        other => panic!("{other:?}"),
    }
}

/// Waits until there is news.
fn wait(ticket: &Ticket) -> News {
    block_on(poll_fn(|context| match ticket.poll(context.waker()) {
        Poll::Ready(news) => Poll::Ready(news),
        Poll::Pending => Poll::Pending,
    }))
}

/// One request to its end: it leads and lands so, or waits, and leads if it is told to. How often somebody led.
fn request(flights: &Arc<Flights>, landing: Landing, led: &AtomicUsize) {
    let permit = match board(flights, 1) {
        Boarding::Lead(permit) => Some(permit),
        Boarding::Alone => None,
        Boarding::Follow(ticket) => match wait(&ticket) {
            News::Lead(permit) => Some(permit),
            News::Landed(_) => None,
        },
    };
    if let Some(permit) = permit {
        led.fetch_add(1, Ordering::SeqCst);
        permit.land(&landing, NOW);
    }
}

/// One request of an application that always fails: how often somebody asked it, those who go on by themselves included.
fn request_in_vain(flights: &Arc<Flights>, asked: &AtomicUsize) {
    let permit = match board(flights, 1) {
        Boarding::Lead(permit) => Some(permit),
        Boarding::Alone => None,
        Boarding::Follow(ticket) => match wait(&ticket) {
            News::Lead(permit) => Some(permit),
            News::Landed(Landing::Failed(Some(_))) => return,
            News::Landed(_) => None,
        },
    };
    asked.fetch_add(1, Ordering::SeqCst);
    if let Some(permit) = permit {
        thread::yield_now();
        permit.land(&Landing::Failed(Some(Arc::new(1))), NOW);
    }
}

#[test]
fn everybody_comes_to_an_end_however_the_leaders_land() {
    let landings = [
        Landing::Stored,
        Landing::Unshared(false),
        Landing::Failed(None),
        Landing::Failed(Some(Arc::new(1))),
        Landing::Left,
    ];
    for landing in landings {
        check_random(
            move || {
                let flights = Arc::<Flights>::default();
                let led = Arc::new(AtomicUsize::new(0));
                let threads: Vec<_> = (0..4)
                    .map(|_| {
                        let (flights, led) = (Arc::clone(&flights), Arc::clone(&led));
                        let landing = landing.clone();
                        thread::spawn(move || request(&flights, landing, &led))
                    })
                    .collect();
                for thread in threads {
                    thread.join().expect("no panic");
                }
                assert!(led.load(Ordering::SeqCst) >= 1);
                assert_eq!(flights.under_way(), 0);
            },
            TURNS,
        );
    }
}

#[test]
fn who_waits_with_a_leader_that_fails_takes_its_failure_or_leads() {
    check_random(
        || {
            let flights = Arc::<Flights>::default();
            let permit = lead(&flights);
            let tickets: Vec<_> = (0..3)
                .map(|_| match board(&flights, 1) {
                    Boarding::Follow(ticket) => ticket,
                    other => panic!("{other:?}"),
                })
                .collect();
            let led = Arc::new(AtomicUsize::new(0));
            let threads: Vec<_> = tickets
                .into_iter()
                .map(|ticket| {
                    let led = Arc::clone(&led);
                    thread::spawn(move || match wait(&ticket) {
                        News::Lead(permit) => {
                            led.fetch_add(1, Ordering::SeqCst);
                            permit.land(&Landing::Failed(Some(Arc::new(2))), NOW);
                        }
                        News::Landed(landing) => {
                            assert_eq!(landing, Landing::Failed(Some(Arc::new(2))));
                        }
                    })
                })
                .collect();
            permit.land(&Landing::Failed(Some(Arc::new(1))), NOW);
            for thread in threads {
                thread.join().expect("no panic");
            }
            assert_eq!(led.load(Ordering::SeqCst), 1);
            assert!(lead(&flights).shares_failures());
        },
        TURNS,
    );
}

#[test]
fn where_a_key_is_failing_everybody_comes_to_an_end() {
    check_random(
        || {
            let flights = Arc::<Flights>::default();
            let asked = Arc::new(AtomicUsize::new(0));
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let (flights, asked) = (Arc::clone(&flights), Arc::clone(&asked));
                    thread::spawn(move || {
                        request_in_vain(&flights, &asked);
                        request_in_vain(&flights, &asked);
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("no panic");
            }
            assert!((2..=8).contains(&asked.load(Ordering::SeqCst)));
            assert_eq!(flights.under_way(), 0);
        },
        TURNS,
    );
}

#[test]
fn who_waits_is_told_even_if_the_successor_leaves() {
    check_random(
        || {
            let flights = Arc::<Flights>::default();
            let permit = lead(&flights);
            let tickets: Vec<_> = (0..3)
                .map(|_| match board(&flights, 1) {
                    Boarding::Follow(ticket) => ticket,
                    other => panic!("{other:?}"),
                })
                .collect();
            let mut tickets = tickets.into_iter();
            let leaving = tickets.next();
            let threads: Vec<_> = tickets
                .map(|ticket| thread::spawn(move || drop(wait(&ticket))))
                .collect();
            let left = thread::spawn(move || drop(leaving));
            drop(permit);
            left.join().expect("no panic");
            for thread in threads {
                thread.join().expect("no panic");
            }
            assert_eq!(flights.under_way(), 0);
        },
        TURNS,
    );
}

#[test]
fn a_flight_after_a_drop_outlives_the_one_before_it() {
    check_random(
        || {
            let flights = Arc::<Flights>::default();
            let old = lead(&flights);
            let follower = match board(&flights, 1) {
                Boarding::Follow(ticket) => thread::spawn(move || drop(wait(&ticket))),
                other => panic!("{other:?}"),
            };
            let newer = {
                let flights = Arc::clone(&flights);
                thread::spawn(move || match board(&flights, 2) {
                    Boarding::Lead(permit) => permit.land(&Landing::Stored, NOW),
                    other => panic!("waits for an old one: {other:?}"),
                })
            };
            old.land(&Landing::Unshared(false), NOW);
            follower.join().expect("no panic");
            newer.join().expect("no panic");
            assert_eq!(flights.under_way(), 0);
        },
        TURNS,
    );
}
