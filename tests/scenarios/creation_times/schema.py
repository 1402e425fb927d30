from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "usual": define_table({}),
        "other": define_table({"registered": v.string()}),
        "none": define_table({}),
        "onlyNulls": define_table({"created_at": v.optional(v.number())}),
    }
)
