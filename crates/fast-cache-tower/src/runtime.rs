//! What a runtime is needed for: refreshes in the background, and waiting no longer than a set time.

use crate::future::ResponseFuture;
use http::{Request, Response};
use http_body::Body;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// Whether there is one.
pub(crate) fn is_there() -> bool {
    #[cfg(feature = "tokio")]
    return tokio::runtime::Handle::try_current().is_ok();
    #[cfg(not(feature = "tokio"))]
    false
}

/// Lets a refresh go on in the background.
pub(crate) fn spawn<S, A, B>(refresh: ResponseFuture<S, A, B>)
where
    S: Service<Request<A>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: 'static,
    A: Body + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Send,
{
    #[cfg(feature = "tokio")]
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(crate::future::refresh(refresh));
    }
    #[cfg(not(feature = "tokio"))]
    drop(refresh);
}

/// The end of a wait.
pub(crate) struct Timer {
    #[cfg(feature = "tokio")]
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Timer {
    /// After `duration`.
    pub(crate) fn after(duration: Duration) -> Self {
        #[cfg(not(feature = "tokio"))]
        let _ = duration;
        Self {
            #[cfg(feature = "tokio")]
            sleep: Box::pin(tokio::time::sleep(duration)),
        }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        #[cfg(feature = "tokio")]
        return self.sleep.as_mut().poll(context);
        #[cfg(not(feature = "tokio"))]
        {
            // Without a runtime nobody waits.
            let _ = (&mut self, context);
            Poll::Ready(())
        }
    }
}
