from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "t": define_table(
            {
                "a": v.string(default='say "é"\n'),
                "b": v.number(default=60),
                "c": v.boolean(default=False),
                "d": v.any(default={"k": [1, None]}),
                "e": v.array(v.string(), default=["x"]),
                "f": v.optional(v.string()),
                "g": v.union(v.string(), v.null()),
                "h": v.number(default=1.5),
                "Zed": v.optional(v.string()),
            }
        ),
        "empty": define_table({}),
    }
)
