from supavex.schema import define_schema, define_table, v

o = v.optional
schema = define_schema(
    {
        "events": define_table(
            {
                "kind": o(v.string()),
                "at": o(v.number()),
                "data": o(v.any()),
                "size": o(v.number()),
                "bits": o(v.bytes()),
            }
        ),
        "readings": define_table({"sensor": v.number(default=0), "value": o(v.number())}),
        "people": define_table({"name": o(v.string())}),
        "visits": define_table({"id": v.number(), "person": o(v.id("people")), "odd": o(v.string())}),
        "logged": define_table({"line": o(v.string()), "supabaseId": v.string()}),
    }
)
