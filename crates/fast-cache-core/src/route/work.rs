//! The counted work of a search.

/// What a search did; its bound is tested, since a time could not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Places of the tree that were entered.
    pub(super) places: usize,
    /// Regular expressions that were run.
    pub(super) expressions: usize,
}

#[cfg(test)]
mod tests {
    use super::Work;
    use crate::route::segment::Segments;
    use crate::route::{Table, TableBuilder};

    fn table(templates: &[String]) -> Table {
        let mut builder = TableBuilder::new();
        for (number, template) in (0..).zip(templates) {
            builder.route(template, Some(&["GET"]), number).unwrap();
        }
        builder.build()
    }

    fn search(table: &Table, method: &str, path: &str) -> (u32, Work) {
        let mut work = Work::default();
        let mut segments = Segments::of(path);
        assert!(segments.scan(table.depth + 1));
        (
            table.search(table.methods.bit(method), &segments, u32::MAX, &mut work),
            work,
        )
    }

    /// Every way to choose, in each of `depth` segments, between a literal and two parameters that fit.
    fn bushy(depth: usize) -> Vec<String> {
        (0..depth).fold(vec![String::new()], |stems, level| {
            let choices = [
                "a".to_owned(),
                format!("{{x{level}}}"),
                format!("{{y{level}}}a"),
            ];
            stems
                .iter()
                .flat_map(|stem| choices.iter().map(move |choice| format!("{stem}/{choice}")))
                .collect()
        })
    }

    #[test]
    fn a_path_that_fits_everything_costs_its_length() {
        let mut templates = bushy(8);
        for _ in 0..2 {
            let table = table(&templates);
            let (first, work) = search(&table, "GET", "/aa/aa/aa/aa/aa/aa/aa/aa");
            assert!(
                templates[first as usize]
                    .split('/')
                    .skip(1)
                    .all(|segment| segment != "a")
            );
            assert!(work.places <= 9 * 3, "{work:?}");
            templates.reverse();
        }
    }

    #[test]
    fn a_path_that_fits_nothing_enters_no_place_twice() {
        let templates: Vec<_> = bushy(8).iter().map(|stem| format!("{stem}/end")).collect();
        let table = table(&templates);
        let path = "/aa".repeat(8);
        for path in [
            format!("{path}/other"),
            format!("{path}/end/end"),
            path.clone(),
            "/".repeat(9),
            path.repeat(50),
        ] {
            let (first, work) = search(&table, "GET", &path);
            assert_eq!(first, u32::MAX);
            assert!(work.places <= table.places.len(), "{path} {work:?}");
        }
        assert_eq!(
            search(&table, "POST", &format!("{path}/end")).1,
            Work::default()
        );
    }

    #[test]
    fn what_was_declared_later_is_not_looked_at() {
        let mut templates = vec!["/{a}/{b}/{c}".to_owned(), "/{a}-{b}".to_owned()];
        templates.extend((0..1_000).map(|number| format!("/{{a}}-{{b}}-{number}")));
        templates.extend((0..1_000).map(|number| format!("/x/{{a}}{number}/{{c}}")));
        templates.push("/x/y0/z".to_owned());
        let table = table(&templates);
        assert_eq!(
            search(&table, "GET", "/x/y0/z"),
            (
                0,
                Work {
                    places: 4,
                    expressions: 0
                }
            )
        );
        assert_eq!(
            search(&table, "GET", "/x-y-7"),
            (
                1,
                Work {
                    places: 2,
                    expressions: 1
                }
            )
        );
    }

    #[test]
    fn work_does_not_grow_with_the_number_of_routes() {
        let work = [10, 100, 1_000, 10_000].map(|count| {
            let mut templates = Vec::new();
            for number in 0..count / 5 {
                templates.push(format!("/api/things{number}"));
                templates.push(format!("/api/things{number}/{{id}}"));
                templates.push(format!("/api/things{number}/{{id:int}}/parts/{{part}}"));
                templates.push(format!("/api/things{number}/{{id}}:verb"));
                templates.push(format!("/files{number}/{{name}}-{{size:int}}.png"));
            }
            let table = table(&templates);
            [
                "/api/things1/7/parts/8",
                "/api/things1/x:verb",
                "/files1/a-7.png",
                "/other",
            ]
            .map(|path| search(&table, "GET", path).1)
        });
        assert!(work.iter().all(|each| *each == work[0]), "{work:?}");
    }
}
