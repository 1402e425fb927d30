from supavex.schema import define_schema, define_table, v

o = v.optional
schema = define_schema(
    {
        "tags": define_table({}),
        "rows": define_table(
            {
                "tags": o(v.array(v.id("tags"))),
                "words": o(v.array(v.array(v.string()))),
                "flags": o(v.array(v.array(v.boolean()))),
                "moods": o(v.array(v.array(v.union(v.literal("x"), v.literal("z"))))),
                "few": o(v.array(v.number())),
                "levels": o(v.array(v.array(v.number(one_of=[1, 2])))),
            }
        ),
    }
)
