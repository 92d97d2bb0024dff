//! The lock of this crate. Built with `--cfg shuttle` it is one under which every order of threads can be tried.

#[cfg(not(shuttle))]
pub(crate) use parking_lot::Mutex;

#[cfg(shuttle)]
pub(crate) use shuttled::Mutex;

#[cfg(shuttle)]
mod shuttled {
    use shuttle::sync::{Mutex as Inner, MutexGuard};

    /// A mutex that is never poisoned: a thread that panics ends the test.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(Inner<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(Inner::new(value))
        }

        #[expect(clippy::unwrap_used, reason = "only tests build this")]
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}
