import functools
from typing import Any

import pytest

from fast_cache_middleware.config import CacheConfig, CacheDropConfig
from fast_cache_middleware.exceptions import ConfigError
from fast_cache_middleware.rules import CacheRule, DropRule, Marks, cached, drops, marks_of

CONFIG = CacheConfig(60)
DROP = CacheDropConfig(["/a"])


def test_decorators_return_the_endpoint_itself() -> None:
    async def endpoint(request: object) -> None: ...

    assert cached(CONFIG)(endpoint) is endpoint
    assert drops(DROP)(endpoint) is endpoint
    assert marks_of(endpoint) == Marks(CONFIG, (DROP,))


def test_cached_takes_what_the_config_takes() -> None:
    @cached(5, vary=["Accept"], tags=["t"], public=True)
    def endpoint() -> None: ...

    config = marks_of(endpoint).cache
    assert config is not None
    assert (config.max_age, config.vary, config.tags, config.public) == (5.0, ("accept",), ("t",), True)


def test_cached_without_a_lifetime_leaves_it_to_the_controller() -> None:
    @cached()
    def endpoint() -> None: ...

    config = marks_of(endpoint).cache
    assert config is not None
    assert config.resolved_max_age(20.0) == 20.0


def test_drops_add_up_and_the_last_cached_counts() -> None:
    @drops(["/a"], on=[201])
    @cached(CONFIG)
    @drops(tags=["b"])
    @cached(10)
    def endpoint() -> None: ...

    marks = marks_of(endpoint)
    assert marks.cache is CONFIG
    assert [(drop.paths, drop.tags) for drop in marks.drops] == [((), ("b",)), (("/a",), ())]
    assert marks.drops[1].drops_on(201)


def test_marks_are_seen_through_wrappers() -> None:
    @cached(CONFIG)
    def endpoint() -> None: ...

    @functools.wraps(endpoint)
    def copied() -> None: ...

    @functools.wraps(endpoint, updated=())
    def bare() -> None: ...

    drops(DROP)(copied)
    assert marks_of(copied) == Marks(CONFIG, (DROP,))
    assert marks_of(bare) == Marks(CONFIG)
    assert marks_of(endpoint) == Marks(CONFIG)
    assert marks_of(functools.partial(functools.partial(bare), 1)) == Marks(CONFIG)
    partial = functools.partial(endpoint)
    assert marks_of(drops(DROP)(partial)) == Marks(CONFIG, (DROP,))


def test_marks_are_seen_on_methods_classes_and_instances() -> None:
    class Endpoint:
        @cached(CONFIG)
        async def get(self) -> None: ...

        @staticmethod
        @cached(CONFIG)
        def static() -> None: ...

        @drops(DROP)
        async def __call__(self) -> None: ...

    class Inherits(Endpoint): ...

    assert marks_of(Inherits().get) == Marks(CONFIG)
    assert marks_of(Inherits.static) == Marks(CONFIG)
    assert marks_of(Inherits()) == Marks(None, (DROP,))
    assert marks_of(Inherits) == Marks()
    assert marks_of(cached(CONFIG)(Endpoint)) == Marks(CONFIG)


@pytest.mark.parametrize("unmarked", [None, 5, len, object(), int, lambda: None])
def test_everything_else_has_no_marks(unmarked: object) -> None:
    assert marks_of(unmarked) == Marks()


def test_a_wrapper_of_itself_ends() -> None:
    def endpoint() -> None: ...

    endpoint.__wrapped__ = endpoint
    assert marks_of(endpoint) == Marks()


def test_decorating_without_parentheses_is_refused() -> None:
    def endpoint() -> None: ...

    for decorator, hint in ((cached, r"@cached\(\)"), (drops, r"@drops\(paths")):
        with pytest.raises(ConfigError, match=hint):
            decorator(endpoint)


@pytest.mark.parametrize("target", [5, len, "endpoint", [].append])
def test_what_cannot_be_marked_is_refused(target: Any) -> None:
    for decorator in (cached(), drops(DROP)):
        with pytest.raises(ConfigError, match="must stand above a function or class"):
            decorator(target)


def test_a_config_and_single_settings_exclude_each_other() -> None:
    for options in ({"public": True}, {"vary": ["a"]}, {"etag": False}, {"key_func": str}):
        with pytest.raises(ConfigError, match="not both"):
            cached(CONFIG, **options)
    for options in ({"tags": ["a"]}, {"soft": True}, {"on": [200]}, {"methods": [len]}):
        with pytest.raises(ConfigError, match="not both"):
            drops(DROP, **options)


def test_impossible_settings_are_refused_by_the_config() -> None:
    with pytest.raises(ConfigError, match=r"CacheConfig\.max_age"):
        cached(-1)
    with pytest.raises(ConfigError, match="nothing to drop"):
        drops()


def test_rules_normalise_their_methods() -> None:
    rule = CacheRule("/users/{id:int}", CacheConfig(60, tags=["user:{id}"]))
    assert rule.methods == ("GET",)
    assert DropRule("/a", DROP).methods == ("POST", "PUT", "PATCH", "DELETE")
    assert DropRule("/a", DROP, methods=["post", "POST", "purge"]).methods == ("POST", "PURGE")
    with pytest.raises(AttributeError):
        rule.path = "/b"


@pytest.mark.parametrize("path", ["users", "", 5, None, "/a/{", "/a/{}", "/{a-b}"])
def test_malformed_rule_paths(path: Any) -> None:
    for rule, config in ((CacheRule, CONFIG), (DropRule, DROP)):
        with pytest.raises(ConfigError, match=rf"{rule.__name__}\.path"):
            rule(path, config)


@pytest.mark.parametrize("methods", ["GET", [], ["G T"], [""], [5], None])
def test_malformed_rule_methods(methods: Any) -> None:
    for rule, config in ((CacheRule, CONFIG), (DropRule, DROP)):
        with pytest.raises(ConfigError, match=rf"{rule.__name__}\.methods"):
            rule("/a", config, methods)


def test_a_rule_takes_its_own_kind_of_config_only() -> None:
    for rule, config in ((CacheRule, DROP), (DropRule, CONFIG), (CacheRule, 60), (DropRule, None)):
        with pytest.raises(ConfigError, match=rf"{rule.__name__}\.config must be a"):
            rule("/a", config)


def test_a_rule_knows_its_path_parameters() -> None:
    with pytest.raises(ConfigError, match="'id', which is not a parameter"):
        CacheRule("/users/{user_id}", CacheConfig(tags=["user:{id}"]))
    with pytest.raises(ConfigError, match="'id', which is not a parameter"):
        DropRule("/users", CacheDropConfig(["/users/{id}"]))
