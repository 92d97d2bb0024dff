use super::{
    Reference, remove_dot_segments, spell_decoded_path, spell_origin, spell_path, spell_query,
};

fn written(reference: &Reference<'_>) -> String {
    let mut out = Vec::new();
    if let Some(scheme) = reference.scheme {
        out.extend_from_slice(scheme);
        out.push(b':');
    }
    if let Some(authority) = reference.authority {
        out.extend_from_slice(b"//");
        out.extend_from_slice(authority);
    }
    out.extend_from_slice(&reference.path);
    if let Some(query) = reference.query {
        out.push(b'?');
        out.extend_from_slice(query);
    }
    String::from_utf8(out).expect("made of text")
}

/// The examples of RFC 3986 §5.4, less their fragments, which name nothing that is kept.
#[test]
fn references_are_resolved_as_in_the_rfc() {
    let base = Reference::parse(b"http://a/b/c/d;p?q");
    for (reference, expected) in [
        ("g:h", "g:h"),
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        ("g?y#s", "http://a/b/c/g?y"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("g;x?y#s", "http://a/b/c/g;x?y"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../", "http://a/"),
        ("../../g", "http://a/g"),
        ("../../../g", "http://a/g"),
        ("../../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        (".g", "http://a/b/c/.g"),
        ("g..", "http://a/b/c/g.."),
        ("..g", "http://a/b/c/..g"),
        ("./../g", "http://a/b/g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/./x", "http://a/b/c/g?y/./x"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("g#s/./x", "http://a/b/c/g"),
        ("g#s/../x", "http://a/b/c/g"),
        ("http:g", "http:g"),
    ] {
        let found = Reference::parse(reference.as_bytes()).resolve(&base);
        assert_eq!(written(&found), expected, "{reference:?}");
    }
}

#[test]
fn references_beyond_the_examples() {
    for (base, reference, expected) in [
        ("http://a", "g", "http://a/g"),
        ("http://a?q", "g", "http://a/g"),
        ("http://a/b", "//c/../d?e", "http://c/d?e"),
        ("http://a/b", "HTTPS://c/./d", "HTTPS://c/d"),
        ("http://a/b/", "1:2", "http://a/b/1:2"),
        ("http://a/b/", "c/d:e", "http://a/b/c/d:e"),
        ("http://a/b/", "?", "http://a/b/?"),
        ("http://a/b/", "//", "http://"),
        ("http://a/b/", ":", "http://a/b/:"),
        ("http://a//b//c", "..//d", "http://a//b//d"),
    ] {
        let base = Reference::parse(base.as_bytes());
        let found = Reference::parse(reference.as_bytes()).resolve(&base);
        assert_eq!(written(&found), expected, "{reference:?}");
    }
}

#[test]
fn dot_segments() {
    for (path, expected) in [
        ("", ""),
        ("/", "/"),
        ("/a/b/c/./../../g", "/a/g"),
        ("mid/content=5/../6", "mid/6"),
        ("/.", "/"),
        ("/..", "/"),
        ("/../..", "/"),
        ("/a/..", "/"),
        ("/a/.", "/a/"),
        ("/a/../", "/"),
        ("/a//../b", "/a/b"),
        ("//", "//"),
        ("/a//", "/a//"),
        ("/...", "/..."),
        (".", ""),
        ("..", ""),
        ("../a", "a"),
        ("./.././a", "a"),
        ("a", "a"),
        ("a/", "a/"),
        ("a/b/..", "a/"),
    ] {
        let found = remove_dot_segments(path.as_bytes());
        assert_eq!(String::from_utf8_lossy(&found), expected, "{path:?}");
    }
}

#[test]
fn equivalent_paths_are_spelled_alike() {
    for (path, expected) in [
        ("", "/"),
        ("/", "/"),
        ("/%7euser/%41", "/~user/A"),
        ("/%2f%3a", "/%2F%3A"),
        ("/a:b@c;d=1,2", "/a:b@c;d=1,2"),
        ("/a b|c\u{e9}", "/a%20b%7Cc%C3%A9"),
        ("/%c3%a9", "/%C3%A9"),
        ("/100%", "/100%25"),
        ("/100%zz%4", "/100%25zz%254"),
        ("/a/%2e%2e/b", "/b"),
        ("/a?b#c", "/a%3Fb%23c"),
        ("/a\0", "/a%00"),
        ("*", "*"),
    ] {
        assert_eq!(
            String::from_utf8_lossy(&spell_path(path.as_bytes())),
            expected,
            "{path:?}"
        );
    }
    for (decoded, expected) in [
        ("/a b/\u{e9}", "/a%20b/%C3%A9"),
        ("/100%", "/100%25"),
        ("/%41", "/%2541"),
        ("/a?b", "/a%3Fb"),
    ] {
        let found = spell_decoded_path(decoded.as_bytes());
        assert_eq!(String::from_utf8_lossy(&found), expected, "{decoded:?}");
    }
    for (query, expected) in [
        ("", ""),
        ("a=b&c=/?", "a=b&c=/?"),
        ("filter[a]=%7e x", "filter%5Ba%5D=~%20x"),
        ("%5b+%2b", "%5B+%2B"),
    ] {
        let found = spell_query(query.as_bytes());
        assert_eq!(String::from_utf8_lossy(&found), expected, "{query:?}");
    }
}

#[test]
fn origins_are_spelled_alike() {
    for (scheme, authority, expected) in [
        ("http", "Example.COM", "http://example.com"),
        ("HTTP", "example.com:80", "http://example.com"),
        ("http", "example.com:", "http://example.com"),
        ("http", "example.com:0080", "http://example.com"),
        ("http", "example.com:443", "http://example.com:443"),
        ("https", "example.com:443", "https://example.com"),
        ("https", "example.com:80", "https://example.com:80"),
        ("ws", "example.com:080", "ws://example.com:80"),
        ("http", "user:80@host", "http://host"),
        ("http", "[::1]:80", "http://[::1]"),
        ("http", "[::80]", "http://[::80]"),
        ("http", "[::1]:8000", "http://[::1]:8000"),
        ("http", "host:8o", "http://host:8o"),
        ("http", "host:80:80", "http://host:80:80"),
        ("http", "::80", "http://::80"),
        ("http", "", "http://"),
        ("http", ":", "http://"),
    ] {
        let (scheme, host) = spell_origin(scheme.as_bytes(), authority.as_bytes());
        let found = [scheme, host].join(b"://".as_slice());
        assert_eq!(String::from_utf8_lossy(&found), expected, "{authority:?}");
    }
}
