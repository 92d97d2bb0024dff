"""Which templates the table may take at their word: those that the framework matches as it was meant to."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.convertors import CONVERTOR_TYPES, StringConvertor
from starlette.routing import compile_path

from fast_cache_middleware.routes import template

LITERALS = st.text("ab0_-./~+*()[]$^|&#@:, é\\{}\n", max_size=6)
PARAMETERS = st.sampled_from(["{x}", "{y}", "{z:int}", "{w:path}", "{u:float}", "{t:str}"])


@given(st.lists(LITERALS | PARAMETERS, max_size=6).map(lambda parts: "/" + "".join(parts)))
@example("/{{x}}")
@example("/a.b-c/{x}-{y}.json")
@example("/a}b/{x}")
@example("/{x/{y}")
def test_what_the_framework_compiles_is_plain(path: str) -> None:
    try:
        compiled, _, convertors = compile_path(path)
    except (ValueError, AssertionError):  # the framework refuses it
        return
    assert template.is_plain(path, compiled, convertors)
    assert not template.is_plain(path, re.compile(compiled.pattern, re.IGNORECASE), convertors)
    assert not template.is_plain(path, re.compile(compiled.pattern + "(?:)"), convertors)


@pytest.mark.parametrize(
    ("path", "pattern"),
    [("/a.b", "^/a.b$"), ("/a/{x}", "^/a/(?P<x>.+)$"), ("/a/{x}", "^/a/(?P<x>[^/]+)"), ("/a/{x}", "^/b/(?P<x>[^/]+)$")],
)
def test_a_pattern_of_another_make_is_not_plain(path: str, pattern: str) -> None:
    _, _, convertors = compile_path(path)
    assert not template.is_plain(path, re.compile(pattern), convertors)


def test_a_convertor_of_another_make_is_not_plain() -> None:
    class Upper(StringConvertor):
        def convert(self, value: str) -> str:
            return value.upper()

    compiled, _, convertors = compile_path("/a/{x}")
    assert template.is_plain("/a/{x}", compiled, convertors)
    assert not template.is_plain("/a/{x}", compiled, {"x": Upper()})
    compiled, _, _ = compile_path("/a/{x:int}")
    assert not template.is_plain("/a/{x:int}", compiled, {"x": CONVERTOR_TYPES["str"]})
