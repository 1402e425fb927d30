"""What is a call of Supabase, and what only looks like one."""

from pathlib import Path

import pytest

from .conftest import uses_of


def whats(folder: Path, **files: str) -> list[str]:
    return [f"{use.kind} {use.name or '?' + use.expression}: {use.what}" for use in uses_of(folder, **files)]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("supabase.from('t').select()", "table t: select *"),
        ("supabase\n  // why\n  ?.from<Row>('t' as const)\n  .select(`a,\n b`)", "table t: select a, b"),
        ("(await createClient()).from('t').delete()", "table ?: "),
        ("this.supabase!.from('t').select('a').single()", "table t: select a single"),
        ("supabase.schema('x').from('t').select()", "table t: select *"),
        ("supabase.from(name).select()", "table ?name: select *"),
        ("supabase.from(`${p}_t`).select()", "table ?`${p}_t`: select *"),
        ("supabase.from(a ? 'b' : 'c').select()", "table ?a ? 'b' : 'c': select *"),
        ("anything.from('t').insert({ a: 1, ...rest })", "table t: insert a, …"),
        ("supabase.from('t').select('a' + ', b')", "table t: select a, b"),
        ("supabase.from('t').filter('a', 'not.in', '(1)')", "table t: a query that is built here where not a in '(1)'"),
        ("supabase.from('t').select().not('a', 'is', null)", "table t: select * where not a is null"),
        ("supabase.from('t').select().future('x')", "table t: select * then future"),
        ("supabase.from('t')", "table t: a query that is built here"),
        ("supabase.storage.from('b').upload(p, f)", "storage b: upload"),
        ("supabase.auth.admin.deleteUser(id)", "auth auth.admin.deleteUser: call"),
        ("supabase.auth.onAuthStateChange((e) => e)", "auth auth.onAuthStateChange: call"),
        ("supabase.rpc('f', { a, b: 2 })", "rpc f: call with a, b"),
        ("supabase.functions.invoke('f')", "function f: invoke"),
        ("supabase.channel('c').on('presence', {}, f).subscribe()", "realtime c: presence"),
        ("supabase.channel('c')", "realtime c: channel"),
        ("supabase.removeAllChannels()", "realtime ?: removeAllChannels"),
        ("<a b={supabase.from('t').select()} />", "table t: select *"),
        ("const x = { get: async () => { return supabase.from('t').select() } }", "table t: select *"),
        ("const { data: { user } } = await supabase.auth.getUser()", "auth auth.getUser: call"),
    ],
)
def test_calls(tmp_path: Path, code: str, found: str) -> None:
    if "createClient" in code:
        code = f"import {{ createClient }} from '@/utils/supabase/server';\n{code}"
        (tmp_path / "utils/supabase").mkdir(parents=True)
        maker = "export const createClient = async () => createServerClient(url, key)"
        (tmp_path / "utils/supabase/server.ts").write_text(maker)
        found = "table t: delete"
    assert whats(tmp_path, a__tsx=code) == [found]


@pytest.mark.parametrize(
    "code",
    [
        "// supabase.from('t').select()",
        "/* supabase.from('t').select() */",
        "const a = \"supabase.from('t').select()\"",
        "const a = `supabase.from('t').select()`",
        "const a = /supabase.from('t').select()/",
        "<p>supabase.from('t').select()</p>",
        "Array.from('supabase'); Buffer.from('t').select()",
        "import knex from 'knex'; knex.from('t').select('supabase')",
        "db.select().from('t') // supabase",
        "firebase.auth.signOut(); other.rpc('f'); cache.channel('c') // supabase",
        "supabase.from.mockReturnValue(1)",
        "import { createClient } from 'redis'; createClient().auth.x(); // supabase",
        "ctx.db.query('supabase').collect()",
    ],
)
def test_what_only_looks_like_a_call(tmp_path: Path, code: str) -> None:
    assert whats(tmp_path, a__tsx=code) == []


def test_code_inside_a_template_is_code(tmp_path: Path) -> None:
    assert whats(tmp_path, a__ts="`${(await supabase.from('t').select()).data}`") == ["table t: select *"]


def test_constants_of_the_file_are_known_and_ambiguous_names_are_not(tmp_path: Path) -> None:
    assert whats(tmp_path, a__ts="const T = 't', C = `c`;\nsupabase.from(T).select().eq(C, 1)") == [
        "table t: select * where c = 1"
    ]
    shadowed = "const T = 't';\nfunction f(T: string) { return supabase.from(T).select() }"
    assert whats(tmp_path, a__ts=shadowed) == ["table ?T: select *"]
    assert whats(tmp_path, a__ts="let T = 't';\nsupabase.from(T).select()") == ["table ?T: select *"]


def test_a_query_that_is_built_over_several_lines_is_one(tmp_path: Path) -> None:
    code = """
async function f(a, b) {
  let query = supabase.from("t").select("x");
  if (a) query = query.eq("a", a);
  query = query.gt("b", b);
  return await query.order("x").limit(3);
}
async function g(query) { return query.eq("c", 1) }
"""
    assert whats(tmp_path, a__js=code) == ["table t: select x where [a = a], b > b order x limit 3"]


def test_a_client_is_followed_through_files(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/index.ts").write_text(
        "import { createClient } from 'npm:@supabase/supabase-js';\n"
        "export function connect() { return createClient() }\n"
        "export const db = connect();\n"
    )
    found = whats(
        tmp_path,
        a__ts="import { db as d } from './lib';\nd.auth.getUser()",
        b__ts="import { connect } from '@/lib';\nconst x = connect();\nx.rpc('f')",
        c__ts="import { db } from './other';\ndb.auth.getUser() // supabase",
        d__ts="export * from './b2';",
        b2__ts="export { db } from './lib/index.js';",
        e__ts="import { db } from './d';\ndb.auth.signOut()",
        f__ts="function f(c: SupabaseClient<Database>) { c.rpc('g') }",
    )
    assert [one for one in found if not one.startswith("client")] == [
        "auth auth.getUser: call",
        "rpc f: call",
        "auth auth.signOut: call",
        "rpc g: call",
    ]


def test_python(tmp_path: Path) -> None:
    code = """
from supabase import create_client, AsyncClient
sb: AsyncClient = create_client(url, key)
class Repo:
    def __init__(self, client: AsyncClient) -> None:
        self.client = client
    async def rows(self, ids):
        return await self.client.table("t").select("a", "b").in_("id", ids).or_("a.eq.1,b.is.null").execute()
query = sb.from_("t").select("*", count="exact").text_search("a", "x").maybe_single()
sb.table("t").upsert({"a": 1}, on_conflict="a,b", ignore_duplicates=True).execute()
sb.auth.sign_out()
'''sb.table("t").delete()'''  # sb.table("t").delete()
"""
    assert [one for one in whats(tmp_path, a__py=code) if not one.startswith("client")] == [
        "table t: select a where id in ids, or(a.eq.1,b.is.null)",
        'table t: select * where a textSearch "x" maybeSingle with count',
        "table t: upsert a on conflict a, b",
        "auth auth.sign_out: call",
    ]


def test_broken_code_hides_nothing_around_it(tmp_path: Path) -> None:
    code = "supabase.from('a').select()\nfunction ( { ]]\nsupabase.from('b').select()\n"
    assert whats(tmp_path, a__ts=code) == ["table a: select *", "table b: select *"]
