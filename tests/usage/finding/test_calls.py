"""What is a call of Supabase, and what only looks like one."""

from pathlib import Path

import pytest

from tests.usage.conftest import uses_of


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


CLIENT = """
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
export const c = createClient(url, key);
export const getC = async () => c;
export type Db = SupabaseClient<Database>;
export const DbContext = createContext<Db | null>(null);
export const useDb = () => useContext(DbContext);
export const useAll = () => ({ client: c, user: null });
export class Repo { protected conn: Db; get own() { return c } open() { return c } }
export default c;
"""
SIGN_OUT = "auth auth.signOut: call"
ROWS = "table t: select *"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        # Parts of a client with names of their own.
        ("import { c } from './c'; const { auth } = c; auth.signOut()", [SIGN_OUT]),
        ("import { c } from './c'; const a = c.auth; const f = () => a.signOut()", [SIGN_OUT]),
        ("import { c } from './c'; const { signOut } = c.auth; signOut()", [SIGN_OUT]),
        ("import { c } from './c'; const { auth: { admin } } = c; admin.listUsers()",
         ["auth auth.admin.listUsers: call"]),
        ("import { c } from './c'; class A { auth = c.auth; out() { return this.auth.signOut() } }", [SIGN_OUT]),
        ("import { c } from './c'; const { rpc, storage } = c; rpc('f'); storage.from('b').list()",
         ["rpc f: call", "storage b: list"]),
        ("import { c } from './c'; const from = c.from.bind(c); from('t').select()", [ROWS]),
        ("import { c } from './c'; const { functions: fs } = c; fs.invoke('f')", ["function f: invoke"]),
        ("import { c } from './c'; const q = c.schema('x'); q.from('t').select()", [ROWS]),
        ("import { c } from './c'; c.realtime.setAuth(token)", ["realtime ?: realtime.setAuth"]),
        ("import { c } from './c'; c?.auth?.signOut?.()", [SIGN_OUT]),
        ("import { c } from './c'; c!['auth'].signOut()", [SIGN_OUT]),
        # What gives a client.
        ("import { getC } from './c'; getC().then((x) => x.auth.signOut())", [SIGN_OUT]),
        ("import { getC } from './c'; getC().then(({ auth }) => auth.signOut())", [SIGN_OUT]),
        ("import { getC } from './c'; getC().then(async function (x) { await x.rpc('f') }).catch(log)",
         ["rpc f: call"]),
        ("import { getC } from './c'; (await (await getC()).from('t').select())", [ROWS]),
        ("import { getC } from './c'; const x = await getC(); x.auth.signOut()", [SIGN_OUT]),
        ("const { supabase: x } = useSupabase(); x.auth.signOut()", [SIGN_OUT]),
        ("import { useAll } from './c'; const { client: x } = useAll(); x.auth.signOut()", [SIGN_OUT]),
        ("import { useDb } from './c'; const x = useDb(); x.auth.signOut()", [SIGN_OUT]),
        ("import { useDb } from './c'; useDb()?.auth.signOut()", [SIGN_OUT]),
        ("import { DbContext } from './c'; const x = use(DbContext)!; x.auth.signOut()", [SIGN_OUT]),
        ("import { c } from './c'; const x = useMemo(() => c, []); x.auth.signOut()", [SIGN_OUT]),
        ("import { c } from './c'; const [x] = useState(() => c); x.auth.signOut()", [SIGN_OUT]),
        ("import { c } from './c'; const r = useRef(c); r.current.auth.signOut()", [SIGN_OUT]),
        ("import { c } from './c'; const get = cache(async () => c); (await get()).auth.signOut()", [SIGN_OUT]),
        ("import { c } from './c'; let x = null; const f = () => (x ??= c); f().auth.signOut()", [SIGN_OUT]),
        ("import { c } from './c'; const x = admin ? other() : c; x.auth.signOut()", [SIGN_OUT]),
        ("import { c } from './c'; const x = c as any; x.auth.signOut()", [SIGN_OUT]),
        ("const x = other() as SupabaseClient; x.auth.signOut()", [SIGN_OUT]),
        ("const x = inject<SupabaseClient>('x'); x.auth.signOut()", [SIGN_OUT]),
        # Through files.
        ("import x from './c'; x.auth.signOut()", [SIGN_OUT]),
        ("import * as all from './c'; all.c.auth.signOut(); all.default.rpc('f')", [SIGN_OUT, "rpc f: call"]),
        ("const { c: x } = require('./c'); x.auth.signOut()", [SIGN_OUT]),
        ("const x = (await import('./c')).default; x.auth.signOut()", [SIGN_OUT]),
        ("import x from './again'; x.auth.signOut()", [SIGN_OUT]),
        ("import { named } from './again'; named.auth.signOut()", [SIGN_OUT]),
        ("import x from './passed'; x.auth.signOut()", [SIGN_OUT]),
        ("const x = require('./common'); x.auth.signOut()", [SIGN_OUT]),
        ("const { x } = require('./common2'); x.auth.signOut()", [SIGN_OUT]),
        ("import { Repo } from './c'; new Repo().own.auth.signOut(); new Repo().open().rpc('f')",
         [SIGN_OUT, "rpc f: call"]),
        # By types, of parameters and fields.
        ("import { Db } from './c'; const f = (x: Db) => x.auth.signOut()", [SIGN_OUT]),
        ("import { Db } from './c'; const f = (x?: Promise<Db> | null) => x.rpc('f')", ["rpc f: call"]),
        ("import { Db } from './c'; function f({ x }: { x: Db; y: string }) { x.auth.signOut() }", [SIGN_OUT]),
        ("import { Db } from './c'; function f({ x: y }: { x: Db }) { y.auth.signOut() }", [SIGN_OUT]),
        ("import { Db } from './c'; interface P { x: Db }; function f({ x }: P) { x.auth.signOut() }", [SIGN_OUT]),
        ("import { Db } from './c'; const f = (ctx: { db: Db }) => ctx.db.auth.signOut()", [SIGN_OUT]),
        ("import { Db } from './c'; class S { constructor(private x: Db) {} f() { this.x.auth.signOut() } }",
         [SIGN_OUT]),
        ("import { Db } from './c'; class S { #x: Db; f() { this.#x.auth.signOut() } }", [SIGN_OUT]),
        ("import { c } from './c'; class S { constructor() { this.x = c } f() { this.x.auth.signOut() } }", [SIGN_OUT]),
        ("import { getC } from './c'; function f(x: Awaited<ReturnType<typeof getC>>) { x.auth.signOut() }",
         [SIGN_OUT]),
        ("import { Db } from './c'; declare const make: any; function get(): Promise<Db> { return make() }\n"
         "(await get()).auth.signOut()", [SIGN_OUT]),
        ("import { Db } from './c'; function f(get: () => Db) { get().auth.signOut() }", [SIGN_OUT]),
        # What a variable holds, in other functions.
        ("import { c } from './c'; const q = c.from('t'); const f = async () => { await q.insert({ a: 1 }) }",
         ["table t: insert a"]),
        ("import { c } from './c'; const f = () => q.select(); const q = c.from('t')", [ROWS]),
        ("import { c } from './c'; export const q = c.from('t')", ["table t: a query that is built here"]),
        ("import { c } from './c'; let q = c.from('t').select(); fs.forEach((f) => { q = q.eq('a', f) })",
         ["table t: select * where [a = f]"]),
        ("import { c } from './c'; const q = c.from('t').delete(); ids.map((i) => q.eq('id', i))",
         ["table t: delete", "table t: delete where id = i"]),
        ("import { c } from './c'; const q = c.from('t').select(); const f = (q) => q.eq('a', 1)", [ROWS]),
        # Names that shadow a client are others.
        ("import { c } from './c'; function f(c) { c.auth.signOut() }", []),
        ("import { c } from './c'; cars.forEach((c) => c.auth.signOut())", []),
        ("import { c } from './c'; const { auth } = clerk; auth.signOut()", []),
    ],
)  # fmt: skip
def test_where_an_object_comes_from(tmp_path: Path, code: str, found: list[str]) -> None:
    (tmp_path / "c.ts").write_text(CLIENT)
    (tmp_path / "again.ts").write_text("import { c } from './c';\nexport { c as named };\nexport default c;")
    (tmp_path / "passed.ts").write_text("export { default } from './again';")
    (tmp_path / "common.js").write_text("module.exports = require('./c').c;")
    (tmp_path / "common2.js").write_text("const { c } = require('./c');\nmodule.exports = { x: c };")
    uses = [use for use in uses_of(tmp_path, a__tsx=code) if use.file == "a.tsx"]
    assert [f"{use.kind} {use.name or '?' + use.expression}: {use.what}" for use in uses] == found
    assert all(use.sure for use in uses)


@pytest.mark.parametrize(
    "code",
    [
        "import * as Supa from '@supabase/supabase-js'; const x = Supa.createClient(u, k)",
        "import Supa from '@supabase/supabase-js'; const x = Supa.createClient(u, k)",
        "import { createClient as cc } from '@supabase/supabase-js'; const x = cc(u, k)",
        "const { createClient } = require('@supabase/supabase-js'); const x = createClient(u, k)",
        "const { createClient: cc } = require('@supabase/supabase-js'); const x = cc(u, k)",
        "const Supa = require('@supabase/supabase-js'); const x = Supa.createClient(u, k)",
        "const x = require('@supabase/supabase-js').createClient(u, k)",
        "const { createClient } = await import('@supabase/supabase-js'); const x = createClient(u, k)",
    ],
)
def test_clients_under_other_names(tmp_path: Path, code: str) -> None:
    found = whats(tmp_path, a__ts=f"{code};\nx.auth.signOut()")
    assert sorted(found) == [
        SIGN_OUT,
        "client @supabase/supabase-js: import",
        "client createClient: make a client",
    ]


def test_parts_that_are_made_alone(tmp_path: Path) -> None:
    code = """
import { StorageClient } from '@supabase/storage-js';
import { PostgrestClient } from '@supabase/postgrest-js';
import { GoTrueClient } from '@supabase/auth-js';
new StorageClient(u).from('b').list();
new PostgrestClient(u).from('t').select();
const a = new GoTrueClient({ url }); a.signOut();
"""
    found = [one for one in whats(tmp_path, a__ts=code) if not one.startswith("client")]
    assert found == ["storage b: list", ROWS, SIGN_OUT]


@pytest.mark.parametrize(
    ("address", "found", "sure"),
    [
        ("'https://x.supabase.co/rest/v1/t?select=id'", "table t: call over HTTP", True),
        ("`${process.env.SUPABASE_URL}/rest/v1/t`", "table t: call over HTTP", True),
        ("`${base}/rest/v1/t`", "table t: call over HTTP", False),
        ("'https://api.example.com/rest/v1/t'", "table t: call over HTTP", False),
        ("SUPABASE_URL + '/rest/v1/' + t", "table ?its address: call over HTTP", False),
        ("`http://localhost:54321/rest/v1/${t}?a=eq.1`", "table ?${t}: call over HTTP", True),
        ("'https://x.supabase.co/rest/v1/rpc/f'", "rpc f: call over HTTP", True),
        ("'https://x.supabase.co/graphql/v1'", "table ?GraphQL: call over HTTP", True),
        ("'https://x.supabase.co/auth/v1/token?grant_type=password'", "auth auth.token: call over HTTP", True),
        ("'https://x.supabase.co/functions/v1/hello'", "function hello: call over HTTP", True),
        ("'https://x.functions.supabase.co/hello'", "function hello: call over HTTP", True),
        ("'https://x.supabase.co/storage/v1/object/public/b/a.png'", "storage b: call over HTTP", True),
        ("'wss://x.supabase.co/realtime/v1/websocket'", "realtime ?: call over HTTP", True),
        ("`https://x.supabase.co${path}`", "client x.supabase.co: address", True),
    ],
)
def test_addresses(tmp_path: Path, address: str, found: str, sure: bool) -> None:
    uses = uses_of(tmp_path, a__ts=f"await fetch({address}, {{ method: 'DELETE' }})")
    (use,) = [use for use in uses if use.what != "environment variable"]
    assert f"{use.kind} {use.name or '?' + use.expression}: {use.what}" == found
    assert use.sure is sure


@pytest.mark.parametrize(
    "code",
    [
        "import knex from 'knex'; const db = knex({}); export const f = () => db.from('t').select('id')",
        "import { Knex } from 'knex'; export const f = (db: Knex) => db.from('t').select('id')",
        "import { db } from './own'; db.from('t').select()",
        "import { db } from 'some-package'; db.from('t').select()",
        "const storage = { from: (x: string) => x }; storage.from('t')",
        "const functions = { invoke: (x: string) => x }; functions.invoke('f')",
        "const supabase = { from: vi.fn() }; supabase.from('t').select(); supabase.auth.getUser()",
        "const s = 'https://supabase.com/docs/rest/v2'",
    ],
)
def test_what_comes_from_elsewhere_is_not_supabases(tmp_path: Path, code: str) -> None:
    (tmp_path / "own.ts").write_text(
        "import { drizzle } from 'drizzle-orm/pg';\nexport const db = drizzle(url);\n// .from("
    )
    assert whats(tmp_path, a__ts=code) == []


@pytest.mark.parametrize(
    "code",
    [
        "export const f = (db) => db.from('t').select()",
        "import { db } from '@acme/data'; db.from('t').select()",
        "export const f = ({ storage }) => storage.from('b').list()",
    ],
)
def test_what_may_be_supabases_is_said_to(tmp_path: Path, code: str) -> None:
    (use,) = uses_of(tmp_path, a__ts=code)
    assert not use.sure


def test_addresses_in_python(tmp_path: Path) -> None:
    code = "requests.delete(f'{SUPABASE_URL}/rest/v1/{table}?id=eq.1')\nrequests.get(f'{SUPABASE_URL}/rest/v1/t')"
    assert whats(tmp_path, a__py=code) == ["table ?{table}: call over HTTP", "table t: call over HTTP"]


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
import supabase as supa
from supabase import create_client as cc
other = supa.create_client(url, key)
other.auth.sign_out()
cc(url, key).rpc("f").execute()
auth = other.auth
auth.get_user()
def given() -> AsyncClient: ...
async def f(x=Depends(given)):
    await x.auth.get_user()
    async with given() as y:
        await y.rpc("g").execute()
    def inner(y): y.rpc("not")
from sqlalchemy import db
db.from_("t").select("a")
'''sb.table("t").delete()'''  # sb.table("t").delete()
"""
    assert [one for one in whats(tmp_path, a__py=code) if not one.startswith("client")] == [
        "table t: select a, b where id in ids, or(a.eq.1,b.is.null)",
        'table t: select * where a textSearch "x" maybeSingle with count',
        "table t: upsert a on conflict a, b",
        "auth auth.sign_out: call",
        "auth auth.sign_out: call",
        "rpc f: call",
        "auth auth.get_user: call",
        "auth auth.get_user: call",
        "rpc g: call",
    ]


def test_broken_code_hides_nothing_around_it(tmp_path: Path) -> None:
    code = "supabase.from('a').select()\nfunction ( { ]]\nsupabase.from('b').select()\n"
    assert whats(tmp_path, a__ts=code) == ["table a: select *", "table b: select *"]
