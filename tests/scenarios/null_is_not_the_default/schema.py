from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "accounts": define_table(
            {
                "seat_limit": v.optional(v.number(default=5)),
                "newsletter": v.optional(v.boolean(default=True)),
                "settings": v.optional(v.any(default={"theme": "light"})),
                "tags": v.optional(v.array(v.string(), default=[])),
                "plan": v.optional(v.string(default="free")),
            }
        ),
        "filled": define_table(
            {
                "size": v.number(),
                "checked": v.optional(v.number(default=6)),
                "named": v.number(),
                "code": v.optional(v.string(default="x")),
                "kept": v.optional(v.number(default=8)),
                "at": v.optional(v.number()),
                "odd": v.string(),
                "list": v.array(v.string()),
            }
        ),
    }
)
