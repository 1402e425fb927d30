from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "profiles": define_table({"name": v.optional(v.string())}),
        "tags": define_table({"label": v.optional(v.string())}),
        "countries": define_table({"code": v.string()}),
        "sessions": define_table(
            {
                "host": v.id("profiles"),
                "rsvps": v.array(v.id("profiles"), default=[]),
                "tag_id": v.optional(v.id("tags")),
                "tag_ids": v.optional(v.array(v.id("tags"))),
                "country": v.optional(v.id("countries")),
                "owner_id": v.optional(v.id("profiles")),
                "guest": v.optional(v.id("profiles")),
            }
        ),
    }
)
