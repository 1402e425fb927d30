from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "visits": define_table({"person": v.optional(v.string()), "day": v.string(), "note": v.optional(v.string())}),
        "tokens": define_table({"note": v.optional(v.string())}),
    }
)
