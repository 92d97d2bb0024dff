//! Templates that cannot be read are errors where they come from elsewhere, and panics where they stand in code.

mod support;

use fast_cache_tower::{CacheLayer, Drops, Policy, TemplateError};
use http::Method;
use std::time::Duration;
use support::cache;

fn policy() -> Policy {
    Policy::max_age(Duration::from_secs(60))
}

#[test]
fn what_cannot_be_read_is_an_error_that_names_it() {
    let (cache, _) = cache();
    let layer = || CacheLayer::new(cache.clone());
    for bad in ["/users/{id:number}", "/{id}/{id}"] {
        let errors: [Option<TemplateError>; 9] = [
            policy().try_tag(bad).err(),
            Drops::new().try_tag(bad).err(),
            Drops::new().try_path(bad).err(),
            layer().try_rule(bad, policy()).err(),
            layer().try_pass(bad).err(),
            layer().try_pass_for([Method::GET], bad).err(),
            layer().try_drops([Method::POST], bad, Drops::new()).err(),
            cache.store(policy()).try_template(bad).err(),
            cache.drop_on_success().try_template(bad).err(),
        ];
        for (place, error) in errors.into_iter().enumerate() {
            let error = error.unwrap_or_else(|| panic!("{bad} at {place}"));
            assert_eq!(error.template(), bad);
            assert!(
                error.to_string().starts_with(&format!("{bad:?}: ")),
                "{error}"
            );
        }
    }
    assert!(layer().try_rule("users", policy()).is_err());
    assert!(
        layer()
            .try_rule("/users/{id:int}/{*rest}", policy())
            .is_ok()
    );
    assert!(policy().try_tag("user:{id}").is_ok());
}

#[test]
#[should_panic(expected = "number")]
fn a_rule_in_code_panics_where_it_stands() {
    let _ = CacheLayer::new(cache().0).rule("/users/{id:number}", policy());
}
