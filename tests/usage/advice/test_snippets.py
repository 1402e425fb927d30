"""The functions that are suggested, line by line. That they compile and find what SQL finds, tests/official shows."""

from pathlib import Path

import pytest

from supavex.convex.schema import define_schema, define_table, v
from supavex.usage.advice.snippets import write
from supavex.usage.advice.tables import Sides, TableSide
from supavex.usage.advice.writer import Written
from supavex.usage.finding.functions import find_functions
from supavex.usage.finding.patterns import matches
from supavex.usage.finding.sources import read_sources
from tests.usage.conftest import uses_of

SCHEMA = define_schema(
    {
        "posts": define_table(
            {
                "author": v.id("people"),
                "title": v.string(),
                "status": v.string(default="draft"),
                "score": v.optional(v.number()),
                "tags": v.array(v.string()),
                "data": v.optional(v.any()),
            }
        )
        .index("by_author", ["author"])
        .index("by_author_score", ["author", "score"])
        .index("by_title", ["title"])
        .unique(["title"]),
        "people": define_table({"name": v.string()}),
        "groups": define_table({"name": v.string()}),
        "members": define_table({"person": v.id("people"), "in_group": v.id("groups")}).index("by_group", ["in_group"]),
    }
)
SIDES = Sides(
    {name: TableSide(name, "mapped", name, definition=table) for name, table in SCHEMA.tables.items()}, SCHEMA
)


def suggested(folder: Path, code: str, table: str = "posts") -> Written:
    (use,) = uses_of(folder, a__ts=f"supabase.from('{table}'){code}")
    assert use.query is not None
    return write(SIDES, SIDES.table(table), use.query)


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        (".select().eq('author', a).order('score')", [
            'return await ctx.db.query("posts")',
            '  .withIndex("by_author_score", (q) => q.eq("author", args.author))',
            "  .collect();",
        ]),
        (".select().eq('author', a).order('score', { ascending: false }).limit(n)", [
            'return await ctx.db.query("posts")',
            '  .withIndex("by_author_score", (q) => q.eq("author", args.author))',
            '  .order("desc")',
            "  .take(args.limit);",
        ]),
        (".select().eq('title', t).limit(1).maybeSingle()", [
            'return await ctx.db.query("posts").withIndex("by_title", (q) => q.eq("title", args.title)).first();',
        ]),
        (".select().gt('score', 1).lte('score', 5).eq('author', a).range(0, 9)", [
            'return await ctx.db.query("posts")',
            '  .withIndex("by_author_score", (q) => q.eq("author", args.author).gt("score", 1).lte("score", 5))',
            "  .paginate(args.paginationOpts);",
        ]),
        (".select('*', { count: 'exact', head: true }).eq('author', a)", [
            'return (await ctx.db.query("posts").withIndex("by_author", (q) => q.eq("author", args.author)).collect())'
            ".length;",
        ]),
        # SQL's NULL is not less than anything; what is absent in Convex is less than everything.
        (".select().eq('title', t).lt('score', 5)", [
            'return await ctx.db.query("posts")',
            '  .withIndex("by_title", (q) => q.eq("title", args.title))',
            '  .filter((q) => q.and(q.neq(q.field("score"), undefined), q.lt(q.field("score"), 5)))',
            "  .collect();",
        ]),
        (".select().eq('id', id)", ["return await ctx.db.get(args.id);"]),
        (".select().eq('id', id).eq('status', 'published').single()", [
            "const row = await ctx.db.get(args.id);",
            'if (row === null || !(row.status === "published")) throw new Error("no such row in posts");',
            "return row;",
        ]),
        (".select('*, people(name)').in('id', ids)", [
            "const rows = (await Promise.all(args.ids.map((id) => ctx.db.get(id)))).filter((row) => row !== null);",
            "return await Promise.all(rows.map(async (row) => "
            "({ ...row, people: ((one) => one && ({ name: one.name }))(await ctx.db.get(row.author)) })));",
        ]),
        (".select().eq('author', a).or('status.eq.draft,score.is.null')", [
            'return await ctx.db.query("posts")',
            '  .withIndex("by_author", (q) => q.eq("author", args.author))',
            '  .filter((q) => q.or(q.eq(q.field("status"), "draft"), q.eq(q.field("score"), undefined)))',
            "  .collect();",
        ]),
        (".insert({ author: a, title: 'T', tags: ['x'] })", [
            'return await ctx.db.insert("posts", '
            '{ author: args.author, title: "T", tags: args.tags, status: "draft" });',
        ]),
        (".insert(rows)", ['return await ctx.db.insert("posts", args.document);']),
        (".insert([a, b])", ['for (const document of args.documents) await ctx.db.insert("posts", document);']),
        (".upsert(row, { onConflict: 'title' })", [
            'const existing = await ctx.db.query("posts")',
            '  .withIndex("by_title", (q) => q.eq("title", args.document.title))',
            "  .unique();",
            "if (existing !== null) {",
            "  await ctx.db.patch(existing._id, args.document);",
            "  return existing._id;",
            "}",
            'return await ctx.db.insert("posts", args.document);',
        ]),
        (".insert([a, b]).select('title')", [
            'const ids = await Promise.all(args.documents.map((document) => ctx.db.insert("posts", document)));',
            "const rows = (await Promise.all(ids.map((id) => ctx.db.get(id)))).filter((row) => row !== null);",
            "return rows.map((row) => ({ title: row.title }));",
        ]),
        # An upsert returns the row, too; of one that it leaves alone there is none.
        (".upsert(row, { onConflict: 'title' }).select('title').single()", [
            'const existing = await ctx.db.query("posts")',
            '  .withIndex("by_title", (q) => q.eq("title", args.document.title))',
            "  .unique();",
            "if (existing !== null) await ctx.db.patch(existing._id, args.document);",
            'const id = existing !== null ? existing._id : await ctx.db.insert("posts", args.document);',
            "const row = await ctx.db.get(id);",
            'if (row === null) throw new Error("no such row in posts");',
            "return { title: row.title };",
        ]),
        (".upsert(row).select()", [
            "if (args.id !== undefined) await ctx.db.replace(args.id, args.document);",
            'const id = args.id !== undefined ? args.id : await ctx.db.insert("posts", args.document);',
            "return await ctx.db.get(id);",
        ]),
        (".upsert(row, { onConflict: 'title', ignoreDuplicates: true }).select().single()", [
            'const existing = await ctx.db.query("posts")',
            '  .withIndex("by_title", (q) => q.eq("title", args.document.title))',
            "  .unique();",
            'if (existing !== null) throw new Error("no such row in posts");',
            'const id = await ctx.db.insert("posts", args.document);',
            "const row = await ctx.db.get(id);",
            'if (row === null) throw new Error("no such row in posts");',
            "return row;",
        ]),
        (".update({ score: null }).eq('id', id)", ["await ctx.db.patch(args.id, { score: undefined });"]),
        (".update({ score: s }).eq('author', a)", [
            'const rows = await ctx.db.query("posts").withIndex("by_author", (q) => q.eq("author", args.author))'
            ".collect();",
            "for (const row of rows) await ctx.db.patch(row._id, { score: args.score });",
        ]),
        (".delete().in('id', ids)", ["for (const id of args.ids) await ctx.db.delete(id);"]),
        (".delete().ilike('title', 'Task%')", [
            'const rows = await ctx.db.query("posts").collect();',
            'for (const row of rows) if (row.title.toLowerCase().startsWith("task")) await ctx.db.delete(row._id);',
        ]),
        # A pattern without wildcards is a text, and an index finds it.
        (r".select().like('title', 'a\\_b')", [
            'return await ctx.db.query("posts").withIndex("by_title", (q) => q.eq("title", "a_b")).collect();',
        ]),
        (".update({ score: 0 }).eq('author', a).select().single()", [
            'const rows = await ctx.db.query("posts").withIndex("by_author", (q) => q.eq("author", args.author))'
            ".collect();",
            'if (rows.length !== 1) throw new Error("not the rows of posts that it should change");',
            "for (const row of rows) await ctx.db.patch(row._id, { score: 0 });",
            "const row = (await Promise.all(rows.map((row) => ctx.db.get(row._id)))).filter((row) => row !== null)[0] "
            "?? null;",
            "return row;",
        ]),
        # Only what was selected leaves the server.
        (".select('id, title').eq('author', a)", [
            'const rows = await ctx.db.query("posts").withIndex("by_author", (q) => q.eq("author", args.author))'
            ".collect();",
            "return rows.map((row) => ({ _id: row._id, title: row.title }));",
        ]),
        (".select('title').eq('title', t).single()", [
            'const row = await ctx.db.query("posts").withIndex("by_title", (q) => q.eq("title", args.title)).unique();',
            'if (row === null) throw new Error("no such row in posts");',
            "return { title: row.title };",
        ]),
        # Of a list that is not known, nothing that may not have been selected.
        (".select(columns).eq('id', id)", [
            "const row = await ctx.db.get(args.id);",
            "if (row === null) return null;",
            "return { _id: row._id };",
        ]),
        (".select(`title, ${more}`).eq('id', id)", [
            "const row = await ctx.db.get(args.id);",
            "if (row === null) return null;",
            "return { title: row.title };",
        ]),
        (".select('nothing').eq('id', id)", [
            "const row = await ctx.db.get(args.id);",
            "if (row === null) return null;",
            "return {};",
        ]),
        # Other names, parts of JSON, and all columns with another one.
        (".select('value:id, n:title').eq('id', id)", [
            "const row = await ctx.db.get(args.id);",
            "if (row === null) return null;",
            "return { value: row._id, n: row.title };",
        ]),
        (".select('data->a->>b, x:data->0, *, n:title').eq('id', id)", [
            "const row = await ctx.db.get(args.id);",
            "if (row === null) return null;",
            "return { ...row, b: row.data?.a?.b, x: row.data?.[0], n: row.title };",
        ]),
        (".select('title->>a, tags->-1').eq('id', id)", [
            "const row = await ctx.db.get(args.id);",
            "if (row === null) return null;",
            "return { a: JSON.parse(row.title)?.a, tags: (row.tags as any)?.at(-1) };",
        ]),
        (".select('title, ...people(who:name)').eq('id', id).single()", [
            "const row = await ctx.db.get(args.id);",
            'if (row === null) throw new Error("no such row in posts");',
            "return { title: row.title, ...(((one) => one && ({ who: one.name }))(await ctx.db.get(row.author))) };",
        ]),
        (".select('people(*, who:name)').eq('id', id).single()", [
            "const row = await ctx.db.get(args.id);",
            'if (row === null) throw new Error("no such row in posts");',
            "return { people: ((one) => one && ({ ...one, who: one.name }))(await ctx.db.get(row.author)) };",
        ]),
        (".insert({ author: a, title: 'T', tags: ['x'] }).select('id').single()", [
            'const id = await ctx.db.insert("posts", '
            '{ author: args.author, title: "T", tags: args.tags, status: "draft" });',
            "const row = await ctx.db.get(id);",
            'if (row === null) throw new Error("no such row in posts");',
            "return { _id: row._id };",
        ]),
        (".update({ score: 0 }).eq('id', id).select('title').single()", [
            "const row = await ctx.db.get(args.id);",
            'if (row === null) throw new Error("no such row in posts");',
            "await ctx.db.patch(row._id, { score: 0 });",
            "const changed = await ctx.db.get(row._id);",
            "return changed && ((row) => ({ title: row.title }))(changed);",
        ]),
        (".delete().eq('id', id).eq('author', a).select().single()", [
            "const row = await ctx.db.get(args.id);",
            'if (row === null || !(row.author === args.author)) throw new Error("no such row in posts");',
            "await ctx.db.delete(row._id);",
            "return row;",
        ]),
        (".delete().eq('author', a).select()", [
            'const rows = await ctx.db.query("posts").withIndex("by_author", (q) => q.eq("author", args.author))'
            ".collect();",
            "for (const row of rows) await ctx.db.delete(row._id);",
            "return rows;",
        ]),
        (".delete().like('title', '%x').maxAffected(n)", [
            'const rows = (await ctx.db.query("posts").collect()).filter((row) => row.title.endsWith("x"));',
            'if (rows.length > args.most) throw new Error("not the rows of posts that it should change");',
            "for (const row of rows) await ctx.db.delete(row._id);",
        ]),
    ],
)  # fmt: skip
def test_the_lines_of_a_function(tmp_path: Path, code: str, lines: list[str]) -> None:
    snippet = suggested(tmp_path, code).snippet
    assert snippet is not None
    assert "\n".join(snippet.body).split("\n") == lines


def test_rows_of_other_tables_by_a_table_between(tmp_path: Path) -> None:
    snippet = suggested(tmp_path, ".select('name, people(name)').eq('id', id).single()", "groups").snippet
    assert snippet is not None
    found = 'ctx.db.query("members").withIndex("by_group", (q) => q.eq("in_group", row._id)).collect()'
    assert (
        f"people: (await Promise.all((await {found}).map((one) => ctx.db.get(one.person)))).map((one) =>"
        in snippet.function()
    )
    other = suggested(tmp_path, ".select('*, members(count)')", "people")
    assert other.snippet is not None and ").length }]" in other.snippet.function()
    assert 'members needs .index("by_person", ["person"]) for members.' in other.notes


def test_a_variable_is_no_name_of_a_column(tmp_path: Path) -> None:
    for name in ("columns", "FIELDS", "opts.columns", "['id', 'title'].join(',')"):
        notes = suggested(tmp_path, f".select({name}).eq('id', id)").notes
        assert not any("has no field" in note for note in notes)


def test_pythons_select_takes_a_column_an_argument(tmp_path: Path) -> None:
    code = "supabase.table('posts').select('id', 'n:title', count='exact').eq('author', a).execute()"
    (use,) = uses_of(tmp_path, a__py=code)
    assert use.query is not None and use.what.startswith("select id, n:title where author = a")
    snippet = write(SIDES, SIDES.table("posts"), use.query).snippet
    assert snippet is not None and "({ _id: row._id, n: row.title })" in snippet.function()


def test_a_row_left_out_by_an_inner_join_is_said(tmp_path: Path) -> None:
    said = "Not in this code: {}!inner leaves out the rows that have none."
    assert said.format("members") in suggested(tmp_path, ".select('*, members!inner(*)')", "people").notes
    # Each post has its author.
    assert said.format("people") not in suggested(tmp_path, ".select('*, people!inner(name)')").notes


def test_what_is_embedded_of_a_table_without_a_source_is_what_was_selected(tmp_path: Path) -> None:
    sides = Sides({"posts": SIDES.table("posts")}, SCHEMA)
    (use,) = uses_of(tmp_path, a__ts="supabase.from('posts').select('title, author(name)').eq('id', id)")
    assert use.query is not None
    snippet = write(sides, sides.table("posts"), use.query).snippet
    assert snippet is not None
    assert "author: ((one) => one && ({ name: one.name }))(await ctx.db.get(row.author))" in snippet.function()


def test_arguments_have_the_fields_validators(tmp_path: Path) -> None:
    snippet = suggested(
        tmp_path, ".select().eq('author', a).in('status', s).contains('tags', t).gte('score', x)"
    ).snippet
    assert snippet is not None
    assert snippet.args == {
        "author": 'v.id("people")',
        "status_in": "v.array(v.string())",
        "tags": "v.array(v.string())",
        "score_gte": "v.number()",
    }


@pytest.mark.parametrize(
    ("code", "note"),
    [
        (".select().eq('nowhere', 1)", "Not in this code: nowhere = 1: nowhere has no field in Convex."),
        (".select().eq(column, 1)", "Not in this code: ? = 1: the column is not known here."),
        (".select().eq('people.name', 'x')", "Not in this code: people.name = 'x': of an embedded table"),
        (".select().eq('data->>a', 'x')", "Not in this code: data->>a = 'x': inside JSON"),
        (".select().contains('data', x)", "Not in this code: data contains x: Convex has nothing like it"),
        (".select().or('and(a.eq.1,b.eq.2)')", "Not in this code: or(and(a.eq.1,b.eq.2)): q.or(…) in .filter"),
        (".select().ilike('title', x)", "a search index finds words by their beginnings"),
        (".select().like('title', '%x%')", "a search index finds words by their beginnings"),
        (".select().in('title', ['a', 'b'])", "a query of by_title for each title, with Promise.all, reads less"),
        (".select().order('score')", "Rows without score sort as the least"),
        (".select('*', { count: 'exact' })", "The count of all rows is another query"),
        (".select()", "It reads the whole table: .take(n)"),
        (".select(columns).eq('id', id)", "Which columns columns names is not known here: return the fields"),
        (".select('title::int').eq('id', id)", "title::int: the value without the cast."),
        (".select('data->>a').eq('id', id)", "data->>a: the value itself, and not its text."),
        (".select('people(name, hair)').eq('id', id)", "hair has no field in Convex."),
        (".select(`people(${names})`).eq('id', id)", "people: which columns ${…} names is not known here"),
        (".insert({})", "title was unique"),
        (".delete().eq('author', a)", "in batches"),
    ],
)
def test_what_a_person_has_to_know(tmp_path: Path, code: str, note: str) -> None:
    assert any(note in one for one in suggested(tmp_path, code).notes), suggested(tmp_path, code).notes


@pytest.mark.parametrize(
    "code",
    [
        ".select().eq(c, 1).single()",
        ".select('status, score.sum()')",
        ".select('count()').eq('author', a)",
        ".delete().eq('x', 1)",
        ".update({}).eq(c, 1)",
        ".update({ score: 0 }).gt('score', 5).order('id').limit(1)",
        ".delete().eq('author', a).range(0, 9)",
        ".delete().textSearch('title', 'foo & bar')",
        ".select('*', { count: 'exact', head: true }).textSearch('title', 'foo')",
        ".delete().like('title', 'ends with \\\\')",
        ".delete().like('author', 'a%')",
        ".delete().or('title.like(any).{a,b},score.eq.1')",
        ".delete().eq('author', a).rollback()",
        ".delete().eq('score', null)",
        ".update({ score: 1 }).neq('score', null)",
        ".delete()",
        ".update({ score: 0 })",
        ".delete().unheardOf('title', 'x').eq('author', a)",
    ],
)
def test_no_code_that_would_take_other_rows(tmp_path: Path, code: str) -> None:
    found = suggested(tmp_path, code)
    assert found.snippet is None
    assert found.notes[0].startswith("No code: ")


def test_no_change_by_a_query_to_which_a_function_may_add(tmp_path: Path) -> None:
    code = "const q = supabase.from('posts').delete().eq('author', a);\nawait only(q, mine)"
    (use,) = uses_of(tmp_path, a__ts=code)
    assert use.query is not None and use.what == "delete where author = a then a function that is given it"
    assert write(SIDES, SIDES.table("posts"), use.query).snippet is None
    (use,) = uses_of(tmp_path, a__ts="const q = supabase.from('posts').insert({ title: 'x' });\nawait run(q)")
    assert use.query is not None and write(SIDES, SIDES.table("posts"), use.query).snippet is not None


def test_no_change_by_filters_that_may_all_be_missing(tmp_path: Path) -> None:
    (use,) = uses_of(
        tmp_path, a__ts="let q = supabase.from('posts').delete();\nif (a) q = q.eq('author', a);\nawait q;"
    )
    assert use.query is not None and use.what == "delete where [author = a]"
    found = write(SIDES, SIDES.table("posts"), use.query)
    assert found.snippet is None and "without one it would change every row" in found.notes[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", True),
        (", { ascending: true, nullsFirst: true }", False),
        (", { nullsFirst: false }", True),
        (", { nullsFirst: first }", True),
        (", { ascending: false }", True),
        (", { ascending: false, nullsFirst: false }", False),
    ],
)
def test_where_nulls_sort_is_said_where_it_differs(tmp_path: Path, options: str, said: bool) -> None:
    notes = suggested(tmp_path, f".select().order('score'{options})").notes
    assert any("Rows without score" in note for note in notes) is said


@pytest.mark.parametrize(
    ("pattern", "test"),
    [
        ("", 'row.t === ""'),
        ("a", 'row.t === "a"'),
        ("a%", 'row.t.startsWith("a")'),
        ("%%a", 'row.t.endsWith("a")'),
        ("*a*", 'row.t.includes("a")'),
        ("%", "true"),
        ("a_", "/^a.$/su.test(row.t)"),
        (r"50\%%", 'row.t.startsWith("50%")'),
        ("a%.*/(\n", r"/^a.*\..*\/\(\u{a}$/su.test(row.t)"),
        ("\\", None),
    ],
)
def test_patterns(pattern: str, test: str | None) -> None:
    assert matches("row.t", pattern, fold=False) == test
    folded = matches("row.t", pattern.upper(), fold=True)
    assert folded == (test.replace("row.t", "row.t.toLowerCase()") if test is not None else None)


def test_the_functions_that_are_there_already(tmp_path: Path) -> None:
    convex = tmp_path / "convex"
    (convex / "blog").mkdir(parents=True)
    (convex / "schema.ts").write_text("export default defineSchema({}) // db")
    (convex / "blog/posts.ts").write_text(
        """
export const list = query({ handler: async (ctx) => ctx.db.query("posts").withIndex("by_title").collect() });
export const secret = internalMutation({
  args: { id: v.id("posts") },
  handler: async (ctx, { id }) => { await ctx.db.delete(id); await helper(ctx); },
});
export const add = userMutation(async (ctx, args) => await ctx.db.insert("people", args));
export const call = action(async (ctx) => { ctx.db.query("posts") });
const helper = (ctx) => ctx.db.query("groups").first();
"""
    )
    found = {one.name: one for one in find_functions(read_sources(tmp_path).files, "convex")}
    assert sorted(found) == [
        "api.blog.posts.add",
        "api.blog.posts.call",
        "api.blog.posts.list",
        "internal.blog.posts.secret",
    ]
    assert found["api.blog.posts.list"].indexes == {"by_title"}
    serving = [
        (name, table, writing)
        for name, one in found.items()
        for table in SCHEMA.tables
        for writing in (False, True)
        if one.serves(table, writing=writing)
    ]
    assert sorted(serving) == [
        ("api.blog.posts.add", "people", True),
        ("api.blog.posts.list", "posts", False),
        ("internal.blog.posts.secret", "posts", True),
    ]
