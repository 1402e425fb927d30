from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "people": define_table(
            {"name": v.string(), "email": v.string(unique=True), "boss": v.optional(v.id("people"))}
        ),
        "profiles": define_table({"id": v.id("people"), "bio": v.optional(v.string())}),
        "countries": define_table({"code": v.string(), "title": v.string()}),
        "counters": define_table({"n": v.number()}),
        "hens": define_table({"egg": v.optional(v.id("eggs"))}),
        "eggs": define_table({"hen": v.optional(v.id("hens"))}),
        "memberships": define_table(
            {"person": v.id("people"), "country": v.id("countries"), "role": v.union(v.string(), v.null())}
        ),
        "letters": define_table(
            {
                "sender": v.optional(v.id("people")),
                "owner": v.optional(v.string()),
                "country": v.optional(v.id("countries")),
                "counter": v.optional(v.id("counters")),
                "loose": v.optional(v.id("people")),
                "supabaseId": v.string(),
            }
        ),
    }
)
