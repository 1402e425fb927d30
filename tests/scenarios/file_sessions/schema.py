from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "plants": define_table(
            {
                "name": v.string(),
                "kind": v.optional(v.string()),
                "cents": v.optional(v.number()),
                "owner": v.optional(v.string()),
            }
        )
    }
)
