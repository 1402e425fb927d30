from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "gardens": define_table({"title": v.string(), "open": v.boolean()}),
        "beds": define_table({"garden": v.id("gardens"), "width": v.optional(v.number())}),
    }
)
