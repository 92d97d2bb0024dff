//! Fuzz targets: every parser of what comes over the wire, and whole exchanges.
//!
//! Each target is a test. By itself it replays the seeds and regressions in `__fuzz__/<target>` and then tries some
//! random inputs; under an engine that learns from coverage it goes on for as long as it may. CONTRIBUTING.md says how.

mod choices;
mod exchange;
mod fields;
mod keys;

macro_rules! targets {
    ($($target:ident: $run:path, $iterations:literal of $longest:literal bytes;)*) => {$(
        #[test]
        fn $target() {
            bolero::check!()
                .with_iterations($iterations)
                .with_generator(choices::Bytes($longest))
                .for_each(|bytes: &Vec<u8>| $run(bytes));
        }
    )*};
}

targets! {
    accept_language: fields::lists::accept_language, 10000 of 200 bytes;
    cache_control: fields::directives::cache_control, 10000 of 200 bytes;
    cache_status: fields::directives::cache_status, 10000 of 100 bytes;
    date: fields::validators::dates, 20000 of 40 bytes;
    groups: fields::lists::groups, 10000 of 200 bytes;
    hop_by_hop: fields::lists::hop_by_hop, 10000 of 100 bytes;
    list: fields::lists::lists, 10000 of 200 bytes;
    no_vary_search: fields::uris::no_vary_search, 20000 of 100 bytes;
    query_string: fields::uris::query_strings, 10000 of 100 bytes;
    range: fields::validators::range, 20000 of 100 bytes;
    targeted: fields::directives::targeted, 10000 of 200 bytes;
    uri: fields::uris::uris, 20000 of 60 bytes;
    validators: fields::validators::entity_tags, 10000 of 200 bytes;
    vary: fields::lists::vary, 10000 of 100 bytes;

    key: keys::keys, 10000 of 300 bytes;
    pattern: keys::patterns, 10000 of 60 bytes;
    search_key: keys::searches, 10000 of 100 bytes;
    tag: keys::tags, 10000 of 200 bytes;
    target: keys::targets, 10000 of 200 bytes;
    variant_key: keys::variants, 10000 of 300 bytes;

    exchange: exchange::play, 15000 of 2000 bytes;
}
