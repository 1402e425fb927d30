from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "bad": define_table(
            {
                "required": v.string(),
                "status": v.optional(v.string(one_of=["a", "b"])),
                "n": v.optional(v.number(ge=0, lt=7)),
                "code": v.optional(v.string(pattern="^[A-Z]+$")),
                "big": v.optional(v.number()),
                "dec": v.optional(v.number()),
                "f": v.optional(v.number()),
                "moment": v.optional(v.number()),
                "clock": v.optional(v.string()),
                "data": v.optional(v.any()),
                "tags": v.optional(v.array(v.string())),
                "grid": v.optional(v.array(v.number())),
                "owner": v.optional(v.string()),
                "shaped": v.optional(v.object({"k": v.number()})),
            }
        ),
        "parents": define_table({"name": v.string()}),
        "children": define_table({"parent": v.id("parents")}),
        "chain": define_table({"next": v.optional(v.id("chain")), "name": v.string()}),
    }
)
